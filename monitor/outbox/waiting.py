"""What delivery needs from the storage, and who it tells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from monitor.sinks.base import Message


class Due(Protocol):
    """A message to deliver now."""

    @property
    def sink(self) -> str:
        """Name of the sink it is for."""

    @property
    def message(self) -> Message:
        """What to deliver."""

    @property
    def attempts(self) -> int:
        """How often that was tried already."""


class Waiting(Protocol):
    """The durable outbox. Every verb may raise StorageUnavailable."""

    def due(self, now: float, limit: int) -> Iterable[Due]:
        """At most `limit` messages of each sink whose turn has come; never one before an earlier one of its alert."""

    def delivered(self, id_: str, sink: str) -> None:
        """The receiver has it."""

    def failed(self, id_: str, sink: str, error: str, retry_at: float) -> None:
        """It was not delivered; try again at `retry_at`, in epoch seconds."""

    def give_up(self, id_: str, sink: str, error: str) -> None:
        """It will never be delivered."""


class Watcher(Protocol):
    """Who is told how delivery goes; called from its threads, and must not block."""

    def attempted(self, sink: str, outcome: str) -> None:
        """One try: `delivered`, `failed` or `given_up`."""

    def down(self, sink: str, problem: str) -> None:
        """The receiver cannot be reached any more: worth an alert."""

    def up(self, sink: str) -> None:
        """It can be reached again."""

    def dropped(self, sink: str, message: Message, problem: str) -> None:
        """The message was given up: worth an alert."""
