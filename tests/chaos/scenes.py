"""What the lives of these tests are told: stories as records, and receivers that verify what they get."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from heapq import merge
from pathlib import Path
from random import Random
from typing import Any

import httpx
from standardwebhooks import Webhook as Verifier

from monitor.demo import stories
from monitor.directives import seconds_of
from monitor.sources.ingest import IngestLog, IngestSettings
from tests.chaos.lives import Line, Lives, Written
from tests.chaos.story_clock import StoryClock
from tests.monitor.sinks.receiver import Receiver

HOUR, DAY = 3600.0, 86_400.0
SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS1jaGFvcy10ZXN0cy0wMTIzNDU2Nzg5"
#: how often a campaign kills: `DRIFTD_KILLS=100 pytest -m campaign`
KILLS = int(os.environ.get("DRIFTD_KILLS", "100"))


def story_events(*names: str) -> list[Line]:
    """The events of some stories, by time."""
    return list(merge(*(stories.named(name).events() for name in names), key=lambda event: str(event["time"])))


def at(event: Line) -> float:
    """Epoch seconds of an event."""
    return seconds_of(event["time"])


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in memory where there is such a place: a kill of a process keeps what is in the page cache anyway."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="driftd-chaos-", dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def write_log(folder: Path, events: Iterable[Line], name: str = "events") -> int:
    """Events into the ingest log of a state folder, each at its time; how many records."""
    clock = StoryClock(folder / "writing-clock")
    log = IngestLog(IngestSettings(), name=name, clock=clock, state_dir=folder / "state")
    log.open()
    number = 0
    for event in events:
        clock.set(at(event))
        log.append([json.dumps(event).encode()])
        number += 1
    log.stop()
    (folder / "writing-clock").unlink()
    return number


def copied(base: Path, to: Path) -> Path:
    """The same state in another folder: the same source id and the same digest key, so that lines can be equal."""
    shutil.copytree(base, to)
    return to


def verified(receiver: Receiver) -> dict[str, Line]:
    """What came by id of the message, once: every signature holds, and what came again was the same."""
    verifier, found = Verifier(SECRET), dict[str, Line]()
    bodies: dict[str, bytes] = {}
    for got in receiver.got:
        verifier.verify(got.body, got.headers)
        assert bodies.setdefault(got.id, got.body) == got.body
        found[got.id] = json.loads(got.body)["data"]
    return found


def run_to(lives: Lives, written: Written, records: int, after: float, **spec: Any) -> None:
    """One life that reads to the end, hears the clock move on to `after`, and says all it has to say."""
    with lives.life(folder=written.folder, **spec):
        finish(lives, written, records, after)


def finish(lives: Lives, written: Written, records: int, after: float) -> None:
    """Wait until all is read; then time passes, so that timers come, and messages are delivered."""
    lives.until(lambda: sum(written.decided().values()) >= records, what=f"for {records} records")
    clock = StoryClock(written.folder / "clock")
    while clock.time() < after:
        clock.set(min(after, clock.time() + 12 * HOUR))
        _wait_for_timers(lives, written, clock.time())
    lives.until(lambda: not written.waiting(), what="for the outbox")


def _wait_for_timers(lives: Lives, written: Written, now: float) -> None:
    """Until ticks of this hour are decided in every partition."""
    lives.until(lambda: all(hour >= int(now // HOUR) for hour in written.ticked()), what="for the timers")


def killed(
    lives: Lives, written: Written, kills: int, records: int, seed: int, *,
    meanwhile: Callable[[int], None] = lambda _: None, **spec: Any,
) -> int:  # fmt: skip
    """Lives that are killed at random instants of reading up to `records`; returns at how many places it was.

    Every fourth dies while it starts. `meanwhile` is called with the number of a life while it reads.
    """
    random = Random(seed)
    places: set[int] = set()
    began = sum(written.decided().values())
    for number in range(kills):
        here = sum(written.decided().values())
        goal = min(here + random.uniform(0, 2 * (records - began) / kills), records)
        pid = lives.start(folder=written.folder, **spec)
        if number % 4 != 3:
            meanwhile(number)
            lives.until(lambda goal=goal: sum(written.decided().values()) >= goal, what="for a place")  # type: ignore[misc]
        time.sleep(random.uniform(0.0, 0.5 if number % 4 == 3 else 0.05))
        lives.kill(pid)
        places.add(sum(written.decided().values()))
    return len(places)


def tell(lives: Lives, folder: Path, directive: str, **said: Any) -> Line:
    """A directive through the interface, and in the inputs of all partitions when this returns."""
    written = Written(folder)
    before = written.applied()
    answer = httpx.post(f"{lives.url(folder)}/v1/directives/{directive}", json=said, trust_env=False, timeout=10)
    assert answer.is_success, answer.text
    lives.until(lambda: written.applied() > before, what=f"for {directive}")
    found: Line = answer.json()
    return found


def post(lives: Lives, folder: Path, events: Iterable[Line], at_seconds: float) -> None:
    """Events through the interface as one body, appended at this time."""
    StoryClock(folder / "clock").set(at_seconds)
    body = b"\n".join(json.dumps(event).encode() for event in events)
    kind = {"content-type": "application/x-ndjson"}
    answer = httpx.post(f"{lives.url(folder)}/v1/events", content=body, headers=kind, trust_env=False)
    assert answer.status_code == 202, answer.text
