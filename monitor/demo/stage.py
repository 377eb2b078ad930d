"""The stage: a real daemon on the ingest log and SQLite under a virtual clock, what it is told, and what is seen of it."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from heapq import merge
from pathlib import Path

import msgspec

from detectors.core.inputs import AnyDirective, Arm, Ratify
from monitor import directives
from monitor.config import load
from monitor.daemon import Daemon
from monitor.daemon.meters import scores
from monitor.demo import stories
from monitor.demo.stories import mass_deletion
from monitor.demo.stories.story import Line
from monitor.demo.stories.world import REFERENCE_DAYS, START, at
from monitor.demo.view import Standing, State, Victim
from monitor.demo.virtual_clock import VirtualClock
from monitor.findings import Alert, Containment, Incident
from monitor.sources.ingest import IngestLog

BY = "the demo's operator"
#: the references are complete, and a person says that they are right: agents may now be held against their peers
RATIFIED = START.timestamp() + at(REFERENCE_DAYS, 23)
#: the toy agent is let loose
CURTAIN = START.timestamp() + at(*mass_deletion.STRIKES)
SOURCE = "demo"


def events() -> Iterator[Line]:
    """All stories at once up to the curtain, by time; the deletions are left to the toy agent."""
    told = (story.everyday() if story is mass_deletion.STORY else story.events() for story in stories.all())
    for event in merge(*told, key=lambda event: str(event["time"])):
        if seconds_of(event) >= CURTAIN:
            return
        yield event


def told() -> list[AnyDirective]:
    """What people tell the daemon meanwhile, by time: the stories' directives, and the way to an armed role."""
    found = [directives.decode(json.dumps(line).encode(), story.name) for story in stories.all() for line in story.directives()]
    roles = sorted({crew.role for story in stories.all() for crew in story.crews})
    found += [Ratify(time=RATIFIED, by=BY, role=role) for role in roles]
    found.append(Arm(time=RATIFIED + 60, by=BY, role=mass_deletion.CURATORS.role, accept_unproven=True))
    return sorted(found, key=lambda directive: directives.seconds_of(directive.time))


def seconds_of(event: Line) -> float:
    """Epoch seconds of an event."""
    return directives.seconds_of(event["time"])


@contextmanager
def state_folder() -> Iterator[Path]:
    """A temporary folder, in memory where there is such a place: a disk makes each event of eighteen days wait."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder with a random name is made in it
    place = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="driftd-demo-", dir=place) as folder:
        yield Path(folder)


class Stage:
    """A daemon that is up, its clock, and what it said."""

    def __init__(self, daemon: Daemon, clock: VirtualClock) -> None:
        self.daemon, self.clock = daemon, clock
        self.judged = 0
        self.victim: Victim | None = None
        self._log = next(source for source, _ in daemon.sources.values() if isinstance(source, IngestLog))
        self._directives = told()
        self._began = time.monotonic()

    def play(self, events: Iterable[Line]) -> None:
        """Let these events happen, each at its time, and the daemon judge them."""
        for event in events:
            self.clock.set(seconds_of(event))
            self._log.append([json.dumps(event).encode()])
        self.step(0.0)
        while any(self._log.lag().values()):
            self.step(0.0)
        self._tell()

    def step(self, timeout_seconds: float) -> None:
        """Once round the daemon's loop."""
        self.judged += self.daemon.step(timeout_seconds)

    def _tell(self) -> None:
        while self._directives and directives.seconds_of(self._directives[0].time) <= self.clock.time():
            now = msgspec.structs.replace(self._directives.pop(0), time=self.clock.time())
            self.daemon.tell(now)
            self.step(0.0)

    def state(self, chapter: str) -> State:
        """What is seen now."""
        asked = self.daemon.store.queries
        alerts = [line.finding for line in asked.open_alerts() if isinstance(line.finding, Alert)]
        levels = {alert.agent: alert.level for alert in alerts}
        contained = [one.line for one in asked.containments(active=True) if one.line.executes]
        held = {line.agent for line in contained}
        standings = [
            Standing(one.agent, one.score, levels.get(one.agent), one.agent in held) for one in scores(self.daemon, 8)
        ]
        elapsed = max(time.monotonic() - self._began, 0.1)
        residents = sum(len(stream.pipeline.engine.state.agents) for stream in self.daemon.streams.values())
        return State(
            self.clock.time(), chapter, self.judged, self.judged / elapsed, residents, tuple(standings),
            tuple(sorted(alerts, key=lambda alert: -(alert.score or 0.0))), tuple(self.incidents()), tuple(contained),
            self.victim,
        )  # fmt: skip

    def incidents(self) -> list[Incident]:
        """Those that are open."""
        found = self.daemon.store.queries.incidents(open_only=True)
        return [line.finding for line in found if isinstance(line.finding, Incident)]

    def kill(self) -> Containment | None:
        """The confirmed kill of the toy agent, once there is one."""
        for one in self.daemon.store.queries.containments():
            if one.line.agent == mass_deletion.AGENT and one.line.executes == "kill" and one.status == "confirmed":
                return one.line
        return None


@contextmanager
def stage(folder: Path, registry: Path) -> Iterator[Stage]:
    """A daemon in this folder that may end the processes which the registry names."""
    clock = VirtualClock(START.timestamp())
    settings = load(environment={}, values={
        "state_dir": str(folder / "state"),
        "one_person": True,
        "sources": {SOURCE: {"type": "ingest", "attested": True}},
        "api": {"port": 0},
        "containment": {"mode": "enforce", "kill": True},
        "hooks": {"toy": {"type": "exec", "process": {"registry": str(registry), "grace_seconds": 1.0}}},
    })  # fmt: skip
    with Daemon(settings, clock=clock) as daemon:
        yield Stage(daemon, clock)
