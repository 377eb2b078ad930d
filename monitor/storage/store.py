"""The store: all that must survive, behind one object that any thread may call.

Inputs are durable before they are applied; a decision is one transaction; a writer with an old claim is refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from detectors.core.inputs import Input
from monitor.clock import Clock
from monitor.sources.base import Partition
from monitor.storage import audit, containments, dead_letters, inputs, lines, outbox, partitions, retention, snapshots
from monitor.storage.database import Database
from monitor.storage.decision import Claim, Decision, Position, Verdict
from monitor.storage.directives import Directives
from monitor.storage.errors import StorageError
from monitor.storage.inputs import StoredInput
from monitor.storage.lines import Line
from monitor.storage.outbox import Outbox
from monitor.storage.queries import Queries
from monitor.storage.retention import Retention
from monitor.storage.snapshots import Loaded
from monitor.storage.tables import META


class Store:
    """An open store. `outbox`, `directives` and `queries` are what their users work with.

    Every call may raise StorageUnavailable, which says at once what is wrong; the same call may be tried again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.outbox = Outbox(database)
        self.directives = Directives(database)
        self.queries = Queries(database)

    @classmethod
    def open(cls, url: str, clock: Clock, *, busy_seconds: float = 1.0) -> Self:
        """Open `sqlite:///PATH`, making or migrating it. Raises StorageError for a schema newer than this release.

        `busy_seconds` is how long another process may keep the database locked before StorageUnavailable is raised.
        """
        return cls(Database(url, clock, busy_seconds=busy_seconds))

    def close(self) -> None:
        """Let go of all connections."""
        self._database.close()

    def check_key(self, fingerprint: str) -> None:
        """Compare the digest key's fingerprint with the one that was first given. Raises StorageError if it differs."""
        if self._meta("digest_key", fingerprint) != fingerprint:
            problem = "This is not the digest key that this database was built with: no agent's memory would be known."
            raise StorageError(problem, "Put the old key file back from a backup, or start with a new database.")

    def installation_id(self) -> str:
        """The name of this installation, made when it is first asked for."""
        return self._meta("installation", secrets.token_hex(16))

    def claim(self, partition: Partition, owner: str) -> Claim:
        """Take a partition; every older claim on it is refused from now on."""
        with self._database.write() as connection:
            return partitions.claim(connection, partition, owner, self._now())

    def beat(self, claim: Claim) -> None:
        """Write down that the owner lives. Raises Fenced."""
        with self._database.write() as connection:
            partitions.beat(connection, claim, self._now())

    def positions(self) -> dict[Partition, Position]:
        """Where reading goes on, for every partition that was read before."""
        with self._database.read() as connection:
            return partitions.positions(connection)

    def commit(self, claim: Claim, decision: Decision) -> None:
        """Write a decision and move the claim's positions on, all or nothing; on return it is durable.

        Raises Fenced when the claim is old or the position is not the claim's, Duplicate when a line, containment or
        message was written before, ValueError when a position would go back.
        """
        with self._database.write() as connection:
            now = self._now()
            decided = partitions.advance(connection, claim, decision, now)
            _say(connection, decision, claim.partition, decision.position_after, now)
            dead_letters.insert(connection, claim.partition, decision.dead, now)
        claim.position, claim.decided_to = decision.position_after, decided

    def record(self, verdict: Verdict) -> None:
        """Write what was decided beside all partitions: by the daemon about itself, or by a person. Raises Duplicate."""
        with self._database.write() as connection:
            _say(connection, verdict, None, None, self._now())

    def append_inputs(self, claim: Claim, at_offset: int, new: Sequence[Input]) -> list[StoredInput]:
        """Number inputs that apply before the record at `at_offset`; on return they are durable.

        Returns those that the partition did not hold yet: directives with an id, cohort versions, delegations and
        receipts are the same when they come again. Raises Fenced; ValueError when the offset was passed already.
        """
        with self._database.write() as connection:
            fresh = inputs.fresh(connection, claim.partition, new)
            first = partitions.take_numbers(connection, claim, at_offset, len(fresh))
            return inputs.insert(connection, claim.partition, first, at_offset, fresh, self._now())

    def read_inputs(self, partition: Partition, from_offset: int = 0, after_seq: int = 0) -> list[StoredInput]:
        """Inputs in order, from this offset and past this number on; from a cut: its `offset` and its `seq`."""
        with self._database.read() as connection:
            return inputs.read(connection, partition, from_offset, after_seq)

    def findings_between(self, partition: Partition, after: Position | None, until: Position | None) -> list[Line]:
        """The lines committed past the cut `after` up to the cut `until` (None: from the start, to the end)."""
        with self._database.read() as connection:
            return lines.between(connection, partition, after, until)

    def save_snapshot(
        self,
        claim: Claim,
        position: Position,
        parts: Mapping[str, bytes],
        program: str,
        settings: str,
        *,
        unchanged: Collection[str] = (),
        parent: int | None = None,
    ) -> int:
        """Write the state at a cut and return the snapshot's number.

        `unchanged` names the parts that are as in snapshot `parent`, whose bytes are then not needed. Raises Fenced;
        ValueError when the position is ahead of what is decided or the parent does not have the parts.
        """
        return snapshots.save(self._database, claim, position, parts, program, settings, unchanged, parent)

    def load_snapshot(self, partition: Partition, not_after: Position | None = None) -> Loaded:
        """The newest whole snapshot, at most at `not_after`; damaged ones are passed over, discarded and said."""
        return snapshots.load(self._database, partition, not_after)

    def kept(self, name: str) -> bytes | None:
        """What the last verdict that had it kept under this name."""
        query = sa.select(META.c.value).where(META.c.name == f"kept {name}")
        with self._database.read() as connection:
            held: str | None = connection.execute(query).scalar()
        return bytes.fromhex(held) if held is not None else None

    def purge(self, kept: Retention) -> dict[str, int]:
        """Take away what is old and over; returns how many rows went, by table."""
        return retention.purge(self._database, kept)

    def _now(self) -> float:
        return self._database.clock.time()

    def _meta(self, name: str, first: str) -> str:
        query = sa.select(META.c.value).where(META.c.name == name)
        with self._database.read() as connection:
            held: str | None = connection.execute(query).scalar()
        if held is not None:
            return held
        with self._database.write() as connection:
            held = connection.execute(query).scalar()
            if held is None:
                connection.execute(sa.insert(META).values(name=name, value=first))
        return held or first


def _keep(connection: Connection, name: str, value: str) -> None:
    if connection.execute(sa.update(META).where(META.c.name == name).values(value=value)).rowcount == 0:
        connection.execute(sa.insert(META).values(name=name, value=value))


def _say(
    connection: Connection, verdict: Verdict, partition: Partition | None, after: Position | None, now: float
) -> None:
    lines.insert(connection, verdict.findings, partition, after, now)
    containments.follow(connection, verdict.findings, now)
    containments.receive(connection, verdict.receipts, now)
    outbox.put(connection, verdict.outbox, now)
    for name, value in verdict.kept.items():
        _keep(connection, f"kept {name}", value.hex())
    audit.append(connection, verdict.audit, now)
