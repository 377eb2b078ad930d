"""Every directive has a command, and the command says exactly what was meant."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from detectors.core.inputs import AnyDirective
from monitor.cli import directives, options
from monitor.cli.spans import instant, span_seconds

COMMANDS: list[tuple[list[str], dict[str, Any]]] = [
    (["contain", "a", "restrict"], {"directive": "contain", "agent": "a", "step": "restrict"}),
    (["release", "a"], {"directive": "uncontain", "agent": "a"}),
    (["release", "a", "--step", "kill"], {"directive": "uncontain", "agent": "a", "step": "kill"}),
    (["arm", "r", "--i-accept-unproven"], {"directive": "arm", "role": "r", "accept_unproven": True}),
    (["disarm", "--role", "r"], {"directive": "disarm", "role": "r"}),
    (["ratify", "--role", "r", "--tenant", "t"], {"directive": "ratify", "role": "r", "tenant": "t"}),
    (["accept", "a", "--scope", "crm:read"], {"directive": "accept", "agent": "a", "what": {"scope": "crm:read"}}),
    (["silence", "2030-01-01T00:00:00Z", "--role", "r"],
     {"directive": "silence", "until": "2030-01-01T00:00:00+00:00", "match": {"role": "r"}}),
    (["announce", "r", "--version", "2", "--actions", "x", "--actions", "y", "--digests", "code=1=2"],
     {"directive": "release", "role": "r", "version": "2", "brings": {"actions": ["x", "y"], "digests": {"code": "1=2"}}}),
    (["calendar", "r", "FREQ=DAILY"], {"directive": "calendar", "role": "r", "rule": "FREQ=DAILY"}),
    (["resolve", "x"], {"directive": "resolve", "alert": "x"}),
    (["confirm", "x"], {"directive": "confirm", "confirms": "x"}),
]  # fmt: skip


class Daemon:
    """Takes the place of the client, and keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[tuple[str, ...], dict[str, Any]]] = []
        self.answer: dict[str, Any] = {"id": "d1"}

    def post(self, *path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.sent.append((path, body))
        return self.answer


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    daemon = Daemon()
    monkeypatch.setattr(options, "client_of", lambda *_: daemon)
    return daemon


def run(*arguments: str) -> str:
    done = CliRunner().invoke(directives.app, [*arguments, "--url", "http://x", "--by", "ann", "--reason", "so"])
    assert done.exit_code == 0, done.output
    return done.output


def test_every_directive_has_a_command() -> None:
    said = {command[0] for command, _ in COMMANDS}
    tags = {str(directive.__struct_config__.tag) for directive in get_args(AnyDirective)}
    assert said == {directives.COMMANDS.get(tag, tag) for tag in tags}


@pytest.mark.parametrize(("command", "wanted"), COMMANDS, ids=lambda part: " ".join(part)[:30])
def test_a_command_sends_its_directive_to_its_route(daemon: Daemon, command: list[str], wanted: dict[str, Any]) -> None:
    run(*command)
    ((path, body),) = daemon.sent
    assert path == ("directives", wanted["directive"])
    assert body["by"] == "ann"
    assert body["reason"] == "so"
    assert msgspec.convert(body, AnyDirective) == msgspec.convert(
        {"time": body["time"], "by": "ann", "reason": "so", **wanted}, AnyDirective
    )


def test_a_widening_directive_says_that_it_waits(daemon: Daemon) -> None:
    assert "waits for a second person: driftd confirm d1" in run("ratify", "--role", "r")
    daemon.answer = {"id": "d1", "confirmed": True}
    assert "done" in run("ratify", "--role", "r")


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1.5d", 129600), ("2w", 1209600)])
def test_spans(text: str, seconds: float) -> None:
    assert span_seconds(text) == seconds
    assert instant(text, 1000) == 1000 + seconds


@pytest.mark.parametrize("text", ["", "10", "m", "-1h", "10y", "1h30m"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        instant(text, 0)


def test_a_time_without_zone_is_utc() -> None:
    assert instant("2026-01-01T00:00:00", 5) == instant("2026-01-01T01:00:00+01:00", 5) == 1767225600
