"""Ticks: only here baselines move, and only by what is a day old and nobody was alarmed by."""

from __future__ import annotations

import pytest

from detectors.core.ticks import AWAKE
from tests.support.streams import AGENT, DAY, HOUR, MINUTE, START, Listening, event, every


def settled(*names: str, **settings: object) -> Listening:
    """An agent with a reference of two days, and a day of everyday work after it."""
    heard = Listening(*(names or ("permission_creep",)), **settings)  # type: ignore[arg-type]
    heard.hear(*every(HOUR, 0, 3 * DAY))
    return heard


def learnt(heard: Listening) -> float:
    """Hits of the family `own` that became part of the baseline since the reference."""
    return float(heard.state.evidence[0]["hits"][heard.row()])


def work(heard: Listening, start: float, stop: float) -> None:
    heard.hear(*every(HOUR, start, stop))


def test_a_first_use_teaches_at_the_first_tick_a_day_later() -> None:
    heard = settled()
    heard.hear(event(3 * DAY, "tickets.close"))
    work(heard, 3 * DAY + HOUR, 4 * DAY)
    assert learnt(heard) == 0
    assert len(heard.state.pending[heard.row()]) == 1
    work(heard, 4 * DAY, 4 * DAY + 2 * HOUR)
    assert learnt(heard) == 1
    assert heard.row() not in heard.state.pending


def test_nothing_is_learnt_at_an_event() -> None:
    heard = settled()
    tick, row = float(heard.common.next_tick[heard.row()]) - START, heard.row()
    before = (heard.state.evidence[0][["hits", "q", "alpha", "beta", "n0"]][row].tolist())
    heard.hear(*(event(tick - 1, f"tool{i}") for i in range(20)))
    assert heard.state.evidence[0][["hits", "q", "alpha", "beta", "n0"]][row].tolist() == before


def test_an_alerted_agent_does_not_learn_and_what_it_did_never_teaches() -> None:
    heard = settled()
    heard.hear(event(3 * DAY, "tickets.close"))
    heard.common.level[heard.row()] = 1
    work(heard, 3 * DAY + HOUR, 5 * DAY)
    assert learnt(heard) == 0
    heard.common.level[heard.row()] = 0
    work(heard, 5 * DAY, 7 * DAY)
    assert learnt(heard) == 0
    assert heard.row() not in heard.state.pending, "it is dropped, not kept for ever"


def test_what_was_done_before_the_alert_and_not_learnt_yet_never_teaches_either() -> None:
    heard = settled()
    heard.hear(event(3 * DAY, "tickets.close"))
    work(heard, 3 * DAY + HOUR, 3 * DAY + 20 * HOUR)
    heard.common.level[heard.row()] = 1
    work(heard, 3 * DAY + 20 * HOUR, 3 * DAY + 22 * HOUR)
    heard.common.level[heard.row()] = 0
    work(heard, 3 * DAY + 22 * HOUR, 6 * DAY)
    assert learnt(heard) == 0


def test_a_contained_agent_teaches_nothing() -> None:
    heard = settled()
    heard.hear(event(3 * DAY, "tickets.close"))
    heard.common.contained[heard.row()] = True
    work(heard, 3 * DAY + HOUR, 5 * DAY)
    heard.common.contained[heard.row()] = False
    work(heard, 5 * DAY, 7 * DAY)
    assert learnt(heard) == 0


def test_what_was_denied_never_teaches() -> None:
    heard = settled()
    heard.hear(event(3 * DAY, "tickets.purge", outcome="denied"))
    work(heard, 3 * DAY + HOUR, 6 * DAY)
    assert learnt(heard) == 0
    assert heard.row() not in heard.state.pending


def suspected(heard: Listening) -> bool:
    return bool(heard.common.suspected[heard.row()])


def test_a_suspected_agent_waits_and_learns_when_the_suspicion_is_over() -> None:
    heard = settled(interesting=1e9)
    heard.hear(*(event(3 * DAY + i * 4 * HOUR, f"tool{i}", privileged=True) for i in range(3)))
    work(heard, 3 * DAY + 12 * HOUR, 4 * DAY + 12 * HOUR)
    assert heard.score(4 * DAY + 12 * HOUR).score >= 2.5
    assert suspected(heard)
    assert learnt(heard) == 0
    for day in range(5, 200):
        work(heard, day * DAY, day * DAY + HOUR)
        if learnt(heard):
            break
    assert not suspected(heard)
    assert learnt(heard) == 3
    assert day > 5


def test_opportunities_of_suspected_hours_do_not_teach() -> None:
    heard, calm = settled(interesting=1e9), settled(interesting=1e9)
    heard.hear(*(event(3 * DAY + i * 2 * HOUR, f"tool{i}", privileged=True) for i in range(5)))
    for each in (heard, calm):
        each.hear(*every(5 * MINUTE, 3 * DAY + 9 * HOUR, 4 * DAY + 2 * HOUR))
    taught = [float(e.state.evidence[0]["n"][e.row()] - e.state.evidence[0]["n0"][e.row()]) for e in (heard, calm)]
    assert suspected(heard)
    assert taught[0] < 30
    assert taught[1] > 150


