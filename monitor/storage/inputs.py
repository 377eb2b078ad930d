"""Inputs: durable and numbered before they are applied, and read back in that order.

Each partition numbers its inputs 1, 2, 3, ...; an input with `at_offset` applies before the record at that offset.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from detectors.core.inputs import CohortVersion, Delegation, Directed, Input, Receipt
from monitor.sources.base import Partition
from monitor.storage.errors import StorageError
from monitor.storage.tables import INPUT

_columns = INPUT.c
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Input] = msgspec.json.Decoder(Input)


class StoredInput(NamedTuple):
    """An input at its place."""

    seq: int
    at_offset: int
    input: Input


def key_of(one: Input) -> str | None:
    """What makes an input the same when it is appended again after a crash; None: every one is new."""
    match one:
        case Directed() if one.directive.id:
            return f"directive {one.directive.id}"
        case CohortVersion():
            return f"cohort {one.hour}"
        case Delegation():
            return f"delegation {one.source} {one.offset} {one.index}"
        case Receipt():
            return f"receipt {one.containment} {one.step} {one.outcome} {one.time!r}"
        case _:
            return None


def fresh(connection: Connection, partition: Partition, inputs: Sequence[Input]) -> list[Input]:
    """Those that the partition does not hold yet, each once."""
    keys = {key for one in inputs if (key := key_of(one)) is not None}
    known: set[str | None] = set()
    ordered = sorted(keys)
    for start in range(0, len(ordered), 500):  # databases bound the number of parameters
        held = sa.select(_columns.key).where(_is(partition), _columns.key.in_(ordered[start : start + 500]))
        known.update(connection.execute(held).scalars())
    found = []
    for one in inputs:
        key = key_of(one)
        if key is None or key not in known:
            found.append(one)
            known.add(key)
    return found


def insert(
    connection: Connection, partition: Partition, first: int, at_offset: int, inputs: Sequence[Input], now: float
) -> list[StoredInput]:
    """Write inputs down under the numbers from `first` on."""
    stored = [StoredInput(first + place, at_offset, one) for place, one in enumerate(inputs)]
    rows = [
        {
            "source": partition.source, "number": partition.number, "seq": seq, "at_offset": at_offset,
            "kind": one.__struct_config__.tag, "key": key_of(one), "body": encoded(one), "written_at": now,
        }
        for seq, _, one in stored
    ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(INPUT), rows)
    return stored


def read(connection: Connection, partition: Partition, from_offset: int, after_seq: int) -> list[StoredInput]:
    """Inputs from this offset and past this number on, in order."""
    wanted = (_is(partition), _columns.at_offset >= from_offset, _columns.seq > after_seq)
    rows = connection.execute(sa.select(INPUT).where(*wanted).order_by(_columns.seq))
    return [StoredInput(row.seq, row.at_offset, _decoded(row)) for row in rows]


def encoded(one: Input) -> bytes:
    """JSON that reads back as the same input. Raises ValueError for what does not (a number that is not finite)."""
    body = _encoder.encode(one)
    try:
        same = _decoder.decode(body) == one
    except msgspec.ValidationError:
        same = False
    if not same:
        raise ValueError(f"does not survive being written: {one}")
    return body


def _decoded(row: sa.Row[Any]) -> Input:
    try:
        return _decoder.decode(row.body)
    except msgspec.ValidationError as error:
        problem = f"Input {row.seq} ({row.kind}) of {row.source}/{row.number} cannot be read: {error}."
        raise StorageError(problem, "Run the release that wrote it, or a newer one.") from error


def _is(partition: Partition) -> sa.ColumnElement[bool]:
    return sa.and_(_columns.source == partition.source, _columns.number == partition.number)
