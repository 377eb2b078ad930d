"""Who did what: append-only, each record's hash covers the one before it, so that no change in the middle goes unseen.

The chain stands inside the database: who can rewrite all of it can also rewrite the hashes. `head` is for writing down
elsewhere; `verify(head)` then also finds a chain that was rewritten or cut off since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitor.storage.decision import AuditEntry
from monitor.storage.tables import AUDIT, AUDIT_HEAD
from monitor.storage.text import storable

_columns = AUDIT.c


class AuditRecord(NamedTuple):
    """A record of the chain: its number from 1, epoch seconds, who, what, JSON, and its hash."""

    seq: int
    at: float
    who: str
    what: str
    body: bytes
    hash: str


class AuditHead(NamedTuple):
    """The newest record's number and hash: what to write down elsewhere."""

    seq: int
    hash: str


class AuditFault(NamedTuple):
    """The first record that is not what was written, and how it shows."""

    seq: int
    problem: str


def append(connection: Connection, entries: Iterable[AuditEntry], now: float) -> None:
    """Write records down at the end of the chain."""
    rows: list[dict[str, Any]] = []
    last = _head(connection, lock=True)
    seq, previous = last.seq, last.hash
    for who, what, body, at in entries:
        seq += 1
        row: dict[str, Any] = {
            "at": now if at is None else at,
            "who": storable(who),
            "what": storable(what),
            "body": body,
        }
        previous = _hash(previous, seq, **row)
        rows.append({"seq": seq, "hash": previous, **row})
    if rows:
        connection.execute(sa.insert(AUDIT), rows)
        connection.execute(sa.update(AUDIT_HEAD).values(seq=seq, hash=previous))


def head(connection: Connection) -> AuditHead:
    """The newest record's number and hash."""
    row = _head(connection)
    return AuditHead(row.seq, row.hash)


def verify(connection: Connection, anchor: AuditHead | None = None) -> AuditFault | None:
    """Follow the whole chain, past `anchor` when one was written down elsewhere; None when nothing is wrong."""
    last = _head(connection)
    seq, previous = last.base_seq, last.base_hash
    if anchor is not None and anchor.seq > last.seq:
        return AuditFault(last.seq + 1, "the chain is shorter than what was written down elsewhere")
    for row in connection.execute(sa.select(AUDIT).order_by(_columns.seq)):
        seq += 1
        if row.seq != seq:
            return AuditFault(seq, "the record is missing")
        previous = _hash(previous, seq, at=row.at, who=row.who, what=row.what, body=row.body)
        if row.hash != previous:
            return AuditFault(seq, "the record does not fit its hash")
        if anchor is not None and anchor.seq == seq and anchor.hash != previous:
            return AuditFault(seq, "the record is not the one that was written down elsewhere")
    if (seq, previous) != (last.seq, last.hash):
        return AuditFault(seq + 1, "the end of the chain is missing")
    return None


def newest(connection: Connection, limit: int) -> list[AuditRecord]:
    """The newest records, newest first."""
    return [
        AuditRecord(*row) for row in connection.execute(sa.select(AUDIT).order_by(_columns.seq.desc()).limit(limit))
    ]


def forget(connection: Connection, before: float) -> int:
    """Take away the oldest records, up to the first one that is not from before then; the rest can still be verified."""
    base = _head(connection, lock=True)
    kept = sa.select(sa.func.min(_columns.seq)).where(_columns.at >= before)
    first_kept = connection.execute(kept).scalar_one() or base.seq + 1
    last = connection.execute(sa.select(AUDIT).where(_columns.seq == first_kept - 1)).one_or_none()
    if last is None:
        return 0
    connection.execute(sa.update(AUDIT_HEAD).values(base_seq=last.seq, base_hash=last.hash))
    return connection.execute(sa.delete(AUDIT).where(_columns.seq <= last.seq)).rowcount


def _head(connection: Connection, *, lock: bool = False) -> sa.Row[Any]:
    query = sa.select(AUDIT_HEAD)
    return connection.execute(query.with_for_update() if lock else query).one()


def _hash(previous: str, seq: int, *, at: float, who: str, what: str, body: bytes) -> str:
    # an array of JSON strings and numbers: no two records have the same text
    text = msgspec.json.encode([previous, seq, at, who, what, body.decode()])
    return hashlib.sha256(text).hexdigest()
