"""The README does what it says: its `console` commands are executed, what it names exists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]
MADE = [command for command in COMMANDS if command.startswith("make ")]
TOLD = [
    line.partition("#")[0].split()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]


def test_its_commands_work_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "sample_traces").symlink_to(ROOT / "sample_traces")
    script = "\n".join(["set -eu", *(command for command in COMMANDS if command not in MADE)])
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-xc", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", MADE)
def test_what_it_makes_can_be_made(command: str) -> None:
    done = subprocess.run(["bash", "-c", f"{command} -n"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", TOLD, ids=" ".join)
def test_the_other_commands_exist_with_their_options(command: list[str]) -> None:
    driftd = Path(sys.executable).with_name("driftd")
    told = subprocess.run([driftd, command[1], "--help"], capture_output=True, text=True, check=True).stdout
    assert all(option in told for option in command if option.startswith("--"))


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)h][^)]*)\)", README))
def test_what_it_links_to_is_there(link: str) -> None:
    assert (ROOT / link).exists()
