"""The lines that were said, in order, exactly as they are printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitor.findings import Alert, Containment, Finding, Incident, encode
from monitor.sources.base import Partition
from monitor.storage.decision import Position
from monitor.storage.partitions import named, parts
from monitor.storage.tables import FINDING

_columns = FINDING.c
_decoder: msgspec.json.Decoder[Finding] = msgspec.json.Decoder(Finding)


class Line(NamedTuple):
    """A line: `seq` orders all lines, `line` those of one id; `body` is the JSON as printed, `written_at` epoch s."""

    seq: int
    id: str
    line: int
    body: bytes
    written_at: float

    @property
    def finding(self) -> Finding:
        """The line as it was decided."""
        return _decoder.decode(self.body)


def insert(
    connection: Connection,
    findings: Sequence[tuple[str, int, Alert | Containment | Incident]],
    partition: Partition | None,
    after: Position | None,
    now: float,
) -> None:
    """Write the lines. A line that was written before raises: the caller was about to decide twice."""
    where = {"source": partition and partition.source, "number": partition and partition.number, "written_at": now}
    where |= named("after", after)
    last = {id_: number for id_, number, _ in findings}
    rows = [{**_row(id_, line, said), **where, "latest": line == last[id_]} for id_, line, said in findings]
    earlier = sorted({id_ for id_, line, _ in findings if line > 1})
    if earlier:
        connection.execute(
            sa.update(FINDING).where(_columns.id == sa.bindparam("of"), _columns.latest).values(latest=False),
            [{"of": id_} for id_ in earlier],
        )
    if rows:
        connection.execute(sa.insert(FINDING), rows)


def between(connection: Connection, partition: Partition, after: Position | None, until: Position | None) -> list[Line]:
    """The lines of the partition that were committed past the cut `after` and up to the cut `until`."""
    query = select_lines().where(_columns.source == partition.source, _columns.number == partition.number)
    cut = sa.tuple_(_columns.after_offset, _columns.after_index, _columns.after_seq)
    if after is not None:
        query = query.where(cut > sa.tuple_(*parts(after)))
    if until is not None:
        query = query.where(cut <= sa.tuple_(*parts(until)))
    return lines(connection, query.order_by(_columns.seq))


def select_lines() -> sa.Select[Any]:
    """The columns of a Line."""
    return sa.select(_columns.seq, _columns.id, _columns.line, _columns.body, _columns.written_at)


def lines(connection: Connection, query: sa.Select[Any]) -> list[Line]:
    """The lines that a query over `select_lines` finds."""
    return [Line(*row) for row in connection.execute(query)]


def _row(id_: str, line: int, said: Alert | Containment | Incident) -> dict[str, Any]:
    row: dict[str, Any] = {"id": id_, "line": line, "time": said.time, "tenant": said.tenant, "body": encode(said)}
    match said:
        case Alert():
            more = {"kind": "alert", "level": said.level, "state": said.state, "incident": said.incident}
            return row | more | {"agent": said.agent, "role": said.role}
        case Containment():
            more = {"kind": "containment", "level": None, "state": said.step, "incident": None}
            return row | more | {"agent": said.agent, "role": said.role}
        case Incident():
            more = {"kind": "incident", "level": said.level, "state": said.state, "incident": said.id}
            return row | more | {"agent": None, "role": None}
