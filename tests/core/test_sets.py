"""FirstSeen: an agent's memory is its own; nobody is displaced and a full one is said."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.core.sets import FirstSeen
from tests.support.streams import AGENT, DAY, HOUR, Listening, event, every

ANNA, BERT = 0xA11A, 0xBE27


def things(count: int, start: int = 1) -> np.ndarray:
    return np.arange(start, start + count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def met(seen: FirstSeen, identity: int, some: np.ndarray) -> int:
    return len(some) - len(seen.missing(np.full(len(some), identity, np.uint64), some))


def test_what_was_met_is_known_and_nothing_else() -> None:
    seen = FirstSeen(quota=8)
    assert seen.add(1, ANNA, 77)
    assert seen.has(ANNA, 77)
    assert not seen.has(ANNA, 78)
    assert not seen.has(BERT, 77), "what one agent met is new to another"


def test_missing_gives_indices_in_order_and_repeats() -> None:
    seen = FirstSeen(quota=8)
    seen.add(1, ANNA, 5)
    who = np.array([ANNA, ANNA, BERT, ANNA, ANNA], np.uint64)
    assert seen.missing(who, np.array([9, 5, 5, 9, 5], np.uint64)).tolist() == [0, 2, 3]


def test_a_full_quota_refuses_what_is_new_and_keeps_what_is_known() -> None:
    seen = FirstSeen(quota=3)
    assert [seen.add(1, ANNA, thing) for thing in (1, 2, 3)] == [True] * 3
    assert seen.full(1)
    assert not seen.add(1, ANNA, 4)
    assert seen.add(1, ANNA, 2), "meeting it again needs no room"
    assert seen.has(ANNA, 1)
    assert not seen.has(ANNA, 4)


def test_a_flood_of_one_agent_changes_nothing_for_another() -> None:
    seen = FirstSeen(quota=500)
    own = things(20)
    for thing in own.tolist():
        seen.add(2, BERT, thing)
    before = (seen.things_of(np.array([2]))[1].tolist(), int(seen.sizes[2]))
    for thing in things(5000, 1000).tolist():
        seen.add(1, ANNA, thing)
    assert seen.full(1)
    assert not seen.full(2)
    assert (seen.things_of(np.array([2]))[1].tolist(), int(seen.sizes[2])) == before
    assert met(seen, BERT, own) == 20
    assert met(seen, BERT, things(5000, 1000)) == 0
    assert seen.add(2, BERT, 42), "the flooded neighbour still learns"


def test_the_table_grows_and_forgets_nothing() -> None:
    seen = FirstSeen(quota=10_000, bits=4)
    many = things(3000)
    for thing in many.tolist():
        assert seen.add(1, ANNA, thing)
    assert met(seen, ANNA, many) == 3000
    assert seen.used == 3000
    assert seen.used * 5 <= len(seen.keys) * 3 + 5, "it never fills, so a search always ends"


def test_who_leaves_is_forgotten_and_nobody_else() -> None:
    seen = FirstSeen(quota=100)
    for thing in things(50).tolist():
        seen.add(1, ANNA, thing)
        seen.add(2, BERT, thing)
    seen.forget(np.array([1, 9999]))
    assert met(seen, ANNA, things(50)) == 0
    assert met(seen, BERT, things(50)) == 50
    assert seen.used == 50
    assert seen.sizes[1] == 0
    assert seen.add(1, ANNA, 1), "its quota is free again"


def test_things_are_told_by_owner_and_in_order() -> None:
    one, other = FirstSeen(quota=100), FirstSeen(quota=100)
    for thing in (3, 1, 2):
        one.add(4, ANNA, thing)
        one.add(2, BERT, thing)
    for thing in (2, 3, 1):
        other.add(2, BERT, thing)
        other.add(4, ANNA, thing)
    rows = np.array([2, 4])
    assert one.things_of(rows)[0].tolist() == [2, 2, 2, 4, 4, 4]
    assert one.things_of(rows)[1].tolist() == [1, 2, 3, 1, 2, 3] == other.things_of(rows)[1].tolist()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 40), st.booleans()), max_size=120))
def test_it_is_a_set_for_each_agent(moves: list[tuple[int, int, bool]]) -> None:
    seen, plain = FirstSeen(quota=12, bits=2), {1: set[int](), 2: set[int](), 3: set[int]()}
    for row, thing, leaves in moves:
        if leaves and thing == 1:
            seen.forget(np.array([row]))
            plain[row].clear()
            continue
        known = thing in plain[row]
        room = len(plain[row]) < 12
        assert seen.has(row * 1000, thing) == known
        assert seen.add(row, row * 1000, thing) == (known or room)
        if room:
            plain[row].add(thing)
    for row, held in plain.items():
        assert seen.things_of(np.array([row]))[1].tolist() == sorted(held)


def test_a_full_memory_makes_the_agent_blind_and_not_its_neighbour() -> None:
    """A bound that bites is said: the agent cannot be judged for first uses, which is no silence."""
    heard = Listening("permission_creep", things_max=4)
    heard.hear(*every(HOUR, 0, DAY), *every(HOUR, 0, DAY, agent="crm/bert"))
    heard.hear(*(event(DAY + i, f"tool{i}") for i in range(10)))
    assert heard.state.blind[heard.row(AGENT), 0] == 2
    assert heard.state.blind[heard.row("crm/bert"), 0] == 0


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 60), st.booleans()), max_size=300))
def test_what_is_removed_is_new_again_and_nothing_else_is_lost(steps: list[tuple[int, int, bool]]) -> None:
    seen, plain = FirstSeen(quota=1000, bits=7), set[tuple[int, int]]()
    for row, thing, removing in steps:
        if removing:
            seen.remove(row, row * 977, thing)
            plain.discard((row, thing))
        else:
            seen.add(row, row * 977, thing)
            plain.add((row, thing))
    for row in (1, 2, 3):
        assert {thing for thing in range(1, 61) if seen.has(row * 977, thing)} == {t for r, t in plain if r == row}
        assert seen.sizes[row] == len([t for r, t in plain if r == row])
