from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.findings import Alert, Containment
from monitor.sources.base import Partition
from monitor.storage.decision import Claim
from monitor.storage.store import Store


class SetClock:
    """Time that a test sets."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/driftd.db"


@pytest.fixture
def store(url: str, clock: SetClock) -> Iterator[Store]:
    opened = Store.open(url, clock, busy_seconds=0.2)
    yield opened
    opened.close()


@pytest.fixture
def partition() -> Partition:
    return Partition("topic", 0)


@pytest.fixture
def claim(store: Store, partition: Partition) -> Claim:
    return store.claim(partition, "first")


@pytest.fixture
def alert() -> Callable[..., Alert]:
    def make(id_: str = "a", **more: Any) -> Alert:
        given: dict[str, Any] = {
            "state": "firing", "time": "2026-01-01T00:00:00.000Z", "event": "e", "agent": "bot", "role": "billing",
            "level": "page", "why": "opened", "score": 123.4,
        }  # fmt: skip
        return Alert(id=id_, **(given | more))

    return make


@pytest.fixture
def containment() -> Callable[..., Containment]:
    def make(id_: str = "c", **more: Any) -> Containment:
        given: dict[str, Any] = {
            "time": "2026-01-01T00:00:00.000Z", "event": "e", "agent": "bot", "role": "billing", "step": "quarantine",
            "mode": "enforce", "gate_score": 300.0, "armed": True, "not_armed_because": None, "reason": "why",
        }  # fmt: skip
        return Containment(id=id_, **(given | more))

    return make
