"""State to bytes and back: a part for each shard of agents, and one for what a partition has in common.

Everything follows from declarations: fields of dtypes by name, families and detectors by name, agents in the order of
their identities (so that equal states give equal bytes). Nothing is pickled. A detector of a newer version is given
its older memory to migrate; what has no name any more is left out, what is new starts at zero.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from detectors.core import guard
from detectors.core.agents import SHARDS, Who, key_of
from detectors.core.cohort import adoption_order
from detectors.core.columns import Array, Columns, Rows
from detectors.core.detector import Detector, Exemplar
from detectors.core.inputs import Adoption
from detectors.core.state import State, Waiting

COMMON = "partition"


class Field(msgspec.Struct, array_like=True):
    """One array: dtype, shape of an element, bytes."""

    kind: str
    shape: tuple[int, ...]
    content: bytes


Fields = dict[str, Field]


class Shard(msgspec.Struct):
    """Agents of one shard, in order of identity; all lists and arrays have one element for each."""

    who: list[tuple[str, str, str]]
    common: Fields
    value: dict[str, bytes]
    late_hits: dict[str, bytes]
    blind: dict[str, bytes]
    evidence: dict[str, Fields]
    memory: dict[str, tuple[int, Fields]]
    seen: list[bytes]
    pending: list[list[tuple[str, Waiting]]]
    exemplars: list[dict[str, list[Exemplar]]]


class Common(msgspec.Struct):
    """What the agents of a partition share."""

    clock: float
    hour: int
    counts: dict[str, int]
    newcomers: dict[str, list[float]]
    strangers: int
    version: int
    adopters: list[tuple[int, int, tuple[tuple[int, int, int], ...]]]
    contributions: list[Adoption]
    expected: dict[int, dict[int, float]]
    calendars: dict[int, list[str]]
    ahead: bool = False


def dump(state: State, *, everything: bool = False) -> dict[str, bytes]:
    """The common part, and the shards that changed since the last dump (all of them with `everything`)."""
    rows = state.agents.residents()
    shard = state.common.identity[rows] % np.uint64(SHARDS)
    wanted = range(SHARDS) if everything else sorted(state.dirty)
    parts = {COMMON: msgspec.msgpack.encode(_common(state))}
    for number in wanted:
        chosen = rows[shard == number]
        chosen = chosen[np.argsort(state.common.identity[chosen], kind="stable")]
        parts[f"shard-{number:02d}"] = msgspec.msgpack.encode(_shard(state, chosen))
    state.dirty.clear()
    return parts


def load(state: State, parts: dict[str, bytes]) -> None:
    """Put a dump back into a fresh state."""
    _load_common(state, msgspec.msgpack.decode(parts[COMMON], type=Common))
    for name in sorted(parts):
        if name.startswith("shard-"):
            _load_shard(state, msgspec.msgpack.decode(parts[name], type=Shard))
    state.dirty.clear()


def _common(state: State) -> Common:
    return Common(
        state.clock, state.hour, dict(sorted(state.counts.items())), dict(sorted(state.agents.newcomers.items())),
        state.agents.strangers, state.cohorts.version, state.cohorts.dump(), sorted(set(state.contributions), key=adoption_order),
        {role: dict(sorted(things.items())) for role, things in sorted(state.expected.items())},
        dict(sorted(state.calendars.items())), state.ahead,
    )


def _load_common(state: State, common: Common) -> None:
    state.clock, state.hour, state.ahead = common.clock, common.hour, common.ahead
    state.counts.update(common.counts)
    state.agents.newcomers.update(common.newcomers)
    state.agents.strangers = common.strangers
    state.cohorts.load(common.adopters, common.version)
    state.contributions = common.contributions
    state.expected, state.calendars = common.expected, common.calendars


# -- one shard


def _names(state: State) -> list[str]:
    return [f"{state.detectors[d].name}.{family.name}" for d, family in state.families]


def _shard(state: State, rows: Rows) -> Shard:
    names, order = _names(state), rows.tolist()
    owners, things = state.seen.things_of(rows)
    return Shard(
        who=[tuple(state.agents.who[row] or Who("", "", "")) for row in order],
        common=_fields(state.common, rows),
        value={name: state.value[rows, i].tobytes() for i, name in enumerate(names)},
        late_hits={name: state.late_hits[rows, i].tobytes() for i, name in enumerate(names)},
        blind={d.name: state.blind[rows, i].tobytes() for i, d in enumerate(state.detectors)},
        evidence={names[i]: _structured(column, rows) for i, column in state.evidence.items()},
        memory={d.name: (d.version, _fields(mine, rows)) for d, mine in zip(state.detectors, state.mine, strict=True)},
        seen=[things[owners == row].tobytes() for row in order],
        pending=[[(names[waiting.family], waiting) for waiting in state.pending.get(row, ())] for row in order],
        exemplars=[{names[i]: state.exemplars[row, i] for i in range(len(names)) if (row, i) in state.exemplars}
                   for row in order],
    )


def _fields(columns: Columns, rows: Rows) -> Fields:
    return {name: _field(getattr(columns, name)[rows]) for name in columns.names}


def _structured(column: Array, rows: Rows) -> Fields:
    chosen = column[rows]
    return {name: _field(chosen[name]) for name in column.dtype.names or ()}


def _field(array: Array) -> Field:
    return Field(array.dtype.str, array.shape[1:], np.ascontiguousarray(array).tobytes())


def _array(field: Field, rows: int) -> Array:
    return np.frombuffer(field.content, np.dtype(field.kind)).reshape(rows, *field.shape)


def _load_shard(state: State, shard: Shard) -> None:
    if not shard.who:
        return
    identity = _array(shard.common["identity"], len(shard.who))
    rows = np.array([_seat(state, Who(*who), int(own)) for who, own in zip(shard.who, identity, strict=True)])
    state.make_room()
    for name in set(state.common.names) & set(shard.common):
        getattr(state.common, name)[rows] = _array(shard.common[name], len(rows))
    for i, name in enumerate(_names(state)):
        state.value[rows, i] = _floats(shard.value, name, len(rows))
        state.late_hits[rows, i] = _floats(shard.late_hits, name, len(rows))
        column = state.evidence.get(i)
        for part, field in shard.evidence.get(name, {}).items():
            if column is not None and part in (column.dtype.names or ()):
                column[part][rows] = _array(field, len(rows))
    _load_detectors(state, shard, rows)
    _load_things(state, shard, rows.tolist())


def _seat(state: State, who: Who, identity: int) -> int:
    agents = state.agents
    key = key_of(who.tenant, who.agent)
    agents.newcomers[key] = [1, 0.0, 0.0]
    return agents.move_in(key, who, identity, 0)


def _floats(parts: dict[str, bytes], name: str, rows: int) -> Any:
    return np.frombuffer(parts[name], np.float64) if name in parts else np.zeros(rows)


def _load_detectors(state: State, shard: Shard, rows: Rows) -> None:
    state.common.listed[rows] = _listed(state, list(shard.blind), state.common.listed[rows])
    for d, (detector, mine) in enumerate(zip(state.detectors, state.mine, strict=True)):
        if detector.name in shard.blind:
            state.blind[rows, d] = np.frombuffer(shard.blind[detector.name], np.uint8)
        if detector.name not in shard.memory:
            guard.call(state, d, rows, detector.start, rows, state.common.clock[rows], mine)
            continue
        version, fields = shard.memory[detector.name]
        arrays = {name: _array(field, len(rows)) for name, field in fields.items()}
        if version != detector.version:
            arrays = _migrated(detector, version, arrays)
        for name in set(mine.names) & set(arrays):
            getattr(mine, name)[rows] = arrays[name]


def _listed(state: State, then: list[str], listed: Array) -> Array:
    """Detectors that open alerts name, one bit each: in the order of then, in the order of now."""
    now = np.zeros_like(listed)
    for d, detector in enumerate(state.detectors):
        if detector.name in then:
            now |= (listed >> np.uint32(then.index(detector.name)) & np.uint32(1)) << np.uint32(d)
    return now


def _migrated(detector: Detector, version: int, arrays: dict[str, Array]) -> dict[str, Array]:
    if version > detector.version:
        raise ValueError(f"the state of {detector.name} is of version {version}, newer than {detector.version}")
    return detector.migrate(version, arrays)


def _load_things(state: State, shard: Shard, rows: list[int]) -> None:
    numbers = {name: i for i, name in enumerate(_names(state))}
    for place, row in enumerate(rows):
        identity = int(state.common.identity[row])
        for thing in np.frombuffer(shard.seen[place], np.uint64).tolist():
            state.seen.add(row, identity, thing)
        for name, waiting in shard.pending[place]:
            if name in numbers:
                waiting.family = numbers[name]
                state.pending.setdefault(row, []).append(waiting)
        for name, exemplars in shard.exemplars[place].items():
            if name in numbers:
                state.exemplars[row, numbers[name]] = list(exemplars)
