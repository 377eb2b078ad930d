"""The schema: brought up to this release at opening, never down, and a newer one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitor.storage.errors import StorageError
from monitor.storage.tables import SCHEMA

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def ensure_schema(connection: Connection, *, migrate: bool = False) -> bool:
    """Whether the schema is this release's, after bringing it there when `migrate`.

    Raises StorageError when a newer release wrote the database, or something else than driftd did.
    """
    found = schema_of(connection)
    if found == SCHEMA:
        return True
    # imported here: every command opens the database, few migrate it
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        problem = f"A newer release wrote this database (schema {found}, this release knows up to {SCHEMA})."
        raise StorageError(problem, "Install that release or a newer one; a database is never taken back.")
    if migrate:
        command.upgrade(config, "head")
    return migrate


def schema_of(connection: Connection) -> str | None:
    """The revision of the schema, None for an empty database. Raises StorageError for a database of others."""
    names = sa.inspect(connection).get_table_names()
    if "alembic_version" in names:
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if names:
        raise StorageError("This database belongs to something else.", "Name a new file in storage.url.")
    return None