def test_a_baseline_is_frozen_at_the_end_of_the_reference_and_once() -> None:
    heard = Listening("permission_creep", days=2.0)
    heard.hear(*every(HOUR, 0, 2 * DAY))
    assert heard.common.frozen_at[heard.row()] == 0
    heard.hear(*every(HOUR, 2 * DAY, 3 * DAY))
    at = float(heard.common.frozen_at[heard.row()])
    assert START + 2 * DAY <= at < START + 2 * DAY + HOUR
    heard.hear(*every(HOUR, 3 * DAY, 6 * DAY))
    assert heard.common.frozen_at[heard.row()] == at


@pytest.mark.parametrize("days", [1.0, 3.0])
def test_the_length_of_the_reference_is_a_setting(days: float) -> None:
    heard = Listening("permission_creep", days=days)
    heard.hear(*every(HOUR, 0, 4 * DAY))
    assert days * DAY <= float(heard.common.frozen_at[heard.row()]) - START < days * DAY + HOUR


def test_the_reference_counts_hits_of_its_last_two_thirds() -> None:
    """At the start everything is new: that says nothing about the rate at which new things come."""
    heard = Listening("permission_creep", days=3.0)
    first = [event(i * HOUR, f"early{i}") for i in range(20)]
    later = [event(DAY + (2 + i) * HOUR, f"late{i}" if i < 4 else "early9") for i in range(60)]
    heard.hear(*first, *later)
    e = heard.state.evidence[0][heard.row()]
    assert heard.common.frozen_at[heard.row()]
    assert e["alpha"] == pytest.approx(0.3 + 4)
    assert e["alpha"] + e["beta"] == pytest.approx(1500.3 + heard.common.n[heard.row()] - 20, abs=14)


def test_a_silent_agent_is_ticked_by_the_partitions_clock() -> None:
    heard = settled()
    heard.hear(event(3 * DAY, "tickets.close"))
    heard.hear(*every(HOUR, 3 * DAY, 5 * DAY, agent="crm/busy"))
    assert learnt(heard) == 1
    assert heard.common.clock[heard.row()] > START + 4 * DAY + 20 * HOUR


def test_a_silent_agent_sleeps_after_a_while_and_wakes_with_its_next_record() -> None:
    heard = settled()
    heard.wait(3 * DAY + AWAKE + 20 * DAY)
    asleep = float(heard.common.next_tick[heard.row()])
    assert asleep <= START + 3 * DAY + AWAKE + 2 * HOUR
    back = 3 * DAY + AWAKE + 30 * DAY
    heard.hear(event(back), event(back + 1))
    assert START + back < heard.common.next_tick[heard.row()] <= START + back + HOUR + 1


def test_ticks_come_once_an_hour_at_the_agents_own_phase() -> None:
    heard = Listening("permission_creep")
    heard.hear(*every(HOUR, 0, DAY), *every(HOUR, 0, DAY, agent="crm/other"))
    phases = []
    for agent in (AGENT, "crm/other"):
        row = heard.row(agent)
        phase = int(heard.common.identity[row]) % 3600
        assert float(heard.common.next_tick[row]) % 3600 == phase
        phases.append(phase)
    assert phases[0] != phases[1]


def test_timers_say_open_alerts_and_nobody_elses() -> None:
    heard = settled()
    heard.hear(*every(HOUR, 0, DAY, agent="crm/other"))
    heard.common.level[heard.row()] = 1
    said = heard.wait(3 * DAY + 3 * HOUR)
    assert {scored.agent for scored in said} == {AGENT}
    assert [scored.tick for scored in said] == [scored.clock for scored in said]
    assert all(scored.event is None and scored.offset is None and scored.cause == "decay" for scored in said)


def test_the_stored_score_is_the_viewed_one_at_a_tick() -> None:
    heard = settled(interesting=1e9)
    heard.hear(*(event(3 * DAY + i * 4 * HOUR, f"tool{i}", privileged=True) for i in range(3)))
    heard.wait(4 * DAY)
    row = heard.row()
    tick = float(heard.common.next_tick[row]) - HOUR - START
    stored = sum(w * v for w, v in zip(heard.state.weights, heard.state.value[row], strict=True))
    assert heard.score(tick).score == pytest.approx(float(stored), rel=1e-12)


def test_a_suspected_agent_contributes_nothing_to_its_peers() -> None:
    heard = settled(interesting=1e9)
    scope = heard.state.scopes["tool0"]
    heard.hear(*(event(3 * DAY + i * 4 * HOUR, f"tool{i}", privileged=True) for i in range(3)))
    work(heard, 3 * DAY + 12 * HOUR, 5 * DAY)
    assert (heard.state.role_of(heard.row()), scope) not in heard.state.cohorts.adopters
    calm = settled()
    calm.hear(event(3 * DAY, "tool0"))
    work(calm, 3 * DAY + HOUR, 5 * DAY)
    assert (calm.state.role_of(calm.row()), calm.state.scopes["tool0"]) in calm.state.cohorts.adopters
