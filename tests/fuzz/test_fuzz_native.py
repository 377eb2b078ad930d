from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_decoder_and_the_contract_accept_the_same_records() -> None:
    script = Path(__file__).with_name("fuzz_native.py")
    done = subprocess.run(
        [sys.executable, str(script), "--runs", "5000"], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no difference" in done.stdout
