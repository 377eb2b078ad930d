"""A partition's conversation: records and directives in, findings out, in the order of the log."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detectors.core.event import Event
from detectors.core.inputs import AnyDirective
from monitor.alerts import Thresholds
from monitor.findings import Alert, Containment, Finding, Incident
from monitor.ids import of_event, of_incident
from tests.support.streams import AGENT, DAY, HOUR, START, Talk, alerts, event, every, incidents, ordered, steps


def told(kind: str, at: float = 3 * DAY, **fields: Any) -> AnyDirective:
    directive: AnyDirective = msgspec.convert({"directive": kind, "time": START + at, "by": "eve", **fields}, AnyDirective)
    return directive


def talk(*agents: str, **settings: Any) -> Talk:
    """A pipeline whose agents have a reference of two days and a day after it."""
    started = Talk("permission_creep", **settings)
    started.hear(*ordered(*(every(HOUR, 0, 3 * DAY, agent=agent) for agent in agents or (AGENT,))))
    return started


def creep(at: float = 3 * DAY, agent: str = AGENT, number: int = 4, **fields: Any) -> list[Event]:
    """New privileged permissions, one every four hours: a page, and more."""
    return [event(at + i * 4 * HOUR, "act", agent, scope=f"{agent}:new{i}", privileged=True, id=f"{agent}:{i}", **fields)
            for i in range(number)]


def kinds(findings: list[Finding]) -> list[str]:
    return [f"{f.state} {f.level}" if isinstance(f, Alert) else f.step if isinstance(f, Containment) else "incident"
            for f in findings]


def test_a_containment_line_follows_the_alert_line_of_its_event() -> None:
    findings = talk().hear(*creep())
    for step in steps(findings):
        same = [f for f in findings if isinstance(f, Alert | Containment) and f.event == step.event]
        assert [type(f) for f in same] in ([Alert, Containment], [Containment])
    alert = alerts(findings)[0]
    assert kinds(findings)[0] == "firing " + alert.level
    assert steps(findings)
    assert {step.alert for step in steps(findings)} == {alert.id}
    assert [step.mode for step in steps(findings)] == ["observe"] * len(steps(findings))


def test_ids_are_of_the_deciding_event() -> None:
    started = talk()
    first = started.offset
    findings = started.hear(*creep())
    alert = alerts(findings)[0]
    at = int(str(alert.event).rpartition(":")[2])
    assert alert.id == of_event("alert", "file", first + at, 0, "", AGENT).hex()


def test_ids_do_not_depend_on_settings() -> None:
    """Lower thresholds decide at an earlier event or at the same one; at the same one the id is the same."""
    usual = alerts(talk().hear(*creep()))[0]
    tall = alerts(talk(thresholds=Thresholds(usual.score or 0, 1e5, 1e6)).hear(*creep()))[0]
    assert usual.event == tall.event
    assert (usual.id, usual.level) != (tall.id, tall.level)
    assert usual.id == tall.id


def test_in_observe_the_would_be_step_ends_with_the_alert() -> None:
    started = talk()
    said = started.hear(*creep())
    assert steps(said)[-1].step != "release"
    later = started.hear(*every(HOUR, 4 * DAY, 60 * DAY))
    assert kinds(later)[-2:] == ["resolved " + alerts(said)[-1].level, "release"]
    release = steps(later)[-1]
    assert release.time == alerts(later)[-1].time
    assert "its alert resolved" in release.reason
    again = started.hear(*creep(60 * DAY, agent=AGENT, number=4))
    assert alerts(again)[0].why == "opened", "what was alerted on teaches nothing until a person accepts it"


def test_findings_come_in_the_order_of_the_log() -> None:
    agents = [f"role{i}/a" for i in range(6)]
    started = talk(*agents)
    stream = ordered(*(creep(3 * DAY + i * 60, agent) for i, agent in enumerate(reversed(agents))))
    place = {e.id: n for n, e in enumerate(stream)}
    said = [f.event for f in started.hear(*stream) if isinstance(f, Alert | Containment) and f.event is not None]
    assert [place[name] for name in said] == sorted(place[name] for name in said)
    assert len({name.rpartition(":")[0] for name in said}) == 6
    places = [(s.offset, s.index) for s in started.outcomes[-1].said]
    assert places == sorted(places)


def test_a_resolve_directive_closes_the_alert_and_puts_its_evidence_to_rest() -> None:
    started = talk()
    alert = alerts(started.hear(*creep()))[0]
    said = started.tell(told("resolve", 4 * DAY, alert=alert.id))
    assert kinds(said) == ["resolved critical", "release"] or kinds(said) == ["resolved page", "release"]
    assert (alerts(said)[0].why, alerts(said)[0].id, alerts(said)[0].event) == ("resolved", alert.id, None)
    assert alerts(said)[0].score == 0
    assert started.tell(told("resolve", 4 * DAY, alert=alert.id)) == []
    assert started.pipeline.unsaid["unknown_alert"] == 1


def test_an_accepted_behaviour_resolves_the_alert_that_rests_on_it() -> None:
    started = talk()
    started.hear(*creep())
    scopes = [f"{AGENT}:new{i}" for i in range(4)]
    said = [f for scope in scopes for f in started.tell(told("accept", 4 * DAY, agent=AGENT, what={"scope": scope}))]
    assert [(a.state, a.why) for a in alerts(said)] == [("resolved", "accepted")]


def test_what_was_announced_raises_no_alert() -> None:
    started = talk()
    started.tell(told("release", role="crm", version="2", brings={"scopes": [f"{AGENT}:new{i}" for i in range(4)]}))
    assert started.hear(*creep()) == []


def test_a_silence_mutes_notification_and_no_line() -> None:
    started, plain = talk(), talk()
    started.tell(told("silence", match={"agent": AGENT}, until=START + 30 * DAY))
    lines = started.hear(*creep())
    assert lines == plain.hear(*creep())
    muted = [s.notify for s in started.outcomes[-1].said if isinstance(s.finding, Alert)]
    assert muted
    assert not any(muted)
    assert all(s.notify for s in plain.outcomes[-1].said)
    assert started.pipeline.unsaid["silenced"] == len(muted)


def test_three_agents_with_one_cause_page_once() -> None:
    agents = ["crm/a", "crm/b", "crm/c", "crm/d"]
    started = talk(*agents)
    started.hear(*ordered(*(creep(3 * DAY + i * 60, agent, version="2") for i, agent in enumerate(agents))))
    said = started.outcomes[-1].said
    lines = [s.finding for s in said]
    formed = incidents(lines)[0]
    first = alerts(lines)[0]
    assert (formed.cause, formed.name, formed.state) == ("version", "crm 2", "firing")
    assert formed.id == of_incident("version", "crm 2", first.id)
    at = lines.index(formed)
    assert all(a.incident is None for a in alerts(lines[:at]))
    assert all(a.incident == formed.id for a in alerts(lines[at:]))
    assert {a.agent for a in alerts(lines[at:])} >= {"crm/c", "crm/d"}
    assert not any(s.notify for s in said[at:] if isinstance(s.finding, Alert))
    assert [s.notify for s in said if isinstance(s.finding, Incident)] == [True] * len(incidents(lines))


def test_an_alert_keeps_to_its_incident_until_it_resolves() -> None:
    agents = ["crm/a", "crm/b", "crm/c"]
    started = talk(*agents)
    lines = started.hear(*ordered(*(creep(3 * DAY + i * 60, agent) for i, agent in enumerate(agents))))
    formed = incidents(lines)[0]
    later = started.hear(*ordered(*(every(HOUR, 5 * DAY, 60 * DAY, agent=agent) for agent in agents)))
    resolved = [a for a in alerts(later) if a.state == "resolved"]
    assert len(resolved) == 3
    assert {a.incident for a in resolved} == {formed.id}
    assert not started.fleet.incidents.of_alert


def test_a_person_contains_and_ends_it() -> None:
    started = talk()
    started.hear(*creep(number=2))
    said = started.tell(told("contain", 3 * DAY + 9 * HOUR, agent=AGENT, step="quarantine"))
    assert [(s.step, s.executes, s.event) for s in steps(said)] == [("quarantine", "quarantine", None)]
    assert started.hear(*creep(3 * DAY + 10 * HOUR, number=3, version="x")) == [], "frozen"
    assert [s.step for s in steps(started.tell(told("uncontain", 4 * DAY, agent=AGENT)))] == ["release"]


def test_a_person_alone_contains_and_evidence_waits_for_that() -> None:
    """An alert of a contained agent stays open, however long it takes."""
    started = talk()
    started.hear(*creep())
    started.tell(told("contain", 3 * DAY + 13 * HOUR, agent=AGENT, step="kill"))
    assert started.hear(*every(HOUR, 4 * DAY, 60 * DAY)) == []
    assert started.pipeline.book.alert_id(started.row()) is not None


@pytest.mark.parametrize("notice", [0.05, 10.0])
def test_what_is_not_said_is_counted_by_its_reason(notice: float) -> None:
    started = talk(thresholds=Thresholds(notice, 1e6, 1e7), interesting=0.02)
    started.hear(*creep(), *every(HOUR, 4 * DAY, 5 * DAY))
    assert started.pipeline.unsaid["below_notice"] > 0
    assert started.pipeline.unsaid["unchanged"] > 0


def test_a_snapshot_in_the_middle_of_an_incident_goes_on_as_if_nothing_was() -> None:
    agents = ["crm/a", "crm/b", "crm/c"]
    stream = ordered(*(creep(3 * DAY + i * 60, agent) for i, agent in enumerate(agents)))
    one, other, again = talk(*agents), talk(*agents), Talk("permission_creep")
    whole = one.hear(*stream)
    half = other.hear(*stream[:6])
    again.pipeline.load(other.pipeline.dump(everything=True))
    again.offset = other.offset
    assert half + again.hear(*stream[6:]) == whole
    assert incidents(whole)
