"""Records that could not be judged, with where they stood and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitor.formats.base import DeadLetter
from monitor.sources.base import Partition
from monitor.storage.tables import DEAD_LETTER
from monitor.storage.text import storable

_columns = DEAD_LETTER.c


class StoredDeadLetter(NamedTuple):
    """A dead letter, the partition it was in, and when it was written (epoch seconds)."""

    seq: int
    partition: Partition
    letter: DeadLetter
    written_at: float


def insert(connection: Connection, partition: Partition, dead: Iterable[DeadLetter], now: float) -> None:
    """Write dead letters down. What a bad record claims is cleaned, or it would be bad for the database too."""
    rows = [
        {
            "source": partition.source, "number": partition.number, "offset": letter.offset, "index": letter.index,
            "reason": storable(letter.reason), "agent": None if letter.agent is None else storable(letter.agent),
            "digest": letter.digest, "excerpt": letter.excerpt, "time": letter.time, "written_at": now,
        }
        for letter in dead
    ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(DEAD_LETTER), rows)


def newest(connection: Connection, limit: int, reason: str | None) -> list[StoredDeadLetter]:
    """The newest ones, newest first, of one reason or of all."""
    query = sa.select(DEAD_LETTER).order_by(_columns.seq.desc()).limit(limit)
    if reason is not None:
        query = query.where(_columns.reason == reason)
    names = DeadLetter._fields
    return [
        StoredDeadLetter(
            row["seq"],
            Partition(row["source"], row["number"]),
            DeadLetter(**{name: row[name] for name in names}),
            row["written_at"],
        )
        for row in connection.execute(query).mappings()
    ]


def counts(connection: Connection) -> dict[str, int]:
    """How many are kept, by reason."""
    query = sa.select(_columns.reason, sa.func.count()).group_by(_columns.reason).order_by(_columns.reason)
    return dict(connection.execute(query).all())
