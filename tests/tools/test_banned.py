"""The lint of the pure core finds what it promises, and lets exact arithmetic be."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "banned.py"
spec = importlib.util.spec_from_file_location("banned", TOOL)
assert spec is not None
assert spec.loader is not None
banned = importlib.util.module_from_spec(spec)
spec.loader.exec_module(banned)

FORBIDDEN = [
    "import numpy as np\ny = np.exp(x)",
    "import numpy as np\ny = np.log1p(x)",
    "import numpy as np\ny = np.power(x, 3)",
    "import numpy as np\ny = np.linalg.norm(x)",
    "import numpy as np\ny = np.random.default_rng()",
    "from numpy import einsum",
    "y = x @ z",
    "x @= z",
    "y = x.dot(z)",
    "y = x ** z",
    "y = x ** 0.3",
    "x **= z",
    "import math\ny = math.log(x)",
    "from math import exp",
    "import time",
    "import random",
    "import os",
    "from os import path",
    "import pickle",
    "import monitor.findings",
    "from datetime import datetime\ny = datetime.now()",
    "import datetime\ny = datetime.datetime.utcnow()",
    "y = hash(x)",
    "y = open(x)",
    "from dateutil.rrule import rrulestr",
    "import river",
]
ALLOWED = [
    "import numpy as np\ny = np.sqrt(x) * np.floor(x) ** 2",
    "y = 10 ** 6",
    "from math import sqrt",
    "from datetime import datetime\ny = datetime.fromtimestamp(x)",
    "from . import event",
    "import msgspec, hashlib",
]


@pytest.mark.parametrize("source", FORBIDDEN)
def test_forbidden_is_found(source: str) -> None:
    assert list(banned.in_source(source, "scale_spike.py"))


@pytest.mark.parametrize("source", ALLOWED)
def test_exact_arithmetic_is_let_be(source: str) -> None:
    assert list(banned.in_source(source, "scale_spike.py")) == []


def test_dateutil_is_the_calendars_alone() -> None:
    assert list(banned.in_source("from dateutil.rrule import rrulestr", "core/calendar.py")) == []


def test_the_command_names_file_and_line_and_fails(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import numpy as np\n\ny = np.exp(1)\n")
    told = subprocess.run([sys.executable, TOOL, tmp_path], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "bad.py:3: np.exp" in told.stdout
