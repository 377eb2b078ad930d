"""State goes to bytes and back, into newer versions, and beside detectors that come and go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from detectors.core.columns import Array
from detectors.core.conformance.case import Case, Failed, play, whole
from detectors.core.conformance.witness import Witness
from detectors.core.detector import Detector
from detectors.core.snapshot import Fields, Shard

Memory = tuple[int, Fields]
_OLD = "of_old"


def round_trip(case: Case, seed: int) -> None:
    """A dump that is loaded dumps the same bytes."""
    parts = whole(case, seed).state
    _expect(_reloaded(case, parts), parts, "a dump that was loaded")


def migrates(case: Case, seed: int) -> None:
    """Memory of an older version comes through `migrate`, where a field was renamed."""
    kind = case.kinds[0]
    parts = whole(case, seed).state
    names = kind.memory.names or () if kind.memory is not None else ()
    if not names:
        return
    newer = type(f"Newer{kind.__name__}", (kind,),
                 {"version": kind.version + 1, "migrate": _Renames(kind.version, names[0])})
    older = _edited(parts, kind.name, lambda memory: (kind.version, {
        _OLD if name == names[0] else name: field for name, field in memory[1].items()}))
    today = _edited(parts, kind.name, lambda memory: (kind.version + 1, memory[1]))
    _expect(_reloaded(_instead(case, newer), older), today, "migrated memory")


class _Renames:
    """A `migrate` that gives a field the name that it has today."""

    def __init__(self, version: int, name: str) -> None:
        self.version, self.name = version, name

    def __call__(self, version: int, old: dict[str, Array]) -> dict[str, Array]:
        if version != self.version:
            raise Failed(f"migrate was told version {version} in place of {self.version}")
        return {self.name if name == _OLD else name: array for name, array in old.items()}


def lacks(case: Case, seed: int) -> None:
    """A field that an older dump lacks starts at zero, and the run goes on."""
    kind = case.kinds[0]
    parts = whole(case, seed).state
    short = _edited(parts, kind.name, lambda memory: (memory[0], dict(list(memory[1].items())[1:])))
    run = case.run()
    run.load(short)
    run.read(case.stream(seed).part(0, 50))


def refuses_newer(case: Case, seed: int) -> None:
    """State of a newer version is not guessed at."""
    kind = case.kinds[0]
    parts = whole(case, seed).state
    newer = _edited(parts, kind.name, lambda memory: (kind.version + 1, memory[1]))
    try:
        case.run().load(newer)
    except ValueError:
        return
    raise Failed("state of a newer version was loaded")


def added_and_removed(case: Case, seed: int) -> None:
    """A detector that comes between dump and load, and one that goes, leave the others' state as it is."""
    records = case.stream(seed)
    more = replace(case, kinds=(Witness, *case.kinds))
    few, many = whole(case, seed).state, play(more.run(), records).state
    name = case.kinds[0].name
    for parts, other, what in ((few, more, "added"), (many, case, "removed")):
        found = _reloaded(other, parts)
        if _part_of(found, name) != _part_of(parts, name):
            raise Failed(f"a detector was {what}, and the state of {name} is not what it was")
    run = more.run()
    run.load(few)
    run.read(records.part(0, 50))


def _reloaded(case: Case, parts: dict[str, bytes]) -> dict[str, bytes]:
    run = case.run()
    run.load(parts)
    return run.dump(everything=True)


def _instead(case: Case, kind: type[Detector]) -> Case:
    return replace(case, kinds=(kind, *case.kinds[1:]))


def _shards(parts: dict[str, bytes]) -> dict[str, Shard]:
    return {name: msgspec.msgpack.decode(part, type=Shard) for name, part in parts.items() if name.startswith("shard")}


def _edited(parts: dict[str, bytes], name: str, edit: Callable[[Memory], Memory]) -> dict[str, bytes]:
    edited = dict(parts)
    for part, shard in _shards(parts).items():
        shard.memory[name] = edit(shard.memory[name])
        edited[part] = msgspec.msgpack.encode(shard)
    return edited


def _part_of(parts: dict[str, bytes], name: str) -> list[Any]:
    """All that a dump holds of one detector, and the alerts' lists by name."""
    found: list[Any] = []
    for _, shard in sorted(_shards(parts).items()):
        mine = {key: value for table in (shard.value, shard.late_hits, shard.evidence) for key, value in table.items()
                if key.startswith(f"{name}.")}  # fmt: skip
        found.append((shard.who, shard.memory[name], shard.blind[name], sorted(mine), list(mine.values()), shard.seen))
    return found


def _expect(found: dict[str, bytes], expected: dict[str, bytes], what: str) -> None:
    differing = [name for name in sorted(set(found) | set(expected)) if found.get(name) != expected.get(name)]
    if differing:
        raise Failed(f"{what}: other bytes in {', '.join(differing)}")
