"""Alembic runs this with the open transaction of the caller; SQLite alters tables in batch mode."""

from __future__ import annotations

from alembic import context

from monitor.storage.tables import PARTITION

context.configure(
    connection=context.config.attributes["connection"], target_metadata=PARTITION.metadata, render_as_batch=True
)
context.run_migrations()
