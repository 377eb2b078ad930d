"""Memory is bounded by what is declared: ten times the stream, all of it new things, takes no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from detectors.core.conformance.case import Case, Failed, Listener, play
from detectors.core.detector import FULL
from detectors.core.event import Event
from detectors.core.records import Records
from detectors.core.state import EXEMPLARS_MAX, PENDING_MAX, State

THINGS_MAX, NEWCOMERS_MAX = 128, 200
EVENTS, TIMES = 1200, 10
DELEGATES = 5
#: of a dump: one thing that waits, one exemplar, names and framing of one agent, of one partition
WAITING_BYTES, EXEMPLAR_BYTES, NAMES_BYTES, PARTITION_BYTES = 150, 500, 4096, 1 << 16


def greedy(many: int, start: float = 1.7e9) -> Records:
    """One agent, and others that act for it, whose every event is of a new scope, target and id; and many passers-by."""
    records = Records()
    for k in range(many):
        fields: dict[str, Any] = {"agent": "greedy", "id": f"e{k}", "time": start + 60.0 * k, "scope": f"scope{k}",
                                  "target": f"area{k}/item{k}", "effect": "delete", "privileged": k % 2 == 0}
        if k % 5 == 3:
            fields |= {"agent": f"delegate{k % DELEGATES}", "via": ["greedy"]}
        if k % 5 == 4:
            fields |= {"agent": f"passer-by {k}"}
        event = msgspec.convert({"action": f"action{k}", **fields}, Event)
        records.events.append(event)
        records.contents.append(msgspec.json.encode(event))
        records.offsets.append(k)
        records.indexes.append(0)
        records.arrivals.append(fields["time"])
        records.times.append(fields["time"])
    return records


def bounded(case: Case) -> None:
    """State in memory and in a dump stays within what is declared, and a full memory is said."""
    settings = replace(case.settings, reference_days=0.4, things_max=THINGS_MAX, newcomers_max=NEWCOMERS_MAX)
    sizes = []
    for many in (EVENTS, EVENTS * TIMES):
        run = Listener([kind() for kind in case.kinds], settings)
        told = play(run, greedy(many), range(0, many, 500))
        state = run.engine.state
        _check_tables(state)
        sizes.append(sum(map(len, told.state.values())))
        limit = limit_of(state)
        if sizes[-1] > limit:
            raise Failed(f"{many} events: a dump of {sizes[-1]} bytes, declared are {limit}")
        _check_said(state)
    if sizes[1] > sizes[0] + PARTITION_BYTES:
        raise Failed(f"the state grows with the stream: {sizes[0]} bytes, then {sizes[1]}")


def limit_of(state: State) -> int:
    """Bytes of a dump of all agents, from the declarations."""
    declared = sum(state.bytes_per_agent().values()) + 8 * state.settings.things_max + NAMES_BYTES
    declared += PENDING_MAX * WAITING_BYTES + EXEMPLARS_MAX * len(state.families) * EXEMPLAR_BYTES
    return declared * len(state.agents) + PARTITION_BYTES


def _check_tables(state: State) -> None:
    rows = state.agents.residents().tolist()
    for row in rows:
        if state.seen.sizes[row : row + 1].sum() > state.settings.things_max:
            raise Failed("more things are remembered than the quota allows")
        if len(state.pending.get(row, ())) > PENDING_MAX:
            raise Failed("more things wait to be learnt than the bound allows")
    if any(len(kept) > EXEMPLARS_MAX for kept in state.exemplars.values()):
        raise Failed("more exemplars are kept than the bound allows")
    if len(state.agents.newcomers) > state.settings.newcomers_max:
        raise Failed("more newcomers are counted than the bound allows")


def _check_said(state: State) -> None:
    """A detector that asks the engine for first uses must say when an agent's memory of them is full."""
    row = state.agents["greedy"]
    for d, detector in enumerate(state.detectors):
        if any(family.hit for family in detector.families) and state.blind[row, d] != FULL:
            raise Failed(f"the memory is full, and {detector.name} does not say that it is blind")
