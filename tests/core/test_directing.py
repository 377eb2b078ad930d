"""What people tell the core: release, accept, ratify, contain, uncontain, and what receipts do."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detectors.core.inputs import AnyDirective, Receipt
from detectors.core.scored import Scored
from tests.support.streams import AGENT, DAY, HOUR, START, Listening, event, every, ordered


def directive(kind: str, **fields: Any) -> AnyDirective:
    told: AnyDirective = msgspec.convert({"directive": kind, "time": START, "by": "eve", **fields}, AnyDirective)
    return told


class Told(Listening):
    """An agent with a reference of two days and a day after it; people tell things."""

    def __init__(self, **settings: Any) -> None:
        super().__init__("permission_creep", "target_novelty", **settings)
        self.hear(*every(HOUR, 0, 3 * DAY, scope="tickets:read", target="crm/tickets/1"))

    def tell(self, at: float, kind: str, **fields: Any) -> list[Scored]:
        return list(self.engine.directing.apply(directive(kind, **fields), START + at))

    def receipt(self, at: float, step: str, outcome: str) -> None:
        fields = {"input": "receipt", "containment": "c", "time": START + at, "tenant": "", "agent": AGENT}
        self.engine.directing.receipt(msgspec.convert({**fields, "step": step, "outcome": outcome}, Receipt))

    def seen(self) -> dict[str, float]:
        """Hits since the evidence left rest, by family."""
        return {family.name: float(self.state.evidence[i]["seen"][self.row()])
                for i, (_, family) in enumerate(self.state.families)}


NOTHING = {"own": 0.0, "via": 0.0, "area": 0.0, "item": 0.0}


# -- release


def test_what_a_release_brings_is_no_surprise() -> None:
    told = Told()
    told.tell(3 * DAY, "release", role="crm", version="2", brings={
        "scopes": ["tickets:close"], "actions": ["mail.send"], "targets": ["erp/orders", "vault"]})
    told.hear(event(3 * DAY + 1, scope="tickets:close", target="crm/tickets/1"),
              event(3 * DAY + 2, "mail.send", target="crm/tickets/1"),
              event(3 * DAY + 3, scope="tickets:read", target="erp/orders/7"),
              event(3 * DAY + 4, scope="tickets:read", target="vault"))
    assert told.seen() == NOTHING


@pytest.mark.parametrize("targets", [["erp/orders/7", "erp/orders/8"], ["erp/orders/7/lines/1", "erp/orders/7/lines/2"]])
def test_an_announced_target_stands_for_all_below_it(targets: list[str]) -> None:
    told = Told()
    told.tell(3 * DAY, "release", role="crm", brings={"targets": ["erp/orders"]})
    told.hear(*(event(3 * DAY + i, scope="tickets:read", target=target) for i, target in enumerate(targets)))
    assert told.seen() == NOTHING


def test_what_a_release_does_not_bring_is_as_surprising_as_ever() -> None:
    told, plain = Told(), Told()
    told.tell(3 * DAY, "release", role="crm", brings={"scopes": ["tickets:close"], "targets": ["erp/orders"]})
    for each in (told, plain):
        each.hear(event(3 * DAY + 1, scope="tickets:purge", target="erp/bills/1"))
    assert told.seen() == plain.seen() == {"own": 1.0, "via": 0.0, "area": 1.0, "item": 0.0}
    assert told.score(4 * DAY).score == plain.score(4 * DAY).score


@pytest.mark.parametrize("fields", [{"role": "other"}, {"role": "crm", "tenant": "acme"}])
def test_a_release_is_of_its_role_and_tenant(fields: dict[str, str]) -> None:
    told = Told()
    told.tell(3 * DAY, "release", brings={"scopes": ["tickets:close"]}, **fields)
    told.hear(event(3 * DAY + 1, scope="tickets:close", target="crm/tickets/1"))
    assert told.seen()["own"] == 1


def test_a_release_brings_things_for_two_weeks() -> None:
    told = Told()
    told.tell(3 * DAY, "release", role="crm", brings={"scopes": ["early", "late"]})
    told.hear(event(17 * DAY, scope="early", target="crm/tickets/1"),
              event(17 * DAY + 1, scope="late", target="crm/tickets/1"))
    assert told.seen()["own"] == 1


# -- accept


def test_accept_puts_the_evidence_that_rests_on_it_to_rest() -> None:
    told = Told()
    told.hear(event(3 * DAY, scope="tickets:close", target="crm/tickets/1", privileged=True))
    before = told.score(3 * DAY + HOUR)
    said = told.tell(3 * DAY + HOUR, "accept", agent=AGENT, what={"scope": "tickets:close"})
    assert before.score > 1
    assert [(scored.cause, scored.agent) for scored in said] == [("accepted", AGENT)]
    assert said[0].score < 0.1
    assert not told.state.pending.get(told.row())


def test_accept_is_of_exactly_that() -> None:
    """Two new permissions, one accepted: the evidence of the other stands."""
    told = Told()
    told.hear(event(3 * DAY, scope="tickets:close", target="crm/tickets/1"),
              event(3 * DAY + HOUR, scope="tickets:purge", target="crm/tickets/1"))
    before = told.score(3 * DAY + 2 * HOUR)
    said = told.tell(3 * DAY + 2 * HOUR, "accept", agent=AGENT, what={"scope": "tickets:close"})
    assert said[0].score == before.score
    assert len(told.state.pending[told.row()]) == 1
    other = told.tell(3 * DAY + 2 * HOUR, "accept", agent=AGENT, what={"scope": "tickets:purge"})
    assert other[0].score < 0.1


def test_what_was_accepted_teaches_even_where_an_alert_spoiled_it() -> None:
    told = Told()
    told.hear(event(3 * DAY, scope="tickets:close", target="crm/tickets/1"))
    told.common.level[told.row()] = 1
    told.hear(*every(HOUR, 3 * DAY + HOUR, 3 * DAY + 5 * HOUR, scope="tickets:read", target="crm/tickets/1"))
    told.tell(3 * DAY + 5 * HOUR, "accept", agent=AGENT, what={"scope": "tickets:close"})
    assert told.state.evidence[0]["hits"][told.row()] == 1


@pytest.mark.parametrize(("what", "then"), [
    ({"scope": "tickets:close"}, {"scope": "tickets:close", "target": "crm/tickets/1"}),
    ({"action": "mail.send"}, {"action": "mail.send", "target": "crm/tickets/1"}),
    ({"target": "erp/bills/1"}, {"scope": "tickets:read", "target": "erp/bills/1"}),
])
def test_what_was_accepted_before_it_happened_is_met(what: dict[str, str], then: dict[str, str]) -> None:
    told = Told()
    told.tell(3 * DAY, "accept", agent=AGENT, what=what)
    told.hear(event(3 * DAY + 1, **then))
    assert told.seen()["own"] == told.seen()["item"] == 0


def test_accept_is_of_this_agent_alone() -> None:
    told = Told()
    told.hear(*every(HOUR, 0, 3 * DAY, agent="crm/bert", scope="tickets:read", target="crm/tickets/1"))
    told.tell(3 * DAY, "accept", agent="crm/bert", what={"scope": "tickets:close"})
    told.hear(event(3 * DAY, scope="tickets:close", target="crm/tickets/1"))
    assert told.seen()["own"] == 1
    assert told.tell(3 * DAY, "accept", agent="nobody", what={"scope": "x"}) == []


# -- ratify


def ratified(told: Listening, agent: str = AGENT) -> float:
    return float(told.common.ratified_at[told.row(agent)])


def test_a_person_ratifies_an_agent_or_all_of_a_role() -> None:
    told = Told()
    told.hear(*ordered(*(every(HOUR, 3 * DAY, 6 * DAY, agent=name) for name in ("crm/bert", "erp/carl"))))
    told.tell(6 * DAY, "ratify", agent="erp/carl")
    assert [ratified(told, name) for name in (AGENT, "crm/bert", "erp/carl")] == [0, 0, START + 6 * DAY]
    told.tell(7 * DAY, "ratify", role="crm")
    assert [ratified(told, name) - START for name in (AGENT, "crm/bert", "erp/carl")] == [7 * DAY, 7 * DAY, 6 * DAY]


def test_what_is_still_learning_cannot_be_ratified() -> None:
    told = Told()
    told.hear(*every(HOUR, 3 * DAY, 4 * DAY, agent="crm/new"))
    told.tell(4 * DAY, "ratify", role="crm")
    assert ratified(told, "crm/new") == 0
    assert ratified(told) > 0


def test_where_a_person_ratifies_peers_learn_from_ratified_agents_alone() -> None:
    told = Told(person_ratifies=True)
    key = (told.state.role_of(told.row()), told.state.scopes["tickets:read"])
    told.hear(*every(HOUR, 3 * DAY, 3 * DAY + 5 * HOUR, scope="tickets:read", target="crm/tickets/1"))
    assert key not in told.state.cohorts.adopters
    told.tell(3 * DAY + 5 * HOUR, "ratify", agent=AGENT)
    told.hear(*every(HOUR, 3 * DAY + 6 * HOUR, 3 * DAY + 9 * HOUR, scope="tickets:read", target="crm/tickets/1"))
    assert key in told.state.cohorts.adopters


# -- contain


def creeping(told: Told) -> float:
    """Three new privileged permissions; the score then."""
    for i in range(3):
        told.hear(event(3 * DAY + 4 * i * HOUR, scope=f"new{i}", target="crm/tickets/1", privileged=True))
    return told.score(3 * DAY + 8 * HOUR).score


def test_the_evidence_of_a_contained_agent_stands_as_it_is() -> None:
    """Neither further records nor silence move it: it neither grows nor decays."""
    told = Told(interesting=1e9)
    creeping(told)
    told.wait(3 * DAY + 9 * HOUR)
    before = told.score(3 * DAY + 9 * HOUR).score
    told.tell(3 * DAY + 9 * HOUR, "contain", agent=AGENT, step="quarantine")
    told.hear(*every(HOUR, 3 * DAY + 10 * HOUR, 5 * DAY, scope="other", target="x/y"))
    told.wait(40 * DAY)
    tick = float(told.common.next_tick[told.row()]) - HOUR - START
    assert tick > 39 * DAY
    assert told.score(tick).score == pytest.approx(before, rel=0.02)
    assert told.seen()["own"] == 3
    assert told.state.evidence[0]["hits"][told.row()] == 0


def test_every_kind_of_evidence_stands() -> None:
    told = Listening("blast_radius", "scale_spike")
    told.hear(*every(HOUR, 0, 4 * DAY), *(event(4 * DAY + i, "crm.delete", count=40) for i in range(30)))
    value = told.state.value[told.row()].copy()
    assert value.max() > 100
    list(told.engine.directing.apply(directive("contain", agent=AGENT, step="kill"), START + 4 * DAY + 30))
    told.wait(12 * DAY)
    assert told.state.value[told.row()].tolist() == value.tolist()


def test_uncontain_frees_and_begins_at_rest() -> None:
    told = Told()
    before = creeping(told)
    told.tell(3 * DAY + 9 * HOUR, "contain", agent=AGENT, step="kill")
    told.tell(3 * DAY + 20 * HOUR, "uncontain", agent=AGENT)
    assert before > 10
    assert told.score(3 * DAY + 20 * HOUR).score == 0
    told.hear(event(3 * DAY + 21 * HOUR, scope="again", target="crm/tickets/1", privileged=True))
    assert told.seen()["own"] == 1, "it is judged again"


@pytest.mark.parametrize(("step", "outcome", "held"), [
    ("quarantine", "confirmed", True), ("kill", "acted", True), ("kill", "failed", False), ("kill", "skipped", False),
    ("throttle", "confirmed", False), ("restrict", "acted", False),
])
def test_a_receipt_of_a_hard_step_that_was_done_freezes_the_evidence(step: str, outcome: str, held: bool) -> None:
    told = Told()
    told.receipt(3 * DAY, step, outcome)
    assert bool(told.common.contained[told.row()]) == held


@pytest.mark.parametrize(("step", "outcome"), [("release", "confirmed"), ("kill", "undone")])
def test_a_receipt_of_the_end_frees_it(step: str, outcome: str) -> None:
    told = Told()
    creeping(told)
    told.receipt(3 * DAY + 9 * HOUR, "kill", "confirmed")
    told.receipt(3 * DAY + 10 * HOUR, step, outcome)
    assert not told.common.contained[told.row()]
    assert told.score(3 * DAY + 10 * HOUR).score == 0


def test_a_throttle_that_was_taken_back_forgives_nothing() -> None:
    """Evidence is put to rest by people, not by a hook: what was never frozen goes on."""
    told = Told()
    before = creeping(told)
    told.receipt(3 * DAY + 8 * HOUR, "throttle", "confirmed")
    told.receipt(3 * DAY + 8 * HOUR, "throttle", "undone")
    assert told.score(3 * DAY + 8 * HOUR).score == before > 10


# -- snapshots


@pytest.mark.parametrize(("kind", "fields"), [
    ("accept", {"agent": AGENT, "what": {"scope": "new0"}}),
    ("ratify", {"agent": AGENT}),
    ("ratify", {"role": "crm"}),
    ("contain", {"agent": AGENT, "step": "kill"}),
    ("uncontain", {"agent": AGENT}),
    ("release", {"role": "crm", "brings": {"scopes": ["x"]}}),
])
def test_what_a_directive_changed_is_in_the_next_snapshot(kind: str, fields: dict[str, Any]) -> None:
    told = Told()
    creeping(told)
    told.common.contained[told.row()] = kind == "uncontain"
    whole = told.engine.dump(everything=True)
    told.tell(3 * DAY + 9 * HOUR, kind, **fields)
    changed = told.engine.dump()
    assert whole | changed == told.engine.dump(everything=True)
    assert whole | changed != whole


def test_who_left_is_not_in_the_next_snapshot() -> None:
    heard = Listening("permission_creep", idle_days_max=3.0)
    heard.hear(*ordered(every(HOUR, 0, DAY), every(HOUR, 0, 3 * DAY + 5 * HOUR, agent="crm/busy")))
    assert heard.row()
    parts = heard.engine.dump(everything=True)
    heard.hear(*every(HOUR, 3 * DAY + 5 * HOUR, 6 * DAY, agent="crm/busy"))
    assert not heard.row()
    assert parts | heard.engine.dump() == heard.engine.dump(everything=True)
