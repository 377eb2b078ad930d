"""What a fresh machine relies on: capped dependencies, a hashed lock without addresses, and a wheel that has it all."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ["requirements.lock", "requirements-run.lock"]


def requirement(line: str) -> str:
    return re.split(r"[\[<>=~! ;]", line, maxsplit=1)[0].lower()


@pytest.mark.parametrize("dependency", [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]])
def test_every_dependency_is_capped_and_0_x_at_its_minor(dependency: str) -> None:
    if "==" in dependency:
        return
    low, high = re.search(r">=([\d.]+)", dependency), re.search(r"<([\d.]+)", dependency)
    assert low
    assert high
    if low[1].startswith("0."):
        assert high[1].startswith("0."), "a minor of 0.x may break"


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_has_hashes_and_no_addresses(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"https?://|file:|--index|--extra-index|--find-links|/root/|/home/", text)
    pinned = re.findall(r"^[a-z0-9][^\n]*==[^\n]*\n(?:    --hash=sha256:[0-9a-f]{64}[ \\]*\n)+", text, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) > 20


def test_the_locks_hold_what_the_project_asks_for() -> None:
    dependencies = {requirement(line) for line in PROJECT["project"]["dependencies"]}
    dev = {requirement(line) for line in PROJECT["dependency-groups"]["dev"]}
    pinned = [{requirement(line) for line in (ROOT / lock).read_text().splitlines() if line[:1].isalnum()} for lock in LOCKS]
    assert dependencies | dev <= pinned[0]
    assert dependencies <= pinned[1]
    assert not (dev & pinned[1])


def test_nothing_else_pins_addresses() -> None:
    told = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = {Path(line).name for line in told.stdout.splitlines()}
    assert not names & {"uv.lock", "package-lock.json", "poetry.lock"}


def test_the_wheel_holds_both_packages_and_nothing_of_the_tests(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    files = {path.relative_to(ROOT).as_posix() for top in ("monitor", "detectors") for path in (ROOT / top).rglob("*.py")}
    assert files <= names
    assert not [name for name in names if name.startswith("tests")]
    assert any(name.endswith("licenses/LICENSE") for name in names)
