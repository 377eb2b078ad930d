"""Everyday work: crews of agents with their tools, rhythms and habits, the same for the same seed on every machine."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from random import Random
from typing import Any

#: a Monday
START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, DAY = 3600, 86_400
#: days of everyday work before anything happens: the default length of a reference
REFERENCE_DAYS = 14
ERROR_SHARE, DENIED_SHARE, RETRY_SHARE = 0.012, 0.003, 0.02


@dataclass(frozen=True, slots=True)
class Tool:
    """One action that a crew can take, and on what."""

    action: str
    scope: str
    #: the targets are `area/number`
    area: str
    #: targets that an agent keeps coming back to, the first ones most often
    items: int = 12
    #: share of calls on a target never seen before: tickets and orders come in every day
    fresh: float = 0.0
    #: median of the amount, and its unit; amounts are log-normal
    amount: float = 0.0
    unit: str = ""
    #: a person has to say yes
    approver: str = ""
    #: the tool whose output named the target, where it was not the request
    named_by: str = ""


@dataclass(frozen=True, slots=True)
class Crew:
    """Agents of one role that do the same job."""

    role: str
    names: tuple[str, ...]
    tools: tuple[Tool, ...]
    #: actions of a session in their order, and how often such a session comes
    routines: tuple[tuple[float, tuple[str, ...]], ...]
    sessions_per_day: float
    #: first and last hour of work; None: round the clock
    hours: tuple[float, float] | None = (8, 18)
    #: work on Saturdays and Sundays, as a share of a weekday's
    weekend: float = 0.1
    version: str = "1.0.0"
    #: session starts are minutes past these hours, every day; replaces `hours` and `sessions_per_day`
    cron: tuple[float, ...] = ()
    #: events carry where their target came from
    provenance: bool = False
    #: releases: (day, version) from which on it runs
    releases: tuple[tuple[int, str], ...] = ()
    #: (day, share, actions): from that day on a share of sessions does this instead
    later: tuple[tuple[int, float, tuple[str, ...]], ...] = ()

    def agents(self) -> list[str]:
        """Full names."""
        return [f"{self.role}/{name}" for name in self.names]

    def tool(self, action: str) -> Tool:
        """The tool of this name."""
        return next(tool for tool in self.tools if tool.action == action)


@dataclass(slots=True)
class Shift:
    """One agent on one day: all it draws comes from its own seed, so a day never depends on other agents."""

    crew: Crew
    agent: str
    day: int
    seed: int
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(f"{self.seed}/{self.agent}/{self.day}")

    def events(self) -> list[tuple[int, dict[str, Any]]]:
        """(second since the start, event) of the day, by time."""
        found: list[tuple[int, dict[str, Any]]] = []
        for number, start in enumerate(self._starts(), 1):
            found += self._session(number, start)
        return sorted(found, key=lambda item: item[0])

    def _starts(self) -> list[float]:
        crew, begin = self.crew, self.day * DAY
        if crew.cron:
            return [begin + hour * HOUR + self.random.uniform(0, 90) for hour in crew.cron]
        busy = self.random.gammavariate(12, 1 / 12)
        mean = crew.sessions_per_day * busy * (crew.weekend if self.day % 7 >= 5 else 1.0)
        return sorted(begin + self._hour() * HOUR for _ in range(poisson(mean, self.random)))

    def _hour(self) -> float:
        if self.crew.hours is None:
            return self.random.uniform(0, 24)
        first, last = self.crew.hours
        return first + (last - first) * self.random.betavariate(2, 2)

    def _session(self, number: int, start: float) -> Iterator[tuple[int, dict[str, Any]]]:
        actions, when = self._routine(), start
        for action in actions:
            for _ in range(2 if self.random.random() < RETRY_SHARE else 1):
                yield int(when), self._event(self.crew.tool(action), int(when), number)
                when += 3 + self.random.expovariate(1 / 25)

    def _routine(self) -> tuple[str, ...]:
        for day, share, actions in self.crew.later:
            if self.day >= day and self.random.random() < share:
                return actions
        weights = list(accumulate(weight for weight, _ in self.crew.routines))
        return self.crew.routines[bisect(weights, self.random.random() * weights[-1] * 0.999_999)][1]

    def _event(self, tool: Tool, second: int, session: int) -> dict[str, Any]:
        event = who(self.crew, self.agent, second, session)
        event |= {"action": tool.action, "scope": tool.scope, "target": self._target(tool)}
        if tool.amount:
            event |= {"amount": round(tool.amount * math.exp(self.random.gauss(0, 0.7)), 2), "unit": tool.unit}
        if tool.approver:
            wait = round(20 + self.random.expovariate(1 / 120))
            event |= {"approval": "granted", "approver": tool.approver, "approval_seconds": wait}
        if self.crew.provenance:
            event["origin"] = {"from": tool.named_by, "trusted": True} if tool.named_by else {"in_request": True}
        luck = self.random.random()
        if luck < ERROR_SHARE + DENIED_SHARE:
            event["outcome"] = "denied" if luck < DENIED_SHARE else "error"
        return event

    def _target(self, tool: Tool) -> str:
        if self.random.random() < tool.fresh:
            return f"{tool.area}/{self.random.randrange(10_000, 99_999)}"
        known = habits(self.agent, tool.area, tool.items, self.seed)
        return f"{tool.area}/{known[bisect(zipf(tool.items), self.random.random() * 0.999_999)]}"


def who(crew: Crew, agent: str, second: int, session: int) -> dict[str, Any]:
    """The fields that say when and who, as every event of a crew has them."""
    name, day = agent.rpartition("/")[2], second // DAY
    version = max(((d, v) for d, v in crew.releases if day >= d), default=(0, crew.version))[1]
    return {
        "time": moment(second), "agent": agent, "role": crew.role, "version": version,
        "principal": f"team-{crew.role}-{name}", "host": f"{crew.role}-{name}", "session": f"{name}-{day}-{session}",
    }


def crews_at_work(crews: tuple[Crew, ...], days: int, seed: int) -> Iterator[dict[str, Any]]:
    """Everyday events of all crews, by time."""
    late: list[tuple[int, dict[str, Any]]] = []
    for day in range(days):
        found = late
        for crew in crews:
            for agent in crew.agents():
                found += Shift(crew, agent, day, seed).events()
        found.sort(key=lambda item: item[0])
        end = (day + 1) * DAY
        yield from (event for second, event in found if second < end)
        late = [item for item in found if item[0] >= end]  # sessions that go on past midnight


def moment(second: int) -> str:
    """RFC 3339 of a second since the start."""
    return f"{START + timedelta(seconds=second):%Y-%m-%dT%H:%M:%SZ}"


def at(day: int, hour: float) -> int:
    """Second since the start, of an hour on a day; the first day is 0."""
    return day * DAY + round(hour * HOUR)


@cache
def habits(agent: str, area: str, items: int, seed: int) -> list[int]:
    """Numbers of the targets in an area that an agent keeps coming back to."""
    return Random(f"{seed}/{agent}/{area}").sample(range(1000, 9999), items)


@cache
def zipf(items: int) -> list[float]:
    """Cumulative shares: the second target is used half as often as the first, and so on."""
    total = list(accumulate(1 / (i + 1) for i in range(items)))
    return [x / total[-1] for x in total]


def poisson(mean: float, random: Random) -> int:
    """How many, when so many come on average."""
    limit, product, number = math.exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        number += 1
    return number
