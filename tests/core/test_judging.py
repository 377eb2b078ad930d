"""Judging: which first uses count, as what, and what is said of them."""

from __future__ import annotations

import pytest

from detectors.core import evidence
from detectors.core.inputs import Adoption, CohortVersion
from detectors.core.rules import ActionRule, Rules, RuleSet, Then, When
from detectors.core.scored import Scored
from tests.support.streams import AGENT, DAY, HOUR, MINUTE, START, Listening, event, every, records

NAMES = ("permission_creep", "target_novelty")


def settled(*names: str, **settings: object) -> Listening:
    """An agent with a reference of two and a half days of one permission on one target."""
    heard = Listening(*(names or NAMES), **settings)  # type: ignore[arg-type]
    heard.hear(*every(HOUR, 0, 2.5 * DAY, target="crm/tickets/1", scope="tickets:read"))
    assert heard.common.frozen_at[heard.row()] > 0
    return heard


def hits(heard: Listening, family: str, agent: str = AGENT) -> float:
    """Hits since the evidence last left rest."""
    detector = {"own": 0, "via": 0, "area": 1, "item": 1}[family]
    number = heard.state.numbers[detector, family]
    return float(heard.state.evidence[number]["seen"][heard.row(agent)])


def all_hits(heard: Listening) -> dict[str, float]:
    return {family: hits(heard, family) for family in ("own", "via", "area", "item")}


def test_what_was_met_in_the_reference_is_no_hit() -> None:
    heard = settled()
    heard.hear(*every(MINUTE, 3 * DAY, 3 * DAY + HOUR, target="crm/tickets/1", scope="tickets:read"))
    assert all_hits(heard) == {"own": 0, "via": 0, "area": 0, "item": 0}


def test_a_first_use_is_a_hit_once() -> None:
    heard = settled()
    heard.hear(*every(MINUTE, 3 * DAY, 3 * DAY + HOUR, target="crm/tickets/1", scope="tickets:close"))
    assert all_hits(heard) == {"own": 1, "via": 0, "area": 0, "item": 0}


@pytest.mark.parametrize(("target", "area", "item"), [
    ("crm/tickets/2", 0, 1),
    ("crm/customers/2", 1, 0),
    ("erp/orders/7/lines/3", 1, 0),
    ("crm/tickets/1/notes", 1, 0),
    ("vault", 0, 1),
])
def test_only_the_first_new_level_of_a_target_counts(target: str, area: float, item: float) -> None:
    heard = settled()
    heard.hear(event(3 * DAY, target=target, scope="tickets:read"))
    assert (hits(heard, "area"), hits(heard, "item")) == (area, item)


def test_what_lies_in_a_new_area_is_free_with_it_and_counts_later() -> None:
    heard = settled()
    heard.hear(event(3 * DAY, target="erp/orders/7", scope="tickets:read"))
    heard.hear(event(3 * DAY + 1, target="erp/orders/7", scope="tickets:read"))
    assert (hits(heard, "area"), hits(heard, "item")) == (1, 0)
    heard.hear(event(3 * DAY + 2, target="erp/orders/8", scope="tickets:read"))
    assert (hits(heard, "area"), hits(heard, "item")) == (1, 1)


def test_a_new_delegate_is_a_hit_and_a_permission_foreign_to_both_another() -> None:
    heard = settled()
    heard.hear(event(3 * DAY, agent="sub", scope="tickets:read", via=[AGENT]))
    assert heard.row("sub") == 0
    assert hits(heard, "via") == 1, "who is not known yet acts for its callers all the same"
    heard.hear(*(event(3 * DAY + i, agent="sub", scope="tickets:read", via=[AGENT]) for i in range(1, 6)))
    assert hits(heard, "via") == 1
    heard.hear(event(3 * DAY + 10, agent="sub", scope="vault:open", via=[AGENT]))
    assert hits(heard, "via") == 2
    heard.hear(event(3 * DAY + 11, agent="sub", scope="vault:open", via=[AGENT]))
    assert (hits(heard, "via"), hits(heard, "own")) == (2, 0)


def test_a_delegates_target_is_not_the_ancestors_first_use() -> None:
    heard = settled()
    heard.hear(*(event(3 * DAY + i, agent="sub", scope="tickets:read", target=f"x/{i}", via=[AGENT]) for i in range(9)))
    assert (hits(heard, "area"), hits(heard, "item")) == (0, 0)


def test_a_hit_weighs_by_the_classes_of_its_marks() -> None:
    plain, privileged = settled("permission_creep"), settled("permission_creep")
    plain.hear(event(3 * DAY, scope="tickets:close"))
    privileged.hear(event(3 * DAY, scope="tickets:close", privileged=True))
    ratio = privileged.score(3 * DAY).score / plain.score(3 * DAY).score
    assert ratio == pytest.approx((0.5 / 0.2) / (0.5 / 0.8), rel=0.01)


