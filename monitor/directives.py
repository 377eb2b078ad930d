"""Directives as lines and as text: one form for files, routes and commands."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from detectors.core import calendar
from detectors.core.inputs import AnyDirective, Calendar, Silence

_decoder = msgspec.json.Decoder(AnyDirective)


class BadDirective(ValueError):
    """A directive that cannot be taken, with its place and the cure."""


def seconds_of(time: float | str) -> float:
    """Epoch seconds of a number or of RFC 3339 text."""
    if not isinstance(time, str):
        return float(time)
    moment = datetime.fromisoformat(time)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def decode(body: bytes, place: str) -> AnyDirective:
    """One directive from JSON. Raises BadDirective, which names the place."""
    try:
        directive: AnyDirective = _decoder.decode(body)
        check(directive)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadDirective(f"{place}: {error}") from None
    return directive


def check(directive: AnyDirective) -> None:
    """Raises ValueError for times and rules that cannot be read."""
    seconds_of(directive.time)
    if isinstance(directive, Silence):
        seconds_of(directive.until)
    if isinstance(directive, Calendar):
        calendar.check(directive.rule)


def read(path: Path) -> list[AnyDirective]:
    """The directives of a JSON-lines file, by time; those of one time keep their order. Raises BadDirective."""
    lines = path.read_bytes().splitlines()
    told = [decode(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    return sorted(told, key=lambda directive: seconds_of(directive.time))
