"""The log sink: one line for each finding, on disk, never half."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from monitor.sinks.base import DeliveryError, Sink
from monitor.sinks.log import Log, LogSettings
from tests.monitor.sinks.contract import SinkContract, Subject, message


class File(Subject):
    kind = "log"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "out" / "findings.jsonl"
        self.path.parent.mkdir()

    def sink(self) -> Sink:
        return Log(LogSettings(path=self.path))

    def received(self) -> list[tuple[str, object]]:
        lines = [json.loads(line) for line in self.path.read_bytes().splitlines()] if self.path.exists() else []
        return [(line.pop("message"), line) for line in lines]

    def break_receiver(self) -> None:
        shutil.rmtree(self.path.parent)


class TestLog(SinkContract):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> Subject:
        return File(tmp_path)


def test_standard_output_is_the_default(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Log(LogSettings()).deliver(message())
    out = capfdbinary.readouterr().out
    assert out.endswith(b"\n")
    assert out.count(b"\n") == 1
    assert json.loads(out)["message"] == "m1"


def test_a_file_that_was_moved_away_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "findings.jsonl"
    sink = Log(LogSettings(path=path))
    sink.deliver(message("m1"))
    path.rename(tmp_path / "findings.1")
    sink.deliver(message("m2"))
    assert json.loads(path.read_bytes())["message"] == "m2"


def test_half_a_line_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    sink, path, write = Log(LogSettings(path=tmp_path / "f")), tmp_path / "f", os.write
    sink.deliver(message("m1"))
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, line: write(file, line[: len(line) // 2]))
        with pytest.raises(DeliveryError, match="no room"):
            sink.deliver(message("m2"))
    sink.deliver(message("m3"))
    assert [json.loads(line)["message"] for line in path.read_bytes().splitlines()] == ["m1", "m3"]
