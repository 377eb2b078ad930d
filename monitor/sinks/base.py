"""A sink carries a finding to a receiver. Retries, order and durability are the outbox's."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Protocol


class Message(NamedTuple):
    """One thing to deliver: a stable id (the receiver's idempotency key), its kind and its JSON body."""

    id: str
    kind: str
    time: float
    body: bytes


class DeliveryError(Exception):
    """It was not delivered. `retry` is False when trying again is useless; `after_seconds` is the receiver's wish."""

    def __init__(self, problem: str, *, retry: bool = True, after_seconds: float | None = None) -> None:
        super().__init__(problem)
        self.retry, self.after_seconds = retry, after_seconds


class Gone(DeliveryError):
    """The receiver wants nothing more, ever: nothing is tried until a person looks after it."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, retry=False)


class Sink(Protocol):
    """A receiver of findings."""

    kind: ClassVar[str]
    name: str

    def deliver(self, message: Message) -> None:
        """Deliver or raise DeliveryError."""

    def close(self) -> None:
        """Let go of connections."""
