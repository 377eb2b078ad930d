"""The same bytes whatever the CPU can do: replays with and without NumPy's kernels for newer instruction sets."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
umath = importlib.import_module("numpy._core._multiarray_umath")
#: what NumPy can be told to do without, and this CPU has
HERE = [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]


def replayed(without: list[str]) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NPY_DISABLE_CPU_FEATURES": " ".join(without)}
    done = subprocess.run([sys.executable, "tests/golden/replayed.py"], cwd=ROOT, env=environment, check=True,
                          capture_output=True, text=True)
    assert "not supported" not in done.stderr, done.stderr
    return done.stdout


@pytest.mark.skipif(not HERE, reason="NumPy has no kernels for this CPU that it could do without")
def test_findings_and_state_do_not_depend_on_the_instruction_set() -> None:
    expected = replayed([])
    assert int(expected.split()[0]) > 0
    wide = [name for name in HERE if "AVX512" in name or name == "X86_V4"]
    for without in filter(None, (wide if wide != HERE else [], HERE)):
        assert replayed(without) == expected, f"without {without}"


def test_the_feature_is_really_switched_off() -> None:
    """A test of the test: the child process has fewer features."""
    if not HERE:
        pytest.skip("NumPy has no kernels for this CPU that it could do without")
    code = "from numpy._core import _multiarray_umath as u; print(sum(u.__cpu_features__.values()))"
    counts = [int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True,
                                 env={**os.environ, "NPY_DISABLE_CPU_FEATURES": off}).stdout)
              for off in ("", " ".join(HERE))]
    assert counts[1] < counts[0]
