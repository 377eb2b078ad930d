"""What peers know: by the hour, two hours late, of others elsewhere, bounded."""

from __future__ import annotations

import pytest

from detectors.core import cohort
from detectors.core.cohort import DELAY, PEERS_MAX, PRESENT, Cohorts
from detectors.core.event import Event
from detectors.core.inputs import Adoption, CohortVersion
from tests.support.streams import DAY, HOUR, Listening, every, ordered

ROLE, THING, ANNA = 7, 99, 1


def version(hour: int, *adoptions: tuple[int, int], role: int = ROLE, thing: int = THING) -> CohortVersion:
    """Adoptions of one thing, as (agent, place)."""
    return CohortVersion(hour=hour, adoptions=tuple(Adoption(role, thing, agent, place) for agent, place in adoptions))


def cohorts(*versions: CohortVersion) -> Cohorts:
    known = Cohorts()
    for one in versions:
        known.merge(one)
    return known


def test_a_version_is_used_two_hours_later_and_not_before() -> None:
    known = cohorts(version(100, (2, 20), (3, 30)))
    assert [known.peers(ROLE, THING, ANNA, 10, hour) for hour in (99, 100, 101, 102, 103)] == [0, 0, 0, 2, 2]
    assert DELAY == 2


def test_each_agent_reads_it_as_of_its_own_clock() -> None:
    """One table answers for agents at different hours: a late one does not see what is in its future."""
    known = cohorts(version(100, (2, 20)), version(105, (3, 30)))
    assert known.peers(ROLE, THING, ANNA, 10, 106) == 1
    assert known.peers(ROLE, THING, ANNA, 10, 107) == 2
    assert known.peers(ROLE, THING, ANNA, 10, 106) == 1


def test_own_adoption_says_nothing() -> None:
    known = cohorts(version(100, (ANNA, 10)))
    assert known.peers(ROLE, THING, ANNA, 11, 200) == 0


def test_agents_of_one_place_are_one_peer_and_those_at_home_are_none() -> None:
    known = cohorts(version(100, (2, 20), (3, 20), (4, 10)))
    assert known.peers(ROLE, THING, ANNA, 10, 200) == 1


def test_many_of_one_place_hide_no_peer_elsewhere() -> None:
    """The bound is on what can be told apart: a host full of agents must not fill it before others come."""
    crowd = [(agent, 20) for agent in range(2, 2 + 3 * PEERS_MAX)]
    known = cohorts(version(100, *crowd), version(101, (50, 50), (51, 51)))
    assert known.peers(ROLE, THING, ANNA, 10, 200) == 3


def test_other_roles_and_things_are_apart() -> None:
    known = cohorts(version(100, (2, 20)))
    assert known.peers(ROLE + 1, THING, ANNA, 10, 200) == 0
    assert known.peers(ROLE, THING + 1, ANNA, 10, 200) == 0


def test_merging_again_or_an_older_version_changes_nothing() -> None:
    known = cohorts(version(100, (2, 20)))
    before = known.dump()
    known.merge(version(100, (2, 20), (3, 30)))
    known.merge(version(99, (4, 40)))
    assert known.dump() == before


def test_more_than_three_peers_say_nothing_more() -> None:
    known = cohorts(version(100, *((agent, agent * 10) for agent in range(2, 40))))
    assert known.peers(ROLE, THING, ANNA, 10, 200) == 3
    assert len(known.adopters[ROLE, THING]) == PEERS_MAX


def test_things_of_a_role_are_bounded_and_what_is_refused_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort, "THINGS_MAX", 3)
    known = Cohorts()
    for thing in range(5):
        known.merge(version(thing, (2, 20), thing=thing))
    known.merge(version(9, (2, 20), role=ROLE + 1))
    assert known.refused == 2
    assert known.peers(ROLE, 0, ANNA, 10, 200) == 1, "what is known stays known"
    assert known.peers(ROLE, 4, ANNA, 10, 200) == 0
    assert known.peers(ROLE + 1, THING, ANNA, 10, 200) == 1, "one role's flood takes nothing from another"


def test_a_dump_put_back_answers_the_same() -> None:
    known, other = cohorts(version(100, (2, 20), (3, 30)), version(101, (2, 20), thing=5)), Cohorts()
    other.load(known.dump(), known.version)
    assert other.dump() == known.dump()
    assert other.things == known.things
    other.merge(version(101, (9, 90)))
    assert other.dump() == known.dump()


def told(heard: Listening, agent: str, thing: str, hour: int) -> int | None:
    """What an agent may know of its peers' use of a permission in this hour."""
    row = heard.row(agent)
    return heard.state.peers(row, heard.state.scopes[thing], int(heard.common.place[row]), hour)


def crew(names: str, **fields: str) -> list[Event]:
    """Agents of one role at the same work, each on a host of its own if none is told."""
    return ordered(*(every(HOUR, 0, 2.5 * DAY, agent=f"crm/{name}", **{"host": name, **fields}) for name in names))


def test_with_fewer_than_three_peers_nothing_is_concluded() -> None:
    heard = Listening("permission_creep")
    heard.hear(*crew("abc"))
    assert told(heard, "crm/a", "tickets.read", 10**6) is None


def test_an_agent_contributes_what_it_knows_when_its_reference_is_taken() -> None:
    heard = Listening("permission_creep")
    heard.hear(*crew("abcd"))
    frozen = int(max(heard.common.frozen_at[heard.row(f"crm/{name}")] for name in "abcd") // HOUR)
    assert [told(heard, "crm/a", "tickets.read", frozen + later) for later in (0, 4)] == [None, 2]
    assert told(heard, "crm/a", "tickets.purge", frozen + 4) == 0
    assert (heard.state.role_of(heard.row("crm/a")), PRESENT) in heard.state.cohorts.adopters


def test_places_are_where_and_for_whom_an_agent_acts() -> None:
    """Four agents on one host for one person are one peer, and that is too few."""
    heard = Listening("permission_creep")
    heard.hear(*crew("abcd", host="h", principal="p"))
    assert told(heard, "crm/a", "tickets.read", 10**6) is None
