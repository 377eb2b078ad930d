"""Snapshots of state: parts as compressed chunks named by their content, and a manifest that makes them one.

Chunks are written first, in small transactions of their own, and only when they are new; the manifest comes last. A
crash in between leaves chunks that nobody names, which a later snapshot collects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

import sqlalchemy as sa
import zstandard
from sqlalchemy.engine import Connection

from monitor.sources.base import Partition
from monitor.storage.database import Database
from monitor.storage.decision import Claim, Position
from monitor.storage.partitions import beat, cut, named
from monitor.storage.tables import SNAPSHOT_CHUNK, SNAPSHOT_MANIFEST, SNAPSHOT_PART

#: manifests kept for each partition
KEPT: Final = 3
#: a chunk that no manifest names may belong to a snapshot that is being written, for this long
GRACE_SECONDS: Final = 300.0
_BYTES_PER_TRANSACTION: Final = 4 << 20
_chunk, _manifest, _part = SNAPSHOT_CHUNK.c, SNAPSHOT_MANIFEST.c, SNAPSHOT_PART.c


class Snapshot(NamedTuple):
    """State at a cut: `number` names it for the next `save`; program and settings are those that made it."""

    number: int
    position: Position
    parts: dict[str, bytes]
    program: str
    settings: str


class Loaded(NamedTuple):
    """The newest snapshot that is whole, if there is any, and what was wrong with newer ones."""

    snapshot: Snapshot | None
    warnings: tuple[str, ...]


def save(
    database: Database,
    claim: Claim,
    position: Position,
    parts: Mapping[str, bytes],
    program: str,
    settings: str,
    unchanged: Collection[str],
    parent: int | None,
) -> int:
    """Write a snapshot and return its number; see `Store.save_snapshot`."""
    if claim.position is None or position > claim.position:
        raise ValueError(f"a snapshot at {position} would be ahead of what is decided, {claim.position}")
    named_by = {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}
    new = {digest: parts[name] for name, digest in named_by.items()}
    for group in _groups(new):
        _write_chunks(database, group)
    with database.write() as connection:
        now = database.clock.time()
        beat(connection, claim, now)
        named_by |= _inherited(connection, claim.partition, parent, unchanged)
        source, number = claim.partition
        row = {"source": source, "number": number, "created_at": now, "program": program, "settings": settings}
        new_row = sa.insert(SNAPSHOT_MANIFEST).values(**row, **named("at", position)).returning(_manifest.id)
        key: int = connection.execute(new_row).scalar_one()
        if named_by:
            rows = [{"manifest": key, "name": name, "digest": digest} for name, digest in named_by.items()]
            connection.execute(sa.insert(SNAPSHOT_PART), rows)
        _prune(connection, claim.partition, now)
    return key


def load(database: Database, partition: Partition, not_after: Position | None) -> Loaded:
    """The newest whole snapshot; see `Store.load_snapshot`."""
    warnings: list[str] = []
    while True:
        try:
            with database.read() as connection:
                return Loaded(_newest(connection, partition, not_after), tuple(warnings))
        except _DamagedChunkError as error:
            warnings.append(str(error))
            # or the same content would never be written again, because it seems to be there
            _discard(database, error.digest)


class _DamagedChunkError(Exception):
    """A part is not what was written."""

    def __init__(self, digest: str, problem: str) -> None:
        super().__init__(problem)
        self.digest = digest


def _groups(new: Mapping[str, bytes]) -> Iterator[dict[str, bytes]]:
    group: dict[str, bytes] = {}
    size = 0
    for digest, content in new.items():
        group[digest] = content
        size += len(content)
        if size >= _BYTES_PER_TRANSACTION:
            yield group
            group, size = {}, 0
    if group:
        yield group


def _write_chunks(database: Database, group: Mapping[str, bytes]) -> None:
    now = database.clock.time()
    with database.read() as connection:
        held = set(connection.execute(sa.select(_chunk.digest).where(_chunk.digest.in_(list(group)))).scalars())
    compress = zstandard.ZstdCompressor(level=1).compress
    bodies = {digest: compress(content) for digest, content in group.items() if digest not in held}
    with database.write() as connection:
        # touched, so that nobody collects it before the manifest names it; if somebody just did, it is written again
        touched = sa.update(SNAPSHOT_CHUNK).values(touched_at=now).returning(_chunk.digest)
        kept = set(connection.execute(touched.where(_chunk.digest.in_(list(group)))).scalars())
        rows = [
            {"digest": digest, "body": bodies.get(digest) or compress(content), "touched_at": now}
            for digest, content in group.items()
            if digest not in kept
        ]
        if rows:
            connection.execute(sa.insert(SNAPSHOT_CHUNK), rows)


def _inherited(
    connection: Connection, partition: Partition, parent: int | None, unchanged: Collection[str]
) -> dict[str, str]:
    if not unchanged:
        return {}
    of_parent = (
        sa.select(_part.name, _part.digest).join(SNAPSHOT_MANIFEST).where(_of(partition), _manifest.id == parent)
    )
    held: dict[str, str] = dict(connection.execute(of_parent).all())
    missing = sorted(set(unchanged) - held.keys())
    if missing:
        raise ValueError(f"snapshot {parent} has no parts {missing}")
    return {name: held[name] for name in unchanged}


def _prune(connection: Connection, partition: Partition, now: float) -> None:
    kept = sa.select(_manifest.id).where(_of(partition)).order_by(_manifest.id.desc()).limit(KEPT)
    old = list(connection.execute(sa.select(_manifest.id).where(_of(partition), _manifest.id.not_in(kept))).scalars())
    connection.execute(sa.delete(SNAPSHOT_PART).where(_part.manifest.in_(old)))
    connection.execute(sa.delete(SNAPSHOT_MANIFEST).where(_manifest.id.in_(old)))
    orphan = ~sa.exists().where(_part.digest == _chunk.digest)
    connection.execute(sa.delete(SNAPSHOT_CHUNK).where(orphan, _chunk.touched_at < now - GRACE_SECONDS))


def _newest(connection: Connection, partition: Partition, not_after: Position | None) -> Snapshot | None:
    for row in connection.execute(sa.select(SNAPSHOT_MANIFEST).where(_of(partition)).order_by(_manifest.id.desc())):
        position = cut(row, "at")
        if position is not None and (not_after is None or position <= not_after):
            return Snapshot(row.id, position, dict(_read_parts(connection, row.id)), row.program, row.settings)
    return None


def _read_parts(connection: Connection, manifest: int) -> Iterator[tuple[str, bytes]]:
    query = sa.select(_part.name, _part.digest, _chunk.body).where(_part.manifest == manifest)
    for name, digest, body in connection.execute(query.outerjoin(SNAPSHOT_CHUNK).order_by(_part.name)):
        where = f"Part {name} of snapshot {manifest}"
        if body is None:
            raise _DamagedChunkError(digest, f"{where} is missing")
        try:
            content = zstandard.ZstdDecompressor().decompress(body)
        except zstandard.ZstdError as error:
            raise _DamagedChunkError(digest, f"{where} cannot be unpacked ({error})") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise _DamagedChunkError(digest, f"{where} is not what was written")
        yield name, content


def _discard(database: Database, digest: str) -> None:
    with database.write() as connection:
        broken = list(connection.execute(sa.select(_part.manifest).where(_part.digest == digest)).scalars())
        connection.execute(sa.delete(SNAPSHOT_PART).where(_part.manifest.in_(broken)))
        connection.execute(sa.delete(SNAPSHOT_MANIFEST).where(_manifest.id.in_(broken)))
        connection.execute(sa.delete(SNAPSHOT_CHUNK).where(_chunk.digest == digest))


def _of(partition: Partition) -> sa.ColumnElement[bool]:
    return sa.and_(_manifest.source == partition.source, _manifest.number == partition.number)
