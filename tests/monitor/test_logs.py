"""Logs: JSON for programs, plain on a terminal, libraries included, and never the value of a variable."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from monitor import logs


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_one_json_line_with_its_context() -> None:
    out = io.StringIO()
    logs.configure(stream=out)
    with structlog.contextvars.bound_contextvars(agent="billing/7"):
        logs.get("outbox").warning("sink is down", sink="hook")
    line = json.loads(out.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {"message": "sink is down", "level": "warning", "logger": "outbox", "sink": "hook", "agent": "billing/7"}


def test_libraries_log_in_the_same_form_and_level() -> None:
    out = io.StringIO()
    logs.configure("warning", out)
    logging.getLogger("uvicorn.error").info("quiet")
    logging.getLogger("uvicorn.error").error("boom %s", 1)
    logs.get("x").info("quiet")
    (line,) = map(json.loads, out.getvalue().splitlines())
    assert (line["message"], line["level"], line["logger"]) == ("boom 1", "error", "uvicorn.error")


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_holds_no_values(as_json: bool) -> None:
    out = io.StringIO()
    logs.configure(stream=out, as_json=as_json)

    def fail(secret: str) -> None:
        raise ValueError("bad")

    try:
        fail("whsec_" + "x" * 20)
    except ValueError:
        logs.get("x").exception("failed")
    assert "ValueError" in out.getvalue()
    assert "whsec_xxx" not in out.getvalue()


def test_a_terminal_gets_plain_lines() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    logs.configure(stream=out)
    logs.get("x").info("hello")
    assert "hello" in out.getvalue()
    assert not out.getvalue().startswith("{")


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="loud"):
        logs.configure("loud")
