"""What tables are made of: columns that several share, JSON as a type, names of constraints."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Integer, Table, Text

METADATA: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Json(sa.types.TypeDecorator[bytes]):
    """JSON as bytes here and as text in the database, where people and dashboards can read it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: sa.Dialect) -> str | None:
        """Bytes to text."""
        return None if value is None else value.decode()

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> bytes | None:
        """Text to bytes."""
        return None if value is None else value.encode()


def need(name: str, kind: Any, **more: Any) -> Column[Any]:
    """A column that is never empty."""
    return Column(name, kind, nullable=False, **more)


def of_partition(*, key: bool = False) -> tuple[Column[Any], Column[Any]]:
    """Which partition a row belongs to."""
    return need("source", Text, primary_key=key), need("number", Integer, primary_key=key, autoincrement=False)


def cut(prefix: str, *, nullable: bool = False) -> tuple[Column[Any], Column[Any], Column[Any]]:
    """A cut of a partition, as three columns with this prefix."""
    offset, index, seq = (f"{prefix}_{part}" for part in ("offset", "index", "seq"))
    return (
        Column(offset, BigInteger, nullable=nullable),
        Column(index, Integer, nullable=nullable),
        Column(seq, BigInteger, nullable=nullable),
    )


def counted(name: str, *columns: sa.schema.SchemaItem) -> Table:
    """A table whose key the database counts up; a number is never used twice, not even after a purge."""
    return Table(name, METADATA, *columns, sqlite_autoincrement=True)
