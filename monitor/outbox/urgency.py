"""Which messages are never dropped: those that page somebody, and those about containment."""

from __future__ import annotations

import msgspec

from monitor.sinks.base import Message


class _Level(msgspec.Struct):
    level: str | None = None


_level = msgspec.json.Decoder(_Level)


def is_urgent(message: Message) -> bool:
    """A page, a critical alert, a containment; anything that is not plainly a notice."""
    if message.kind not in ("alert", "incident"):
        return True
    return _level.decode(message.body).level != "notice"
