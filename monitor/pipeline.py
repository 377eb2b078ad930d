"""Records and inputs to findings, for one partition. Pure: `driftd run` and `driftd replay` drive this very object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from detectors.core.agents import key_of
from detectors.core.engine import Engine
from detectors.core.event import decode
from detectors.core.family import Explanation
from detectors.core.inputs import (
    Arm,
    Change,
    CohortVersion,
    Contain,
    Delegation,
    Directed,
    Directive,
    Input,
    Ratify,
    Receipt,
    Resolve,
    Silence,
    Tick,
)
from detectors.core.reading import Orphan
from detectors.core.records import Records
from detectors.core.scored import Scored
from monitor import ids
from monitor.alerts import AlertBook, Decision, Thresholds, Why
from monitor.containment import RoleFacts, Subject
from monitor.directives import seconds_of
from monitor.findings import Alert, Containment, Finding, Incident
from monitor.fleet import Fleet
from monitor.incidents import Cause


@dataclass(slots=True)
class Said:
    """A finding, whether people are to be notified of it, and the position that decided it."""

    finding: Finding
    notify: bool = True
    offset: int = 0
    index: int = 0


@dataclass(slots=True)
class Outcome:
    """What a step led to, in the order of decisions."""

    said: list[Said] = field(default_factory=list)
    sealed: list[CohortVersion] = field(default_factory=list)
    orphans: list[Orphan] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        """The findings alone."""
        return [said.finding for said in self.said]


@dataclass(slots=True)
class _Heard:
    scored: Scored
    decision: Decision
    alert: str | None


class Pipeline:
    """Engine, alerts, incidents and containment of one partition."""

    def __init__(self, source: str, engine: Engine, thresholds: Thresholds, fleet: Fleet, *,
                 trusted_time: bool = True) -> None:
        self.engine, self.fleet, self.trusted_time = engine, fleet, trusted_time
        state = engine.state
        self.book = AlertBook(source, thresholds, [d.name for d in state.detectors], state.common,
                              attested=state.settings.attested)
        self.source = source
        #: named reasons of everything that was not said
        self.unsaid: Counter[str] = Counter()
        self._counted_at = -1

    # -- snapshots

    def dump(self, *, everything: bool = False) -> dict[str, bytes]:
        """State as parts; see Engine.dump."""
        return self.engine.dump(everything=everything) | {"fleet": self.fleet.dump()}

    def load(self, parts: dict[str, bytes]) -> None:
        """Put back what `dump` gave; decisions over agents as they were then."""
        self.engine.load({name: part for name, part in parts.items() if name != "fleet"})
        if "fleet" in parts:
            self.fleet.load(parts["fleet"])

    # -- records

    def read(self, records: Records, *, age_seconds: float = 0.0) -> Outcome:
        """Judge records in log order."""
        return self._gather(self.engine.step(records), age_seconds)

    def finish(self, clock: float) -> Outcome:
        """Timers up to this time, at the end of a replay."""
        return self._gather(self.engine.finish(clock), 0.0)

    def _gather(self, scores: Iterator[Scored], age_seconds: float) -> Outcome:
        heard = [self._hear(scored) for scored in scores]
        heard.sort(key=lambda h: (*h.scored.order, h.scored.tenant, h.scored.agent))
        outcome = Outcome()
        for one in heard:
            outcome.said += self._decide(one, age_seconds)
        outcome.sealed, self.engine.sealed = self.engine.sealed, []
        outcome.orphans = self.engine.orphans()
        return outcome

    def _hear(self, scored: Scored) -> _Heard:
        decision = self.book.decide(scored, self._explain)
        if decision.line is None:
            self.unsaid[decision.why.value] += 1
        return _Heard(scored, decision, decision.line.id if decision.line else self.book.alert_id(scored.row))

    def _explain(self, scored: Scored) -> dict[str, Explanation]:
        return self.engine.explain(scored)

    # -- what looks over agents

    def _decide(self, heard: _Heard, age_seconds: float) -> list[Said]:
        said: list[Said] = []
        scored, line = heard.scored, heard.decision.line
        place = scored.place
        if line is not None:
            incident = self._incident(line, scored) if line.state == "firing" else None
            joined = self.fleet.incidents.of_alert.get(line.id)
            if incident is not None:
                said.append(Said(incident, self._notify(incident, scored), *place))
            if joined is not None:
                line = msgspec.structs.replace(line, incident=joined)
                self.unsaid["incident"] += 1
            said.append(Said(line, joined is None and self._notify(line, scored), *place))
        if line is not None and line.state == "resolved":
            over = self.fleet.incidents.forget(line)
            if over is not None:
                said.append(Said(over, self._notify(over, scored), *place))
            said += [Said(step, True, *place) for step in self.fleet.ladder.alert_resolved(self._subject(scored, heard.alert, age_seconds))]
        elif heard.alert is not None:
            said += [Said(step, True, *place) for step in self.fleet.ladder.decide(self._subject(scored, heard.alert, age_seconds))]
        return said

    def _notify(self, line: Alert | Incident, scored: Scored) -> bool:
        muted = self.fleet.silences.mutes(line, scored.clock)
        if muted:
            self.unsaid["silenced"] += 1
        return not muted

    def _incident(self, line: Alert, scored: Scored) -> Incident | None:
        self._count()
        size = self.fleet.size(line.tenant, line.role).agents
        causes: list[tuple[Cause, str, int]] = []
        if scored.version is not None:
            causes.append(("version", f"{line.role} {scored.version}", size))
        if scored.target:
            causes.append(("target", scored.target.partition("/")[0], self.fleet.agents()))
        causes.append(("role", line.role, size))
        return self.fleet.incidents.note(line, scored.clock, causes)

    def _subject(self, scored: Scored, alert: str | None, age_seconds: float) -> Subject:
        common, row = self.engine.state.common, scored.row
        self._count()
        if scored.offset is not None and scored.index is not None:
            identity = ids.of_event("containment", scored.source or self.source, scored.offset, scored.index, scored.tenant, scored.agent)
        else:
            identity = ids.of_timer("containment", scored.tenant, scored.agent, scored.tick or scored.clock, "gate")
        frozen = float(common.frozen_at[row])
        return Subject(
            id=identity.hex(), time=scored.clock, event=scored.event, tenant=scored.tenant, agent=scored.agent,
            role=scored.role, attested=self.engine.state.settings.attested, gate_score=scored.gate, alert=alert,
            ratified=bool(common.ratified_at[row]), reference_days=(frozen - float(common.first[row])) / 86_400.0 if frozen else 0.0,
            age_seconds=age_seconds, role_size=self.fleet.size(scored.tenant, scored.role).agents,
            ratified_agents=self.fleet.ratified(), trusted_time=self.trusted_time,
        )

    def _count(self) -> None:
        """Sizes of roles, as of the last full hour: the same however the log was cut."""
        state = self.engine.state
        if state.hour != self._counted_at:
            self.fleet.count(self.source, self.engine)
            self._counted_at = state.hour

    # -- inputs

    def apply(self, given: Input, offset: int = 0, *, leads: bool = True) -> Outcome:
        """Apply one input before the record at `offset`. One partition leads: there the ladder is told, too."""
        if isinstance(given, CohortVersion):
            self.engine.merge(given)
        elif isinstance(given, Tick):
            return self._gather(self.engine.advance(given.time), 0.0)
        elif isinstance(given, Receipt):
            self.engine.directing.receipt(given)
            return Outcome([Said(step, True, offset) for step in self.fleet.ladder.receipt(given)])
        elif isinstance(given, Directed):
            return self._direct(given.directive, offset, leads=leads)
        elif isinstance(given, Delegation):
            return self._delegated(given)
        elif not isinstance(given, Change):
            raise TypeError(given)
        return Outcome()

    def _delegated(self, given: Delegation) -> Outcome:
        """A record of another partition in which agents of this one stand in `via`."""
        records = Records([decode(given.content)], [given.content], [given.offset], [given.index], [given.arrival],
                          [given.arrival], given.attested)
        return self._gather(_from(given.source, self.engine.delegated(records)), 0.0)

    def _direct(self, directive: Directive, offset: int, *, leads: bool) -> Outcome:
        time = seconds_of(directive.time)
        outcome = Outcome()
        if isinstance(directive, Silence):
            self.fleet.silences.add(directive)
            return outcome
        if isinstance(directive, Resolve):
            return self._resolve(directive, time, offset)
        for scored in self.engine.directing.apply(directive, time):  # type: ignore[arg-type]
            scored.place = (offset, 0)
            outcome.said += self._decide(self._hear(scored), 0.0)
        if leads:
            outcome.said += [Said(step, True, offset) for step in self._steps(directive, time)]
        return outcome

    def _steps(self, directive: Directive, time: float) -> list[Containment]:
        """What the ladder makes of a directive; to arm, or to contain, it has to know the role."""
        facts = None
        if isinstance(directive, Ratify):
            self._counted_at = -1
        if isinstance(directive, Arm | Contain):
            self._counted_at = -1
            self._count()
            facts = self.facts(directive.tenant, self._role_of(directive), time)
        return self.fleet.ladder.directive(directive, time, facts)

    def _role_of(self, directive: Arm | Contain) -> str:
        if isinstance(directive, Arm):
            return directive.role
        who = self.engine.state.agents.who[self.engine.state.agents[key_of(directive.tenant, directive.agent)]]
        return who.role if who is not None else ""

    def facts(self, tenant: str, role: str, time: float) -> RoleFacts:
        """What is known of a role when somebody asks to arm it."""
        state = self.engine.state
        calendar = state.roles[key_of(tenant, role)] in state.calendars
        return self.fleet.facts(tenant, role, time, attested=state.settings.attested, trusted_time=self.trusted_time,
                                calendar=calendar)

    def _resolve(self, directive: Resolve, time: float, offset: int) -> Outcome:
        state = self.engine.state
        for row in state.agents.residents().tolist():
            if self.book.alert_id(row) == directive.alert:
                self.engine.directing.restart(row, time)
                scored = self.engine.judge.score(row, time, float(state.common.n[row]), cause="resolved")
                scored.place = (offset, 0)
                line = self.book.close(scored, Why.RESOLVED, self._explain)
                return Outcome(self._decide(_Heard(scored, Decision(Why.RESOLVED, line), line.id), 0.0))
        self.unsaid["unknown_alert"] += 1
        return Outcome()


def _from(source: str, scores: Iterator[Scored]) -> Iterator[Scored]:
    """Scores whose deciding events stand in another source: ids are made of where an event stands."""
    for scored in scores:
        scored.source = source
        yield scored
