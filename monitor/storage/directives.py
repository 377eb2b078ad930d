"""Directives that wait for a second person, and what became of them.

pending, then confirmed (by somebody else) or rejected; a confirmed one is applied when it stands in the inputs of
every partition. Appending is idempotent by its id, so a crash in between is repaired by doing it again.
"""

from __future__ import annotations

import secrets
from typing import Any, Literal, NamedTuple

import msgspec
import sqlalchemy as sa

from detectors.core.inputs import AnyDirective
from monitor.storage import audit
from monitor.storage.database import Database
from monitor.storage.decision import AuditEntry
from monitor.storage.errors import Refused
from monitor.storage.tables import DIRECTIVE
from monitor.storage.text import storable

State = Literal["pending", "confirmed", "rejected", "applied"]
_columns = DIRECTIVE.c
_decoder: msgspec.json.Decoder[AnyDirective] = msgspec.json.Decoder(AnyDirective)


class Proposal(NamedTuple):
    """A directive and its state; `ended_by` confirmed or rejected it. Times are epoch seconds."""

    directive: AnyDirective
    state: State
    written_at: float
    ended_by: str | None
    ended_at: float | None


class Directives:
    """The book of directives; every change is also written to the audit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def propose(self, directive: AnyDirective) -> AnyDirective:
        """Write it down as pending and return it with its id (made here when it has none). Raises Duplicate."""
        if not directive.id:
            directive = msgspec.structs.replace(directive, id=secrets.token_hex(8))
        now = self._database.clock.time()
        kind, body = str(directive.__struct_config__.tag), msgspec.json.encode(directive)
        row = {"id": directive.id, "kind": kind, "state": "pending", "by": storable(directive.by), "written_at": now}
        with self._database.write() as connection:
            connection.execute(sa.insert(DIRECTIVE).values(body=body, **row))
            audit.append(connection, [AuditEntry(directive.by, f"propose {kind}", body)], now)
        return directive

    def confirm(self, id_: str, by: str) -> AnyDirective:
        """A second person agrees. Raises Refused when it is not pending, or `by` is who proposed it."""
        return self._move(id_, by, "pending", "confirmed")

    def alone(self, id_: str) -> AnyDirective:
        """It counts without a second person. Raises Refused when it is not pending."""
        return self._move(id_, None, "pending", "confirmed")

    def reject(self, id_: str, by: str) -> AnyDirective:
        """Anybody, also who proposed it, takes it back. Raises Refused when it is not pending."""
        return self._move(id_, by, "pending", "rejected")

    def applied(self, id_: str) -> AnyDirective:
        """It stands in the inputs of every partition. Raises Refused when it was not confirmed."""
        return self._move(id_, None, "confirmed", "applied")

    def all(self, state: State | None = None, limit: int = 1000) -> list[Proposal]:
        """Directives in a state or in any, newest first."""
        query = sa.select(DIRECTIVE).order_by(_columns.written_at.desc(), _columns.id).limit(limit)
        if state is not None:
            query = query.where(_columns.state == state)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            Proposal(_decoder.decode(row.body), row.state, row.written_at, row.ended_by, row.ended_at) for row in rows
        ]

    def _move(self, id_: str, by: str | None, found: State, to: State) -> AnyDirective:
        now = self._database.clock.time()
        one = _columns.id == id_
        with self._database.write() as connection:
            held = connection.execute(sa.select(DIRECTIVE).where(one).with_for_update()).one_or_none()
            row = _checked(held, id_, by, found, to)
            ended: dict[str, Any] = {} if by is None else {"ended_by": storable(by), "ended_at": now}
            connection.execute(sa.update(DIRECTIVE).where(one).values(state=to, **ended))
            audit.append(connection, [AuditEntry(by or "driftd", f"{to} {row.kind}", row.body)], now)
        return _decoder.decode(row.body)


def _checked(row: sa.Row[Any] | None, id_: str, by: str | None, found: State, to: State) -> sa.Row[Any]:
    if row is None:
        raise Refused(f"There is no directive {id_}.", "List those that wait.")
    if row.state != found:
        raise Refused(f"Directive {id_} is {row.state}, not {found}.", "Propose it again.")
    if to == "confirmed" and by is not None and row.by == storable(by):
        raise Refused(f"{by} proposed directive {id_}.", "Another person has to confirm it.")
    return row
