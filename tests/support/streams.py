"""A few lines to tell what agents do: events from words, an engine or a pipeline that listens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from detectors import Detector, Engine, EngineSettings, Scored, discover
from detectors.core.event import Event
from detectors.core.inputs import AnyDirective, Directed
from detectors.core.records import Records
from detectors.core.rules import Rules
from monitor.alerts import Thresholds
from monitor.containment import ContainmentSettings, Ladder
from monitor.findings import Alert, Containment, Finding, Incident
from monitor.fleet import Fleet
from monitor.pipeline import Outcome, Pipeline

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
#: a Monday, 2026-03-02T00:00:00Z
START = 1_772_409_600.0
AGENT = "crm/anna"


def event(at: float, action: str = "tickets.read", agent: str = AGENT, **fields: Any) -> Event:
    """An event `at` seconds after the start of all streams."""
    return msgspec.convert({"agent": agent, "action": action, "time": START + at, **fields}, Event)


def records(events: Iterable[Event], first: int = 0, *, attested: bool = True) -> Records:
    """Events in log order, one a carrier, from this offset on; each one's time is its arrival."""
    events = list(events)
    times = [float(e.time or 0.0) for e in events]
    return Records(events, [msgspec.json.encode(e) for e in events], list(range(first, first + len(events))),
                   [0] * len(events), times, list(times), attested)


def every(seconds: float, start: float, stop: float, action: str = "tickets.read", agent: str = AGENT,
          **fields: Any) -> list[Event]:
    """The same action again and again, from `start` up to `stop`."""
    return [event(start + i * seconds, action, agent, **fields) for i in range(int((stop - start) // seconds))]


def ordered(*streams: Iterable[Event]) -> list[Event]:
    """Streams merged by time."""
    return sorted((e for stream in streams for e in stream), key=lambda e: float(e.time or 0.0))


def only(*names: str) -> list[Detector]:
    """These detectors of the package."""
    return [kind() for kind in discover() if kind.name in names]


class Listening:
    """An engine that is told things one after the other; all offsets follow on each other."""

    def __init__(self, *names: str, rules: Rules | None = None, detectors: list[Detector] | None = None,
                 days: float = 2.0, **settings: Any) -> None:
        self.engine = Engine(only(*names) if detectors is None else detectors, rules,
                             EngineSettings(reference_days=days, **settings))
        self.state = self.engine.state
        self.common = self.engine.state.common
        self.offset = 0

    def hear(self, *events: Event) -> list[Scored]:
        """Judge these events as one batch."""
        given = records(events, self.offset)
        self.offset += len(events)
        return list(self.engine.step(given))

    def row(self, agent: str = AGENT) -> int:
        """Row of an agent."""
        return self.state.agents[agent]

    def wait(self, at: float) -> list[Scored]:
        """Timers up to `at` seconds after the start."""
        return list(self.engine.finish(START + at))

    def score(self, at: float, agent: str = AGENT) -> Scored:
        """The fused evidence of an agent, read at this time."""
        row = self.row(agent)
        return self.engine.judge.score(row, START + at, float(self.common.n[row]))


class Talk:
    """A pipeline in conversation: events and directives in, findings out."""

    def __init__(self, *names: str, days: float = 2.0, thresholds: Thresholds | None = None, source: str = "file",
                 containment: ContainmentSettings | None = None, rules: Rules | None = None, **settings: Any) -> None:
        fleet = Fleet(Ladder(containment or ContainmentSettings()))
        engine = Engine(only(*names), rules, EngineSettings(reference_days=days, **settings))
        self.pipeline = Pipeline(source, engine, thresholds or Thresholds(), fleet)
        self.fleet, self.engine, self.common = fleet, engine, engine.state.common
        self.offset = 0
        self.outcomes: list[Outcome] = []

    def hear(self, *events: Event) -> list[Finding]:
        """What is said about these events, judged as one batch."""
        given = records(events, self.offset)
        self.offset += len(events)
        return self._kept(self.pipeline.read(given))

    def tell(self, directive: AnyDirective) -> list[Finding]:
        """What is said about this directive."""
        return self._kept(self.pipeline.apply(Directed(directive=directive), self.offset))

    def wait(self, at: float) -> list[Finding]:
        """What timers say up to `at` seconds after the start."""
        return self._kept(self.pipeline.finish(START + at))

    def _kept(self, outcome: Outcome) -> list[Finding]:
        self.outcomes.append(outcome)
        return outcome.findings

    def row(self, agent: str = AGENT) -> int:
        """Row of an agent."""
        return self.engine.state.agents[agent]


def alerts(findings: Iterable[Finding]) -> list[Alert]:
    """The alert lines alone."""
    return [f for f in findings if isinstance(f, Alert)]


def steps(findings: Iterable[Finding]) -> list[Containment]:
    """The containment lines alone."""
    return [f for f in findings if isinstance(f, Containment)]


def incidents(findings: Iterable[Finding]) -> list[Incident]:
    """The incident lines alone."""
    return [f for f in findings if isinstance(f, Incident)]
