"""Times as people write them on a command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import typer

UNITS_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def span_seconds(text: str) -> float:
    """`90s`, `10m`, `2h`, `7d`, `2w` in seconds. Raises typer.BadParameter."""
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text.strip()):
        return float(found[1]) * UNITS_SECONDS[found[2]]
    raise typer.BadParameter(f"{text!r} is no span of time: write 90s, 10m, 2h, 7d or 2w")


def instant(text: str, now: float) -> float:
    """A moment in epoch seconds: an RFC 3339 time, or a span from now on. Raises typer.BadParameter."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return now + span_seconds(text)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
