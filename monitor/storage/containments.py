"""What became of each containment: from its lines, and from the receipts of the hooks.

A containment is active until `ended_at` is set. Status: `decided`, then what the newest receipt said (`acted`,
`confirmed`, `failed`), at last `released` or `skipped`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from detectors.core.inputs import Receipt
from monitor.findings import Alert, Containment, Incident, encode
from monitor.storage.tables import CONTAINMENT, RECEIPT

_columns = CONTAINMENT.c
_receipts = msgspec.json.Decoder(Receipt)
_line = msgspec.json.Decoder(Containment)


class ContainmentState(NamedTuple):
    """A containment line and what became of it; `ended_at` is None while it is active (epoch seconds)."""

    line: Containment
    status: str
    written_at: float
    ended_at: float | None
    receipts: tuple[Receipt, ...] = ()


def follow(
    connection: Connection, findings: Iterable[tuple[str, int, Alert | Containment | Incident]], now: float
) -> None:
    """Open and end containments as the lines say, in their order."""
    for _, _, said in findings:
        if not isinstance(said, Containment):
            continue
        if said.step == "release":
            _release(connection, said, now)
        else:
            connection.execute(sa.insert(CONTAINMENT).values(**_row(said, now)))


def receive(connection: Connection, receipts: Iterable[Receipt], now: float) -> None:
    """Write down the receipts and what they say about their containments."""
    for receipt in receipts:
        body = msgspec.json.encode(receipt)
        connection.execute(sa.insert(RECEIPT).values(containment=receipt.containment, written_at=now, body=body))
        change = _change(receipt, now)
        if change is not None:
            connection.execute(sa.update(CONTAINMENT).where(_columns.id == receipt.containment).values(**change))


def find(connection: Connection, *, id_: str | None, active: bool | None, limit: int) -> list[ContainmentState]:
    """Containments with their receipts, newest first."""
    query = sa.select(CONTAINMENT).order_by(_columns.written_at.desc(), _columns.id).limit(limit)
    if id_ is not None:
        query = query.where(_columns.id == id_)
    if active is not None:
        query = query.where(_columns.ended_at.is_(None) if active else _columns.ended_at.is_not(None))
    rows = connection.execute(query).all()
    of = sa.select(RECEIPT).where(RECEIPT.c.containment.in_([row.id for row in rows])).order_by(RECEIPT.c.seq)
    received: dict[str, list[Receipt]] = {}
    for row in connection.execute(of):
        received.setdefault(row.containment, []).append(_receipts.decode(row.body))
    return [
        ContainmentState(
            _line.decode(row.body), row.status, row.written_at, row.ended_at, tuple(received.get(row.id, ()))
        )
        for row in rows
    ]


def _row(said: Containment, now: float) -> dict[str, Any]:
    names = ("id", "tenant", "agent", "role", "step", "mode", "armed", "time")
    return {name: getattr(said, name) for name in names} | {
        "status": "decided", "written_at": now, "body": encode(said)
    }  # fmt: skip


def _release(connection: Connection, said: Containment, now: float) -> None:
    # a release line of one containment bears its id; with an id of its own it ends all that the agent has
    active = sa.update(CONTAINMENT).where(_columns.ended_at.is_(None)).values(status="released", ended_at=now)
    if connection.execute(active.where(_columns.id == said.id)).rowcount == 0:
        connection.execute(active.where(_columns.tenant == said.tenant, _columns.agent == said.agent))


def _change(receipt: Receipt, now: float) -> dict[str, Any] | None:
    if receipt.outcome == "undone":
        return {"status": "released", "ended_at": now}
    if receipt.step == "release":
        # releasing that failed leaves the agent contained
        done = receipt.outcome in ("acted", "confirmed")
        return {"status": "released", "ended_at": now} if done else None
    if receipt.outcome == "skipped":
        return {"status": "skipped", "ended_at": now}
    return {"status": receipt.outcome}
