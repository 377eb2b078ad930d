"""Transactions: reading ones, and writing ones of which there is one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Connection

from monitor.clock import Clock
from monitor.storage import dialect
from monitor.storage.migrate import ensure_schema


class Database:
    """An open database with the schema of this release; all of it may be used from any thread."""

    def __init__(self, url: str, clock: Clock, *, busy_seconds: float = 1.0) -> None:
        """Opens and migrates. `busy_seconds`: how long another process may hold the lock before it is said."""
        self.clock = clock
        self.engine = dialect.make_engine(url, busy_seconds)
        self._writer = dialect.writer_lock(self.engine)
        try:
            with self.read() as connection:
                current = ensure_schema(connection)
            if not current:
                with self.write() as connection:
                    ensure_schema(connection, migrate=True)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and is not blocked by writers."""
        with dialect.translating(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes: on leaving it is durable, on an exception nothing of it is."""
        with self._writer, dialect.translating(), self.engine.connect() as connection:
            connection.execution_options(**{dialect.WRITES: True})
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()
