"""Incidents: several agents with one cause make one page."""

from __future__ import annotations

import msgspec
import pytest

from monitor.findings import Alert, Incident
from monitor.ids import of_incident
from monitor.incidents import Cause, Incidents

HOUR = 3600.0
ROLE: list[tuple[Cause, str, int]] = [("role", "crm", 10)]


def alert(number: int, level: str = "page", agent: str | None = None) -> Alert:
    return Alert(id=f"alert{number}", state="firing", time="2026-03-02T00:00:00.000Z", event=None,
                 agent=agent or f"crm/{number}", role="crm", level=level, why="opened", score=150.0)  # type: ignore[arg-type]


def noted(incidents: Incidents, numbers: range, clock: float = 0.0,
          causes: list[tuple[Cause, str, int]] | None = None) -> list[Incident | None]:
    return [incidents.note(alert(n), clock + n, ROLE if causes is None else causes) for n in numbers]


def test_three_agents_of_one_cause_make_an_incident() -> None:
    incidents = Incidents()
    first, second, third = noted(incidents, range(3))
    assert (first, second) == (None, None)
    assert third is not None
    assert (third.state, third.cause, third.name, third.level, third.agents_total) == ("firing", "role", "crm", "page", 3)
    assert third.agents == ("crm/0", "crm/1", "crm/2")
    assert third.id == of_incident("role", "crm", "alert0"), "named by its cause and its first alert"


def test_alerts_raised_before_it_formed_and_after_it_name_it() -> None:
    incidents = Incidents()
    *_, formed = noted(incidents, range(3))
    assert formed is not None
    assert noted(incidents, range(3, 5)) == [None, None], "one page"
    assert {incidents.of_alert.get(f"alert{n}") for n in range(5)} == {formed.id}


@pytest.mark.parametrize(("size", "needed"), [(3, 3), (60, 3), (61, 4), (100, 5), (1000, 50)])
def test_it_takes_three_agents_and_one_in_twenty(size: int, needed: int) -> None:
    incidents = Incidents()
    said = noted(incidents, range(needed), causes=[("version", "crm 2", size)])
    assert [line is not None for line in said] == [False] * (needed - 1) + [True]


def test_alerts_of_one_agent_are_one_agent() -> None:
    incidents = Incidents()
    assert [incidents.note(alert(n, agent="crm/same"), float(n), ROLE) for n in range(5)] == [None] * 5


def test_onsets_have_to_be_within_a_day() -> None:
    incidents = Incidents()
    assert [incidents.note(alert(n), n * 13 * HOUR, ROLE) for n in range(6)] == [None] * 6
    assert incidents.note(alert(6), 5 * 13 * HOUR, ROLE) is not None


def test_a_days_pause_makes_another_incident() -> None:
    incidents = Incidents()
    *_, one = noted(incidents, range(3))
    *_, other = noted(incidents, range(3, 6), clock=25 * HOUR)
    assert one is not None
    assert other is not None
    assert one.id != other.id
    assert other.agents == ("crm/3", "crm/4", "crm/5")


def test_while_it_goes_on_it_stays_one() -> None:
    incidents = Incidents()
    noted(incidents, range(3))
    for n in range(3, 5):
        assert incidents.note(alert(n), n * 6 * HOUR, ROLE) is None
    assert len(set(incidents.of_alert.values())) == 1


def test_it_says_again_when_its_level_rises_and_when_it_doubles() -> None:
    incidents = Incidents()
    noted(incidents, range(3))
    risen = incidents.note(alert(1, level="critical"), 10.0, ROLE)
    assert risen is not None
    assert (risen.state, risen.level, risen.agents_total) == ("firing", "critical", 3)
    said = noted(incidents, range(3, 6), clock=20.0)
    assert said[:2] == [None, None]
    assert said[2] is not None
    assert (said[2].state, said[2].agents_total) == ("updated", 6)


def test_at_most_twenty_names_are_listed() -> None:
    incidents = Incidents()
    *_, last = [line for line in noted(incidents, range(48)) if line is not None]
    assert (len(last.agents), last.agents_total) == (20, 48)


def test_the_most_specific_cause_is_named() -> None:
    incidents = Incidents()
    *_, formed = noted(incidents, range(3), causes=[("version", "crm 2", 10), ("target", "erp", 10), *ROLE])
    assert formed is not None
    assert (formed.cause, formed.name) == ("version", "crm 2")


def test_an_alert_belongs_to_one_incident() -> None:
    incidents = Incidents()
    *_, of_role = noted(incidents, range(3))
    assert of_role is not None
    for n in range(3):
        assert incidents.note(alert(n, level="critical"), 5.0, [("version", "crm 2", 10)]) is None
    assert {incidents.of_alert[f"alert{n}"] for n in range(3)} == {of_role.id}


def test_causes_of_tenants_are_apart() -> None:
    incidents = Incidents()
    lines = [incidents.note(msgspec.structs.replace(alert(n), tenant="ab"[n % 2]), float(n), ROLE) for n in range(4)]
    assert lines == [None] * 4
    fifth = incidents.note(msgspec.structs.replace(alert(4), tenant="a"), 5.0, ROLE)
    assert fifth is not None
    assert fifth.tenant == "a"


def test_a_resolved_alert_is_forgotten() -> None:
    incidents = Incidents()
    noted(incidents, range(3))
    assert incidents.forget(alert(1)) is None
    assert "alert1" not in incidents.of_alert


def test_an_incident_is_over_with_its_last_alert() -> None:
    incidents = Incidents()
    formed = noted(incidents, range(3))[-1]
    assert [incidents.forget(alert(n)) for n in (0, 2)] == [None, None]
    over = incidents.forget(alert(1))
    assert formed is not None
    assert over is not None
    assert (over.id, over.state, over.agents_total) == (formed.id, "resolved", 3)


def test_an_alert_that_rises_is_no_new_onset() -> None:
    incidents = Incidents()
    noted(incidents, range(2))
    assert incidents.note(alert(0, level="critical"), 23 * HOUR, ROLE) is None
    assert incidents.note(alert(5), 25 * HOUR, ROLE) is None, "the two others are more than a day old"


def test_a_dump_put_back_goes_on_where_it_was() -> None:
    incidents, other = Incidents(), Incidents()
    noted(incidents, range(2))
    other.load(incidents.dump())
    assert other.note(alert(2), 3.0, ROLE) == incidents.note(alert(2), 3.0, ROLE) is not None
    assert other.dump() == incidents.dump()
