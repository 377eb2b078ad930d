"""What a story is: everyday work, an attack to put into it, and what driftd has to say about either."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from typing import Any

from monitor.demo.stories.world import Crew, crews_at_work

#: one JSON object: an event, or a directive
Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Expects:
    """What driftd has to say about an attack: an alert of `agent`, and perhaps a step or an incident."""

    #: the agent whose alert reaches `level`; empty where the incident is what counts
    agent: str = ""
    level: str = "page"
    #: detectors that the alert lists by the time it reaches the level, or that join later
    detectors: tuple[str, ...] = ()
    #: RFC 3339 in UTC: the alert reaches its level within this span
    after: str = ""
    before: str = ""
    #: containment step that is decided for the agent within the span
    step: str | None = None
    #: agents of the one incident; 0: no incident
    incident_agents_min: int = 0


@dataclass(frozen=True, slots=True)
class Story:
    """Some weeks of a small fleet. A quiet story is its everyday work alone; the others have their attack in it.

    `expects` is what the attack has to bring about, wherever it is put in.
    """

    name: str
    prose: str
    quiet: bool
    crews: tuple[Crew, ...]
    days: int
    seed: int
    strike: Callable[[], Iterable[Line]]
    expects: Expects
    told: tuple[Line, ...] = ()
    settings: str = ""
    work: Callable[[], Iterable[Line]] = field(default=tuple)

    def everyday(self) -> Iterator[Line]:
        """The events without any attack, by time."""
        return numbered(merge(crews_at_work(self.crews, self.days, self.seed), self.work(), key=_time))

    def events(self) -> Iterator[Line]:
        """The events of the story, by time."""
        return self.everyday() if self.quiet else self.attack(self.everyday())

    def attack(self, events: Iterable[Line]) -> Iterator[Line]:
        """The same events with the attack put in, by time."""
        return merge(events, numbered(self.strike(), "attack-"), key=_time)

    def directives(self) -> list[Line]:
        """What people told the daemon meanwhile, by time."""
        return [dict(line) for line in self.told]


def numbered(events: Iterable[Line], prefix: str = "") -> Iterator[Line]:
    """The events with ids in their order; an id stands first."""
    for number, event in enumerate(events, 1):
        yield {"id": f"{prefix}{number:05d}", **event}


def _time(event: Line) -> str:
    return str(event["time"])
