"""The first schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger as Whole
from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

COUNTER = Whole().with_variant(Integer(), "sqlite")


def need(kind: Any, *names: str) -> Iterator[Column[Any]]:
    """Columns that are never empty."""
    for name in names:
        yield Column(name, kind, nullable=False, autoincrement=kind is COUNTER)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "audit",
        *need(Whole, "seq"),
        *need(Float, "at"),
        *need(Text, "who", "what", "body", "hash"),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
    )
    op.create_table(
        "audit_head",
        *need(Integer, "id"),
        *need(Whole, "seq", "base_seq"),
        *need(Text, "hash", "base_hash"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    op.create_table(
        "containment",
        *need(Text, "id", "tenant", "agent", "role", "step", "mode", "status", "time", "body"),
        *need(Boolean, "armed"),
        *need(Float, "written_at"),
        Column("ended_at", Float),
        sa.PrimaryKeyConstraint("id", name="pk_containment"),
    )
    op.create_index("ix_containment_ended_at", "containment", ["ended_at"])
    op.create_index("ix_containment_tenant_agent", "containment", ["tenant", "agent"])
    op.create_table(
        "dead_letter",
        *need(COUNTER, "seq"),
        *need(Text, "source", "reason", "digest"),
        *need(Integer, "number", "index"),
        *need(Whole, "offset"),
        *need(LargeBinary, "excerpt"),
        *need(Float, "written_at"),
        Column("agent", Text),
        Column("time", Float),
        sa.PrimaryKeyConstraint("seq", name="pk_dead_letter"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_dead_letter_reason", "dead_letter", ["reason"])
    op.create_index("ix_dead_letter_written_at", "dead_letter", ["written_at"])
    op.create_table(
        "directive",
        *need(Text, "id", "kind", "state", "by", "body"),
        *need(Float, "written_at"),
        Column("ended_by", Text),
        Column("ended_at", Float),
        sa.PrimaryKeyConstraint("id", name="pk_directive"),
    )
    op.create_index("ix_directive_state", "directive", ["state"])
    op.create_table(
        "finding",
        *need(COUNTER, "seq"),
        *need(Text, "id", "kind", "time", "body"),
        *need(Integer, "line"),
        *need(Boolean, "latest"),
        *need(Float, "written_at"),
        Column("tenant", Text),
        Column("agent", Text),
        Column("role", Text),
        Column("level", Text),
        Column("state", Text),
        Column("incident", Text),
        Column("source", Text),
        Column("number", Integer),
        Column("after_offset", Whole),
        Column("after_index", Integer),
        Column("after_seq", Whole),
        sa.PrimaryKeyConstraint("seq", name="pk_finding"),
        sa.UniqueConstraint("id", "line", name="uq_finding_id_line"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_finding_kind_latest_state", "finding", ["kind", "latest", "state"])
    op.create_index("ix_finding_source_number_after_offset", "finding", ["source", "number", "after_offset"])
    op.create_index("ix_finding_tenant_agent", "finding", ["tenant", "agent"])
    op.create_index("ix_finding_written_at", "finding", ["written_at"])
    op.create_table(
        "input",
        *need(Text, "source", "kind", "body"),
        *need(Integer, "number"),
        *need(Whole, "seq", "at_offset"),
        *need(Float, "written_at"),
        Column("key", Text),
        sa.PrimaryKeyConstraint("source", "number", "seq", name="pk_input"),
        sa.UniqueConstraint("source", "number", "key", name="uq_input_source_number_key"),
    )
    op.create_table("meta", *need(Text, "name", "value"), sa.PrimaryKeyConstraint("name", name="pk_meta"))
    op.create_table(
        "outbox",
        *need(COUNTER, "seq"),
        *need(Text, "id", "sink", "about", "kind", "body", "state"),
        *need(Float, "time", "next_at", "written_at"),
        *need(Integer, "attempts"),
        Column("ended_at", Float),
        Column("error", Text),
        sa.PrimaryKeyConstraint("seq", name="pk_outbox"),
        sa.UniqueConstraint("id", "sink", name="uq_outbox_id_sink"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_state_sink_about_seq", "outbox", ["state", "sink", "about", "seq"])
    op.create_table(
        "partition",
        *need(Text, "source", "owner"),
        *need(Integer, "number"),
        *need(Whole, "epoch", "input_seq", "input_offset"),
        *need(Float, "heartbeat_at"),
        Column("next_offset", Whole),
        Column("next_index", Integer),
        Column("next_seq", Whole),
        Column("decided_offset", Whole),
        Column("decided_index", Integer),
        Column("decided_seq", Whole),
        sa.PrimaryKeyConstraint("source", "number", name="pk_partition"),
    )
    op.create_table(
        "receipt",
        *need(COUNTER, "seq"),
        *need(Text, "containment", "body"),
        *need(Float, "written_at"),
        sa.PrimaryKeyConstraint("seq", name="pk_receipt"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_receipt_containment", "receipt", ["containment"])
    op.create_table(
        "snapshot_chunk",
        *need(Text, "digest"),
        *need(LargeBinary, "body"),
        *need(Float, "touched_at"),
        sa.PrimaryKeyConstraint("digest", name="pk_snapshot_chunk"),
    )
    op.create_table(
        "snapshot_manifest",
        *need(COUNTER, "id"),
        *need(Text, "source", "program", "settings"),
        *need(Integer, "number", "at_index"),
        *need(Whole, "at_offset", "at_seq"),
        *need(Float, "created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_snapshot_manifest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_snapshot_manifest_source_number", "snapshot_manifest", ["source", "number"])
    op.create_table(
        "snapshot_part",
        *need(Whole, "manifest"),
        *need(Text, "name", "digest"),
        sa.ForeignKeyConstraint(["digest"], ["snapshot_chunk.digest"], name="fk_snapshot_part_digest"),
        sa.ForeignKeyConstraint(
            ["manifest"], ["snapshot_manifest.id"], name="fk_snapshot_part_manifest", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("manifest", "name", name="pk_snapshot_part"),
    )
    op.create_index("ix_snapshot_part_digest", "snapshot_part", ["digest"])

    start = {"id": 1, "seq": 0, "hash": "0" * 64, "base_seq": 0, "base_hash": "0" * 64}
    head = sa.table("audit_head", *(sa.column(name) for name in start))
    op.execute(sa.insert(head).values(**start))


def downgrade() -> None:
    """Never: decisions would be lost."""
    raise NotImplementedError("a database is never taken back")
