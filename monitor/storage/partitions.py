"""Who may write for a partition, and how far it has come."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitor.sources.base import Partition
from monitor.storage.decision import Claim, Decision, Position
from monitor.storage.errors import Fenced
from monitor.storage.tables import PARTITION

_columns = PARTITION.c


def claim(connection: Connection, partition: Partition, owner: str, now: float) -> Claim:
    """Take the partition: the epoch grows by one, and every older claim is void."""
    row = connection.execute(sa.select(PARTITION).where(_is(partition)).with_for_update()).one_or_none()
    if row is None:
        connection.execute(
            sa.insert(PARTITION).values(
                source=partition.source, number=partition.number, epoch=1, owner=owner, heartbeat_at=now,
                input_seq=0, input_offset=0,
            )
        )  # fmt: skip
        return Claim(partition, 1, None, None)
    taken = sa.update(PARTITION).where(_is(partition))
    connection.execute(taken.values(epoch=row.epoch + 1, owner=owner, heartbeat_at=now))
    return Claim(partition, row.epoch + 1, cut(row, "next"), cut(row, "decided"))


def advance(connection: Connection, held: Claim, decision: Decision, now: float) -> Position:
    """Move the positions on if the claim still holds and nobody moved them; returns the new `decided_to`.

    Raises Fenced otherwise, ValueError when a position would go back.
    """
    after = decision.position_after
    decided = after if decision.decided_to is None else decision.decided_to
    if after < (held.position or after) or decided < (held.decided_to or decided) or decided > after:
        raise ValueError(f"positions only grow: {held} to {after}, decided to {decided}")
    known = [
        column.is_not_distinct_from(part) for column, part in zip(_next_columns(), parts(held.position), strict=True)
    ]
    moved = connection.execute(
        sa.update(PARTITION)
        .where(_is(held.partition), _columns.epoch == held.epoch, *known)
        .values(heartbeat_at=now, **named("next", after), **named("decided", decided))
    )
    if moved.rowcount != 1:
        raise fenced(held)
    return decided


def beat(connection: Connection, held: Claim, now: float) -> None:
    """Say that the owner lives. Raises Fenced when the claim is old."""
    mine = sa.update(PARTITION).where(_is(held.partition), _columns.epoch == held.epoch)
    if connection.execute(mine.values(heartbeat_at=now)).rowcount != 1:
        raise fenced(held)


def take_numbers(connection: Connection, held: Claim, at_offset: int, count: int) -> int:
    """Reserve `count` input numbers, of which the first is returned. Raises Fenced; ValueError for a past offset."""
    mine = (_is(held.partition), _columns.epoch == held.epoch)
    row = connection.execute(sa.select(PARTITION).where(*mine).with_for_update()).one_or_none()
    if row is None:
        raise fenced(held)
    if at_offset < max(row.input_offset, row.next_offset or 0):
        raise ValueError(f"an input at {at_offset}, but {row.next_offset} was committed and {row.input_offset} written")
    numbers = {"input_seq": row.input_seq + count, "input_offset": at_offset}
    connection.execute(sa.update(PARTITION).where(*mine).values(**numbers))
    return int(row.input_seq) + 1


def positions(connection: Connection) -> dict[Partition, Position]:
    """Where reading goes on, for every partition that was read before."""
    rows = connection.execute(sa.select(PARTITION).where(_columns.next_offset.is_not(None)))
    return {Partition(row.source, row.number): Position(row.next_offset, row.next_index, row.next_seq) for row in rows}


def cut(row: sa.Row[Any], prefix: str) -> Position | None:
    """The position in the columns with this prefix."""
    offset = getattr(row, f"{prefix}_offset")
    return None if offset is None else Position(offset, getattr(row, f"{prefix}_index"), getattr(row, f"{prefix}_seq"))


def named(prefix: str, position: Position | None) -> dict[str, int | None]:
    """The columns with this prefix for a position."""
    return {f"{prefix}_{name}": part for name, part in zip(("offset", "index", "seq"), parts(position), strict=True)}


def parts(position: Position | None) -> tuple[int | None, int | None, int | None]:
    """Offset, index and seq."""
    return (None, None, None) if position is None else astuple(position)


def fenced(held: Claim) -> Fenced:
    """The error for a claim that does not hold."""
    source, number = held.partition
    return Fenced(f"Epoch {held.epoch} of {source}/{number} at {held.position} is void.", "Claim the partition again.")


def _is(partition: Partition) -> sa.ColumnElement[bool]:
    return sa.and_(_columns.source == partition.source, _columns.number == partition.number)


def _next_columns() -> list[sa.Column[Any]]:
    return [_columns.next_offset, _columns.next_index, _columns.next_seq]
