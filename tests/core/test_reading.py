"""Records to entries: repeated ids, clocks, delegates, numbers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detectors.core.agents import WINDOW
from detectors.core.event import Event
from detectors.core.rules import IdentityRule, Rules, RuleSet
from tests.support.streams import AGENT, DAY, HOUR, START, Listening, event, every, records


def resident(*names: str, **settings: Any) -> Listening:
    """Five records of each name in the first hour, then it is known."""
    heard = Listening(**settings)
    heard.hear(*(event(i, agent=name) for i in range(5) for name in names or (AGENT,)))
    return heard


def counts(heard: Listening) -> tuple[int, int, int]:
    told = heard.state.counts
    return told["judged"], told["duplicates"], told["id_reuse"]


# -- repeated ids


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "several"])
def test_a_repeated_id_with_the_same_content_is_dropped_and_counted(together: bool) -> None:
    heard, same = resident(), event(HOUR, id="x1")
    stream = [same, event(HOUR + 1, id="x2"), same, same]
    if together:
        heard.hear(*stream)
    else:
        for one in stream:
            heard.hear(one)
    assert counts(heard) == (5 + 2, 2, 0)
    assert heard.common.n[heard.row()] == 7


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "several"])
def test_a_reused_id_with_other_content_is_judged_and_counted(together: bool) -> None:
    heard = resident()
    stream = [event(HOUR, id="x"), event(HOUR + 1, "tickets.purge", id="x"), event(HOUR, id="x")]
    if together:
        heard.hear(*stream)
    else:
        for one in stream:
            heard.hear(one)
    assert counts(heard) == (5 + 2, 1, 1), "the third has the content of the first"


def test_ids_of_other_agents_are_other_ids() -> None:
    heard = resident("crm/a", "crm/b")
    heard.hear(event(HOUR, agent="crm/a", id="x"), event(HOUR, agent="crm/b", id="x"))
    assert counts(heard) == (12, 0, 0)


def test_events_without_an_id_are_never_duplicates() -> None:
    heard, same = resident(), event(HOUR)
    heard.hear(same, same, same)
    assert counts(heard) == (8, 0, 0)


@pytest.mark.parametrize("batch", [1, 7, WINDOW, 500])
@pytest.mark.parametrize(("between", "found"), [(WINDOW - 1, True), (WINDOW, False)])
def test_an_id_is_remembered_over_a_window_of_the_agents_own_ids(between: int, found: bool, batch: int) -> None:
    """However the stream was cut: the window counts the agent's own records, nobody else's."""
    heard, first = resident(AGENT, "crm/loud"), event(HOUR, id="first")
    own = [first, *(event(HOUR + i, id=f"own{i}") for i in range(between)), first]
    stream = [e for i, one in enumerate(own) for e in (one, *(event(HOUR + i, agent="crm/loud", id=f"{i}/{k}")
                                                             for k in range(3)))]
    for start in range(0, len(stream), batch):
        heard.hear(*stream[start : start + batch])
    assert heard.state.counts["duplicates"] == found


# -- clocks


def clock(heard: Listening, agent: str = AGENT) -> float:
    return float(heard.common.clock[heard.row(agent)]) - START


def test_a_clock_never_goes_backwards() -> None:
    heard = resident()
    heard.hear(event(10 * HOUR), event(8 * HOUR), event(9 * HOUR))
    assert clock(heard) == 10 * HOUR
    heard.hear(event(9.5 * HOUR))
    assert clock(heard) == 10 * HOUR
    assert heard.common.read_clock[heard.row()] == START + 10 * HOUR, "nor does it for what is judged next"
    heard.hear(event(11 * HOUR))
    assert clock(heard) == 11 * HOUR


def test_each_agent_has_a_clock_of_its_own() -> None:
    heard = resident("crm/a", "crm/b")
    heard.hear(event(50 * HOUR, agent="crm/a"), event(2 * HOUR, agent="crm/b"))
    assert clock(heard, "crm/a") == 50 * HOUR
    assert clock(heard, "crm/b") == 2 * HOUR


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "several"])
def test_one_record_far_ahead_does_not_move_the_clock_and_a_second_one_does(together: bool) -> None:
    heard = resident()
    stream = [event(HOUR), event(60 * DAY), event(2 * HOUR)]
    if together:
        heard.hear(*stream)
    else:
        for one in stream:
            heard.hear(one)
    assert clock(heard) == 2 * HOUR
    assert heard.state.counts["far_ahead"] == 1
    assert heard.common.n[heard.row()] == 8, "it is judged all the same"
    heard.hear(event(60 * DAY + HOUR))
    assert clock(heard) == 60 * DAY + HOUR


def test_a_pause_of_a_month_needs_nobody_to_confirm_it() -> None:
    heard = resident()
    heard.hear(event(40 * DAY))
    assert clock(heard) == 40 * DAY


def test_a_first_record_of_long_ago_does_not_make_the_reference_long() -> None:
    heard = Listening()
    heard.hear(event(-9000 * DAY), *every(HOUR, 0, 12 * HOUR))
    assert heard.common.first[heard.row()] == START


@pytest.mark.parametrize("far", [0, 2, 4])
def test_one_record_far_ahead_among_the_first_does_not_set_the_clock(far: int) -> None:
    """A newcomer's clock is no more to be led astray than a resident's."""
    heard = Listening()
    heard.hear(*(event(400 * DAY if i == far else i * HOUR) for i in range(12)))
    assert clock(heard) == 11 * HOUR
    assert heard.common.first[heard.row()] - START <= 5 * HOUR


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "several"])
def test_the_partitions_clock_follows_a_pause_that_two_records_confirm(together: bool) -> None:
    heard = resident()
    stream = [event(5 * DAY), event(5 * DAY + 1)]
    if together:
        heard.hear(*stream)
    else:
        for one in stream:
            heard.hear(one)
    assert heard.state.clock == START + 5 * DAY + 1


def test_one_record_from_the_future_does_not_take_the_partition_there() -> None:
    heard = resident(AGENT, "crm/b")
    heard.hear(event(HOUR), event(4000 * DAY, agent="crm/b"), event(HOUR + 1))
    assert heard.state.clock == START + HOUR + 1


# -- delegates


def entries(heard: Listening, *events: Event) -> list[tuple[str, bool, float]]:
    """(agent, own, number of the action) of each entry that these events make."""
    batch = heard.engine._reader.read(records(events, 1000), 0, len(events))
    names = {row: key for key, row in heard.state.agents.items()}
    return [(names[row], bool(own), float(n))
            for row, own, n in zip(batch.row.tolist(), batch.own.tolist(), batch.n.tolist(), strict=True)]


def test_a_delegated_event_is_an_entry_of_each_ancestor() -> None:
    heard = resident("a", "b", "c")
    assert entries(heard, event(HOUR, agent="c", via=["a", "b"]), event(HOUR, agent="a")) == [
        ("c", True, 6.0), ("a", False, 5.0), ("b", False, 5.0), ("a", True, 6.0),
    ]


def test_an_agent_in_its_own_chain_is_no_ancestor_of_itself_and_counts_once() -> None:
    heard = resident("a", "b")
    assert entries(heard, event(HOUR, agent="b", via=["b", "a", "a", "b"])) == [("b", True, 6.0), ("a", False, 5.0)]


def test_an_ancestor_that_is_not_known_here_is_an_orphan() -> None:
    heard = resident("b")
    assert entries(heard, event(HOUR, agent="b", via=["elsewhere"])) == [("b", True, 6.0)]
    assert [(o.event, o.ancestor) for o in heard.engine.orphans()] == [(0, "elsewhere")]
    assert heard.engine.orphans() == []


def test_ancestors_are_of_the_same_tenant_and_by_their_stable_name() -> None:
    rules = Rules(RuleSet(identity=(IdentityRule(match=r"(?P<agent>.+)-[0-9a-f]{4}"),)))
    heard = resident("a-00aa", "b-00bb", rules=rules)
    assert entries(heard, event(HOUR, agent="b-12ab", via=["a-34cd"])) == [("b", True, 6.0), ("a", False, 5.0)]
    heard.hear(*(event(HOUR, agent="b", tenant="t") for _ in range(5)))
    assert [own for _, own, _ in entries(heard, event(HOUR, agent="b", tenant="t", via=["a"]))] == [True]


# -- numbers


def test_a_record_stands_for_as_many_actions_as_it_counts() -> None:
    heard = resident()
    assert entries(heard, event(HOUR, count=100), event(HOUR), event(HOUR, count=3)) == [
        (AGENT, True, 105.0), (AGENT, True, 106.0), (AGENT, True, 109.0),
    ]


def test_every_record_is_counted_whoever_it_is_from() -> None:
    heard = Listening()
    heard.hear(*every(HOUR, 0, 3 * HOUR), *every(HOUR, 0, 2 * HOUR, agent="x"))
    assert heard.state.counts["judged"] == 5


def test_contents_tell_a_repeated_id_from_a_reused_one_by_bytes() -> None:
    """Another order of the same fields is another content: what is compared is what was written."""
    heard = resident()
    given = records([event(HOUR, id="x"), event(HOUR, id="x")], 500)
    given.contents[1] = msgspec.json.encode(dict(reversed(msgspec.to_builtins(given.events[1]).items())))
    list(heard.engine.step(given))
    assert counts(heard)[1:] == (0, 1)
