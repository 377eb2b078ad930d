"""A format turns raw records into events, and bad ones into dead letters with their reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Protocol

from detectors.core.records import Records
from monitor.sources.base import RawBatch


class DeadLetter(NamedTuple):
    """A record that could not be judged: where it stood, why, whose it claims to be, and its first bytes."""

    offset: int
    index: int  # type: ignore[assignment]  # nobody looks for things in a dead letter as in a tuple
    reason: str
    agent: str | None
    digest: str
    excerpt: bytes
    time: float | None


@dataclass(slots=True)
class Decoded:
    """The events of a raw batch, and what could not be one."""

    records: Records = field(default_factory=Records)
    dead: list[DeadLetter] = field(default_factory=list)
    unknown_fields: Counter[str] = field(default_factory=Counter)
    clipped: int = 0


class Format(Protocol):
    """Bytes to events."""

    name: ClassVar[str]

    def decode(self, raw: RawBatch) -> Decoded:
        """Never raises for what a record holds."""
