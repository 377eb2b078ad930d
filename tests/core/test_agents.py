"""Who is known: moving in with the fifth record, leaving by age, never under pressure."""

from __future__ import annotations

from detectors.core.agents import MOVE_IN, Agents, Who, key_of
from tests.support.streams import AGENT, DAY, HOUR, START, Listening, event, every, ordered


def full(rows: int = 100, newcomers: int = 100) -> Agents:
    return Agents(rows, newcomers)


def moved_in(agents: Agents, name: str, identity: int, clock: float = 1000.0) -> int:
    assert [agents.meet(name, clock) for _ in range(MOVE_IN)] == [False] * (MOVE_IN - 1) + [True]
    return agents.move_in(name, Who("", name, "crm"), identity, 7)


def test_an_agent_moves_in_with_its_fifth_record() -> None:
    heard = Listening("permission_creep")
    heard.hear(*every(HOUR, 0, 4 * HOUR))
    assert heard.row() == 0
    assert heard.state.agents.newcomers[AGENT] == [4, START, START + 3 * HOUR]
    heard.hear(event(4 * HOUR))
    row = heard.row()
    assert row > 0
    assert AGENT not in heard.state.agents.newcomers
    assert heard.common.n[row] == 5
    assert heard.common.first[row] == START, "its reference begins with its first record"
    assert heard.common.last[row] == START + 4 * HOUR


def test_tenants_keep_agents_of_one_name_apart() -> None:
    heard = Listening("permission_creep")
    heard.hear(*every(HOUR, 0, 5 * HOUR), *every(HOUR, 0, 5 * HOUR, tenant="acme"))
    agents = heard.state.agents
    assert agents[AGENT] != agents[key_of("acme", AGENT)]
    assert heard.common.role[agents[AGENT]] != heard.common.role[agents[key_of("acme", AGENT)]]


def test_attested_and_unattested_agents_are_two() -> None:
    one, other = Listening("permission_creep"), Listening("permission_creep", attested=False)
    for heard in (one, other):
        heard.hear(*every(HOUR, 0, 5 * HOUR))
    assert one.common.identity[one.row()] != other.common.identity[other.row()]


def test_newcomers_are_bounded_and_further_names_are_strangers() -> None:
    agents = full(newcomers=3)
    for name in "abc":
        assert not agents.meet(name, 1.0)
    assert not agents.meet("d", 1.0)
    assert "d" not in agents.newcomers
    assert agents.strangers == 1
    assert not agents.meet("a", 2.0)
    assert agents.newcomers["a"] == [2, 1.0, 2.0], "who is known goes on being counted"


def test_when_all_rows_are_taken_nobody_known_is_touched() -> None:
    agents = full(rows=2)
    rows = [moved_in(agents, name, identity) for identity, name in enumerate("ab", 1)]
    for _ in range(MOVE_IN):
        assert not agents.meet("c", 1.0)
    assert agents.strangers == 1
    assert [agents["a"], agents["b"], agents["c"]] == [*rows, 0]


def test_a_flood_of_names_displaces_nobody() -> None:
    heard = Listening("permission_creep", rows_max=3, newcomers_max=10)
    heard.hear(*every(HOUR, 0, DAY))
    before = (heard.row(), float(heard.common.n[heard.row()]))
    heard.hear(*(event(DAY, agent=f"flood/{i}") for i in range(200) for _ in range(6)))
    assert (heard.row(), float(heard.common.n[heard.row()])) == before
    assert len(heard.state.agents) == 3
    assert len(heard.state.agents.newcomers) <= 10
    assert heard.state.agents.strangers > 0


def test_a_row_is_reused_clean() -> None:
    agents = full()
    row = moved_in(agents, "a", 0xA)
    for name in agents.columns.names:
        getattr(agents.columns, name)[row] = 1
    agents.columns.identity[row] = 0xA
    agents.move_out(row)
    assert (agents["a"], agents.who[row], 0xA in agents.by_identity) == (0, None, False)
    again = moved_in(agents, "b", 0xB, clock=5000.0)
    assert again == row
    columns = agents.columns
    assert (columns.n[row], columns.clock[row], columns.level[row], columns.frozen_at[row]) == (4, 5000.0, 0, 0.0)
    assert not columns.ids[row].any()
    assert not columns.alert[row].any()
    assert columns.ahead[row] == columns.ratified_at[row] == 0.0