def peers_use(thing: str, count: int) -> Listening:
    """Three peers elsewhere are there, and so many of them use the thing."""
    heard = settled("permission_creep", cohorts_given=True)
    role, hour = heard.state.role_of(heard.row()), int((START + DAY) // HOUR)
    adoptions = [Adoption(role, 1, peer, peer) for peer in range(2, 5)]
    adoptions += [Adoption(role, heard.state.scopes[thing], peer, peer) for peer in range(2, 2 + count)]
    heard.engine.merge(CohortVersion(hour=hour, adoptions=tuple(adoptions)))
    return heard


def test_what_no_peer_knows_weighs_more_and_what_they_know_at_least_half() -> None:
    def score(heard: Listening) -> float:
        heard.hear(event(3 * DAY, scope="tickets:close"))
        return heard.score(3 * DAY).score

    alone = score(settled("permission_creep"))
    scores = [score(peers_use("tickets:close", count)) for count in range(4)]
    assert scores[0] > alone > scores[1] == scores[2] > scores[3] >= alone / 2


def test_an_explorer_is_not_surprised_by_a_further_find() -> None:
    heard = Listening(*NAMES)
    heard.hear(*(event(i * HOUR, target=f"web/{i}") for i in range(60)))
    heard.hear(event(3 * DAY, target="web/new"), event(3 * DAY + 1, target="web/newer"))
    assert hits(heard, "item") == 0
    assert heard.score(3 * DAY + 1).score < 1


def test_the_score_is_the_weighted_sum_of_all_families_and_the_gate_of_some() -> None:
    heard = settled()
    heard.hear(event(3 * DAY, scope="tickets:close", target="erp/a/b"))
    scored, row = heard.score(3 * DAY + HOUR), heard.row()
    values = {}
    for number, (_, family) in enumerate(heard.state.families):
        column = heard.state.evidence[number]
        values[family.name] = (family, evidence.view(column, row, START + 3 * DAY + HOUR, float(heard.common.n[row])))
    assert scored.score == pytest.approx(sum(family.weight * value for family, value in values.values()))
    assert scored.gate == pytest.approx(sum(family.weight * value for family, value in values.values() if family.gate))
    assert values["own"][1] > 1
    assert scored.gate < scored.score
    assert sum(scored.parts.values()) == pytest.approx(scored.score)


def test_reading_a_score_moves_nothing() -> None:
    heard = settled()
    heard.hear(event(3 * DAY, scope="tickets:close"))
    before = {number: column.tobytes() for number, column in heard.state.evidence.items()}
    value = heard.state.value.tobytes()
    heard.score(9 * DAY)
    assert heard.state.value.tobytes() == value
    assert {number: column.tobytes() for number, column in heard.state.evidence.items()} == before


def test_what_is_said_names_the_event_and_its_place() -> None:
    heard = settled(interesting=0.5)
    said = heard.hear(event(3 * DAY, scope="a"), event(3 * DAY + HOUR, scope="b", id="b1", version="2", target="x/y"))
    last = [scored for scored in said if scored.offset is not None][-1]
    assert (last.event, last.offset, last.index) == ("b1", heard.offset - 1, 0)
    assert (last.agent, last.role, last.version, last.target, last.cause) == (AGENT, "crm", "2", "x/y", "evidence")
    unnamed = next(s for s in said if s.offset == heard.offset - 2)
    assert unnamed.event == f"{heard.offset - 2}/0", "an event without an id is named by its place"


def test_nothing_is_said_while_the_score_cannot_be_interesting() -> None:
    assert settled(interesting=1e9).hear(event(3 * DAY, scope="tickets:close")) == []


def test_a_contained_agents_events_are_not_judged() -> None:
    heard = settled()
    heard.common.contained[heard.row()] = True
    assert heard.hear(*(event(3 * DAY + i, scope=f"s{i}", target=f"t{i}/x") for i in range(5))) == []
    assert all_hits(heard) == {"own": 0, "via": 0, "area": 0, "item": 0}


def test_a_blind_detector_has_no_part_and_the_others_judge_on() -> None:
    heard = settled()
    heard.state.blind[heard.row(), 0] = 2
    heard.hear(event(3 * DAY, scope="tickets:close", target="erp/a/b"))
    scored = heard.score(3 * DAY + HOUR)
    assert set(scored.parts) == {1}
    assert scored.gate == 0
    assert hits(heard, "area") == 1


def test_a_rule_decides_the_scope_and_what_people_read() -> None:
    """What an operator calls a permission is what counts, what is shown, and what a person then accepts."""
    rules = Rules(RuleSet(actions=(ActionRule(When(action="tickets.*"), Then(scope="crm:tickets")),
                                   ActionRule(When(action="vault.*"), Then(scope="vault:all", privileged=True)))))
    heard = Listening("permission_creep", rules=rules)
    heard.hear(*every(HOUR, 0, 2.5 * DAY))
    heard.hear(event(3 * DAY, "tickets.close"))
    assert hits(heard, "own") == 0
    heard.hear(event(3 * DAY + 1, "vault.read", scope="harmless"), event(3 * DAY + 2, "vault.write", scope="other"))
    assert hits(heard, "own") == 1
    said = heard.engine.explain(heard.score(3 * DAY + 3))["permission_creep"]
    assert "(vault:all)" in said.reason


def expected(heard: Listening, scored: Scored) -> float:
    told = heard.engine.explain(scored)["permission_creep"].expected
    assert told is not None
    return told


def test_what_was_to_be_expected_does_not_depend_on_how_the_log_was_cut() -> None:
    """At the event: not as of the end of some batch."""
    told = []
    for cut in (1, 400):
        heard = settled(*NAMES, interesting=0.01)
        stream = [event(3 * DAY, scope="a"), *every(1.0, 3 * DAY + 1, 3 * DAY + 200, scope="a", target="crm/tickets/1"),
                  event(3 * DAY + 300, scope="a", target="x/y")]
        for start in range(0, len(stream), cut):
            batch = stream[start : start + cut]
            said = heard.engine.step(records(batch, heard.offset))
            told += [expected(heard, scored) for scored in said if scored.target == "x/y"]
            heard.offset += len(batch)
    assert told[0] == told[1] > 0
