"""What the command line, the API and the dashboards ask."""

from __future__ import annotations

import sqlalchemy as sa

from monitor.findings import Level
from monitor.storage import audit, containments, dead_letters
from monitor.storage.audit import AuditFault, AuditHead, AuditRecord
from monitor.storage.containments import ContainmentState
from monitor.storage.database import Database
from monitor.storage.dead_letters import StoredDeadLetter
from monitor.storage.lines import Line, lines, select_lines
from monitor.storage.tables import FINDING

_columns = FINDING.c


class Queries:
    """Reads only; each call sees one state of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_alerts(self) -> list[Line]:
        """The newest line of every alert that is not resolved, oldest first."""
        return self._lines(_latest("alert").where(_columns.state != "resolved").order_by(_columns.seq))

    def alerts(
        self,
        limit: int = 100,
        *,
        before_seq: int | None = None,
        tenant: str | None = None,
        agent: str | None = None,
        role: str | None = None,
        level: Level | None = None,
        state: str | None = None,
        incident: str | None = None,
    ) -> list[Line]:
        """The newest line of each alert that fits all that is set, newest first; `before_seq` turns the page."""
        query = _latest("alert").order_by(_columns.seq.desc()).limit(limit)
        wanted = {"tenant": tenant, "agent": agent, "role": role, "level": level, "state": state, "incident": incident}
        for name, value in wanted.items():
            if value is not None:
                query = query.where(_columns[name] == value)
        if before_seq is not None:
            query = query.where(_columns.seq < before_seq)
        return self._lines(query)

    def alert(self, id_: str) -> list[Line]:
        """All lines of an alert, in order; empty when there is none."""
        return self._lines(select_lines().where(_columns.id == id_, _columns.kind == "alert").order_by(_columns.line))

    def incidents(self, limit: int = 100, *, open_only: bool = False) -> list[Line]:
        """The newest line of each incident, newest first."""
        query = _latest("incident").order_by(_columns.seq.desc()).limit(limit)
        return self._lines(query.where(_columns.state != "resolved") if open_only else query)

    def findings(self, after_seq: int = 0, limit: int = 1000) -> list[Line]:
        """All lines past this number, as they were said: for following along."""
        return self._lines(select_lines().where(_columns.seq > after_seq).order_by(_columns.seq).limit(limit))

    def containments(self, limit: int = 100, *, active: bool | None = None) -> list[ContainmentState]:
        """Containments, newest first; `active`: only those that last, or only those that ended."""
        with self._database.read() as connection:
            return containments.find(connection, id_=None, active=active, limit=limit)

    def containment(self, id_: str) -> ContainmentState | None:
        """One containment with its receipts."""
        with self._database.read() as connection:
            return next(iter(containments.find(connection, id_=id_, active=None, limit=1)), None)

    def dead_letters(self, limit: int = 100, reason: str | None = None) -> list[StoredDeadLetter]:
        """The newest dead letters, newest first, of one reason or of all."""
        with self._database.read() as connection:
            return dead_letters.newest(connection, limit, reason)

    def dead_letter_counts(self) -> dict[str, int]:
        """How many dead letters are kept, by reason."""
        with self._database.read() as connection:
            return dead_letters.counts(connection)

    def audit(self, limit: int = 100) -> list[AuditRecord]:
        """The newest audit records, newest first."""
        with self._database.read() as connection:
            return audit.newest(connection, limit)

    def audit_head(self) -> AuditHead:
        """The end of the audit chain, to be written down elsewhere."""
        with self._database.read() as connection:
            return audit.head(connection)

    def verify_audit(self, anchor: AuditHead | None = None) -> AuditFault | None:
        """The first fault of the audit chain; None when nothing was changed, taken out or cut off."""
        with self._database.read() as connection:
            return audit.verify(connection, anchor)

    def _lines(self, query: sa.Select[tuple[object, ...]]) -> list[Line]:
        with self._database.read() as connection:
            return lines(connection, query)


def _latest(kind: str) -> sa.Select[tuple[object, ...]]:
    return select_lines().where(_columns.kind == kind, _columns.latest)