def test_moving_out_twice_frees_one_row() -> None:
    agents = full()
    row = moved_in(agents, "a", 0xA)
    agents.move_out(row)
    agents.move_out(row)
    assert agents.free == [row]


def test_residents_are_rows_in_use_in_order() -> None:
    agents = full()
    rows = [moved_in(agents, name, identity) for identity, name in enumerate("abcde", 1)]
    agents.move_out(rows[2])
    assert agents.residents().tolist() == sorted(set(rows) - {rows[2]})


def test_an_idle_agent_leaves_at_midnight_and_takes_all_its_memory_with_it() -> None:
    heard = Listening("permission_creep", idle_days_max=3.0)
    busy = every(HOUR, 0, 8 * DAY, agent="crm/busy")
    heard.hear(*ordered(every(HOUR, 0, DAY, "tickets.close"), busy))
    state = heard.state
    assert heard.row() == 0
    assert heard.row("crm/busy") > 0
    owners, _ = state.seen.things_of(state.agents.residents())
    assert set(owners.tolist()) == {heard.row("crm/busy")}
    assert state.seen.used == len(owners), "what it had met is forgotten"
    assert set(state.pending) <= {heard.row("crm/busy")}


def test_the_next_in_its_row_knows_nothing_of_it() -> None:
    heard = Listening("permission_creep", idle_days_max=3.0)
    busy = every(HOUR, 0, 8 * DAY, agent="crm/busy")
    heard.hear(*ordered(every(HOUR, 0, DAY, "tickets.close"), busy))
    free = list(heard.state.agents.free)
    heard.hear(*every(HOUR, 8 * DAY, 9 * DAY, agent="crm/new"))
    row = heard.row("crm/new")
    assert row in free
    assert heard.common.frozen_at[row] == 0
    assert all(column["q"][row] == 0 for column in heard.state.evidence.values())
    assert not heard.state.seen.has(int(heard.common.identity[row]), heard.state.scopes["tickets.close"])


def test_an_agent_with_an_open_alert_or_contained_stays() -> None:
    for field in ("level", "contained"):
        heard = Listening("permission_creep", idle_days_max=3.0)
        heard.hear(*every(HOUR, 0, DAY))
        getattr(heard.common, field)[heard.row()] = 1
        heard.hear(*every(HOUR, DAY, 8 * DAY, agent="crm/busy"))
        assert heard.row() > 0


def test_a_newcomer_that_stays_away_for_a_day_is_forgotten() -> None:
    heard = Listening("permission_creep")
    heard.hear(*every(HOUR, 0, 3 * HOUR), *every(HOUR, 3 * HOUR, 4 * DAY, agent="crm/busy"))
    assert AGENT not in heard.state.agents.newcomers


def test_who_left_is_a_newcomer_when_it_comes_back() -> None:
    heard = Listening("permission_creep", idle_days_max=3.0)
    heard.hear(*ordered(every(HOUR, 0, DAY), every(HOUR, 0, 8 * DAY, agent="crm/busy")))
    heard.hear(*every(HOUR, 8 * DAY, 8 * DAY + 5 * HOUR))
    assert heard.common.first[heard.row()] == START + 8 * DAY


def test_more_agents_than_the_tables_began_with_find_room() -> None:
    heard = Listening()
    heard.hear(*ordered(*(every(HOUR, i, 6 * HOUR + i, agent=f"crm/{i}") for i in range(150))))
    rows = [heard.row(f"crm/{i}") for i in range(150)]
    assert len(set(rows)) == 150
    assert (heard.common.n[rows] == 6).all()
    assert len(heard.state.value) == heard.common.rows >= 151
