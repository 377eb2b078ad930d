"""The tables. Times ending in `_at` are epoch seconds; `offset`, `index` and `seq` together are a cut of a partition.

A cut says: everything before the record at (offset, index) and every input up to seq. Bodies are JSON as it is printed.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, Table, Text

from monitor.storage.columns import METADATA, Json, counted, cut, need, of_partition
from monitor.storage.dialect import Counter

#: the revision of the newest migration
SCHEMA: Final = "0001"

PARTITION: Final = Table(
    "partition",
    METADATA,
    *of_partition(key=True),
    need("epoch", BigInteger),
    need("owner", Text),
    need("heartbeat_at", Float),
    *cut("next", nullable=True),
    *cut("decided", nullable=True),
    need("input_seq", BigInteger),
    need("input_offset", BigInteger),
)
INPUT: Final = Table(
    "input",
    METADATA,
    *of_partition(key=True),
    need("seq", BigInteger, primary_key=True, autoincrement=False),
    need("at_offset", BigInteger),
    need("kind", Text),
    Column("key", Text),
    need("body", Json),
    need("written_at", Float),
    sa.UniqueConstraint("source", "number", "key"),
)
FINDING: Final = counted(
    "finding",
    Column("seq", Counter, primary_key=True),
    need("id", Text),
    need("line", Integer),
    need("kind", Text),
    need("latest", Boolean(create_constraint=False)),
    need("time", Text),
    need("written_at", Float),
    Column("tenant", Text),
    Column("agent", Text),
    Column("role", Text),
    Column("level", Text),
    Column("state", Text),
    Column("incident", Text),
    Column("source", Text),
    Column("number", Integer),
    *cut("after", nullable=True),
    need("body", Json),
    sa.UniqueConstraint("id", "line"),
    Index(None, "kind", "latest", "state"),
    Index(None, "tenant", "agent"),
    Index(None, "source", "number", "after_offset"),
    Index(None, "written_at"),
)
CONTAINMENT: Final = Table(
    "containment",
    METADATA,
    need("id", Text, primary_key=True),
    need("tenant", Text),
    need("agent", Text),
    need("role", Text),
    need("step", Text),
    need("mode", Text),
    need("armed", Boolean(create_constraint=False)),
    need("status", Text),
    need("time", Text),
    need("written_at", Float),
    Column("ended_at", Float),
    need("body", Json),
    Index(None, "tenant", "agent"),
    Index(None, "ended_at"),
)
RECEIPT: Final = counted(
    "receipt",
    Column("seq", Counter, primary_key=True),
    need("containment", Text, index=True),
    need("written_at", Float),
    need("body", Json),
)
OUTBOX: Final = counted(
    "outbox",
    Column("seq", Counter, primary_key=True),
    need("id", Text),
    need("sink", Text),
    need("about", Text),
    need("kind", Text),
    need("time", Float),
    need("body", Json),
    need("state", Text),
    need("attempts", Integer),
    need("next_at", Float),
    need("written_at", Float),
    Column("ended_at", Float),
    Column("error", Text),
    sa.UniqueConstraint("id", "sink"),
    Index(None, "state", "sink", "about", "seq"),
)
AUDIT: Final = Table(
    "audit",
    METADATA,
    need("seq", BigInteger, primary_key=True, autoincrement=False),
    need("at", Float),
    need("who", Text),
    need("what", Text),
    need("body", Json),
    need("hash", Text),
)
#: one row: the last record of the chain, and the last one that retention took away
AUDIT_HEAD: Final = Table(
    "audit_head",
    METADATA,
    need("id", Integer, primary_key=True, autoincrement=False),
    need("seq", BigInteger),
    need("hash", Text),
    need("base_seq", BigInteger),
    need("base_hash", Text),
)
DEAD_LETTER: Final = counted(
    "dead_letter",
    Column("seq", Counter, primary_key=True),
    *of_partition(),
    need("offset", BigInteger),
    need("index", Integer),
    need("reason", Text),
    Column("agent", Text),
    need("digest", Text),
    need("excerpt", LargeBinary),
    Column("time", Float),
    need("written_at", Float),
    Index(None, "reason"),
    Index(None, "written_at"),
)
DIRECTIVE: Final = Table(
    "directive",
    METADATA,
    need("id", Text, primary_key=True),
    need("kind", Text),
    need("state", Text, index=True),
    need("by", Text),
    need("written_at", Float),
    Column("ended_by", Text),
    Column("ended_at", Float),
    need("body", Json),
)
SNAPSHOT_CHUNK: Final = Table(
    "snapshot_chunk",
    METADATA,
    need("digest", Text, primary_key=True),
    need("body", LargeBinary),
    need("touched_at", Float),
)
SNAPSHOT_MANIFEST: Final = counted(
    "snapshot_manifest",
    Column("id", Counter, primary_key=True),
    *of_partition(),
    *cut("at"),
    need("created_at", Float),
    need("program", Text),
    need("settings", Text),
    Index(None, "source", "number"),
)
SNAPSHOT_PART: Final = Table(
    "snapshot_part",
    METADATA,
    Column(
        "manifest",
        BigInteger,
        ForeignKey("snapshot_manifest.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    need("name", Text, primary_key=True),
    Column("digest", Text, ForeignKey("snapshot_chunk.digest"), nullable=False, index=True),
)
META: Final = Table("meta", METADATA, need("name", Text, primary_key=True), need("value", Text))
