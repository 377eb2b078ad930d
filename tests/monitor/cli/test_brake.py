"""The brake works with no daemon, no database, and settings that are wrong elsewhere."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.brake import FILE_NAME, Brake
from monitor.cli import directives
from monitor.cli.exits import CommandError


def driftd(*arguments: object, fails: bool = False) -> str:
    done = CliRunner().invoke(directives.app, [*map(str, arguments), "--by", "ann", "--reason", "so"])
    if fails and done.exception:
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_disarm_stops_every_role(tmp_path: Path) -> None:
    assert "disarmed" in driftd("disarm", "--state-dir", tmp_path)
    assert Brake(tmp_path).refuses("", "any", at=time.time()) == "disarmed"
    (found,) = Brake(tmp_path).found()
    assert (found.pull.by, found.pull.reason) == ("ann", "so")


def test_disarm_of_a_role_leaves_the_others(tmp_path: Path) -> None:
    driftd("disarm", "--role", "billing", "--tenant", "t", "--state-dir", tmp_path)
    assert Brake(tmp_path).refuses("t", "billing", at=time.time()) == "disarmed"
    assert Brake(tmp_path).refuses("t", "other", at=time.time()) is None
    assert Brake(tmp_path).refuses("", "billing", at=time.time()) is None


def test_release_lets_go_of_what_was_ordered_since(tmp_path: Path) -> None:
    driftd("release", "--since", "10m", "--all", "--state-dir", tmp_path)
    brake = Brake(tmp_path)
    assert brake.refuses("", "r", at=time.time() - 300) == "released"
    assert brake.refuses("", "r", at=time.time() - 900) is None


def test_the_folder_comes_from_settings_that_are_wrong_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "driftd.yaml").write_text(f"state_dir: {tmp_path}\nnonsense: true\nsources: {{x: {{type: none}}}}\n")
    driftd("disarm", "--config", tmp_path / "driftd.yaml")
    assert (tmp_path / FILE_NAME).exists()


def test_the_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTD__STATE_DIR", str(tmp_path))
    driftd("disarm")
    assert (tmp_path / FILE_NAME).exists()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file or directory; name the daemon's folder with --state-dir"):
        driftd("disarm", "--state-dir", tmp_path / "none", fails=True)
