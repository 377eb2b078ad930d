"""What is old is taken away, in small transactions; never what is open, waits, or is needed to start again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Final

import sqlalchemy as sa

from monitor.storage import audit
from monitor.storage.database import Database
from monitor.storage.tables import (
    CONTAINMENT,
    DEAD_LETTER,
    DIRECTIVE,
    FINDING,
    INPUT,
    OUTBOX,
    RECEIPT,
    SNAPSHOT_MANIFEST,
)

_ROWS_PER_TRANSACTION: Final = 1000
_DAY_SECONDS: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days each table keeps what is over and done with."""

    finding_days: float = 400.0
    containment_days: float = 400.0
    audit_days: float = 400.0
    directive_days: float = 400.0
    input_days: float = 60.0
    dead_letter_days: float = 30.0
    outbox_days: float = 14.0
    #: however young they are, no more dead letters than this are kept
    dead_letter_rows: int = 100_000

    def __post_init__(self) -> None:
        for part in fields(self):
            if getattr(self, part.name) < 0:
                raise ValueError(f"{part.name} is negative")


def purge(database: Database, kept: Retention) -> dict[str, int]:
    """Take away what is older; returns how many rows went, by table."""
    now = database.clock.time()
    gone: dict[str, int] = {}
    for table, old in _old(kept, now):
        gone[table.name] = gone.get(table.name, 0) + _delete(database, table, old)
    with database.write() as connection:
        gone["audit"] = audit.forget(connection, now - kept.audit_days * _DAY_SECONDS)
    return gone


def _old(kept: Retention, now: float) -> Iterator[tuple[sa.Table, sa.ColumnElement[bool]]]:
    def before(days: float) -> float:
        return now - days * _DAY_SECONDS

    yield FINDING, _over(before(kept.finding_days))
    yield CONTAINMENT, CONTAINMENT.c.ended_at < before(kept.containment_days)
    orphan = ~sa.exists().where(CONTAINMENT.c.id == RECEIPT.c.containment)
    yield RECEIPT, sa.and_(orphan, RECEIPT.c.written_at < before(kept.containment_days))
    yield OUTBOX, OUTBOX.c.ended_at < before(kept.outbox_days)
    ended = DIRECTIVE.c.state.in_(("applied", "rejected"))
    yield DIRECTIVE, sa.and_(ended, DIRECTIVE.c.written_at < before(kept.directive_days))
    yield INPUT, sa.and_(INPUT.c.written_at < before(kept.input_days), INPUT.c.seq <= _in_all_snapshots())
    yield DEAD_LETTER, DEAD_LETTER.c.written_at < before(kept.dead_letter_days)
    newest = sa.select(sa.func.max(DEAD_LETTER.c.seq)).scalar_subquery()
    yield DEAD_LETTER, DEAD_LETTER.c.seq <= newest - kept.dead_letter_rows


def _over(before: float) -> sa.ColumnElement[bool]:
    """Lines of alerts and incidents that were resolved before then, of containments that ended, and nothing else."""
    last = FINDING.alias("last")
    resolved = sa.exists().where(
        last.c.id == FINDING.c.id, last.c.latest, last.c.state == "resolved", last.c.written_at < before
    )
    active = sa.exists().where(CONTAINMENT.c.id == FINDING.c.id, CONTAINMENT.c.ended_at.is_(None))
    contained = sa.and_(FINDING.c.kind == "containment", FINDING.c.written_at < before, ~active)
    # resolved is judged by the last line: it goes last, or what is left of its alert would seem to be open for ever
    first = sa.or_(~FINDING.c.latest, ~sa.exists().where(last.c.id == FINDING.c.id, ~last.c.latest))
    return sa.or_(contained, sa.and_(FINDING.c.kind != "containment", resolved, first))


def _in_all_snapshots() -> sa.ScalarSelect[int | None]:
    """The newest input that every kept snapshot holds already: a start from any of them reads only what is after."""
    manifest = SNAPSHOT_MANIFEST.c
    mine = (manifest.source == INPUT.c.source, manifest.number == INPUT.c.number)
    return sa.select(sa.func.min(manifest.at_seq)).where(*mine).correlate(INPUT).scalar_subquery()


def _delete(database: Database, table: sa.Table, old: sa.ColumnElement[bool]) -> int:
    keys = list(table.primary_key.columns)
    some = sa.select(*keys).where(old).limit(_ROWS_PER_TRANSACTION)
    total = 0
    while True:
        with database.write() as connection:
            gone = connection.execute(sa.delete(table).where(sa.tuple_(*keys).in_(some))).rowcount
        total += gone
        if gone == 0:
            return total
