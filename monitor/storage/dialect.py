"""The one place that knows which database it is: engine, pragmas, start of transactions, meaning of its errors."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, Connection, Engine

from monitor.storage.errors import Duplicate, StorageError, StorageUnavailable

#: execution option of a connection that is going to write
WRITES: Final = "driftd_writes"
#: a whole number that the database counts up by itself
Counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_BUSY, _LOCKED, _READONLY, _IO, _CORRUPT, _FULL, _CANTOPEN, _NOT_A_DATABASE = 5, 6, 8, 10, 11, 13, 14, 26
_UNAVAILABLE = {
    _BUSY: ("Another process keeps the database locked.", "It is tried again; look for a long-running tool on it."),
    _LOCKED: ("A connection of this process keeps a table locked.", "It is tried again."),
    _READONLY: ("The database cannot be written.", "Give this user write access to the file and its directory."),
    _IO: ("The disk answers with an error.", "Look at the system log; it is tried again."),
    _FULL: ("The disk is full.", "Free space; it resumes by itself."),
    _CANTOPEN: ("The database file cannot be opened.", "Its directory must exist and this user must have access."),
}


def make_engine(url: str, busy_seconds: float) -> Engine:
    """An engine for this address. Raises StorageError for what is not supported."""
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError:
        raise StorageError(f"{url!r} is no database address.", "Write sqlite:///PATH.") from None
    if parsed.get_backend_name() != "sqlite":
        raise StorageError(f"{parsed.get_backend_name()} is not supported.", "Write sqlite:///PATH.")
    _create_private(parsed)
    engine = sa.create_engine(parsed, pool_size=8, max_overflow=8, pool_timeout=30)
    event.listen(engine, "connect", lambda raw, _: _prepare(raw, busy_seconds))
    event.listen(engine, "begin", _begin)
    return engine


def writer_lock(engine: Engine) -> AbstractContextManager[Any]:
    """What a thread holds while it writes: SQLite has one writer, and waiting for a lock is fairer than polling."""
    return threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()


@contextmanager
def translating() -> Iterator[None]:
    """Errors of the database that are errors of operation become StorageError; bugs stay as they are."""
    try:
        yield
    except exc.TimeoutError as error:
        raise StorageUnavailable("All connections to the database are in use.", "It is tried again.") from error
    except exc.IntegrityError as error:
        if "UNIQUE" in str(error.orig):
            raise Duplicate(f"Already written ({error.orig}).", "Claim the partition again.") from error
        raise
    except exc.DBAPIError as error:
        meaning = _meaning(error)
        if meaning is None:
            raise
        raise meaning from error


def _create_private(url: URL) -> None:
    if url.database in (None, "", ":memory:"):
        raise StorageError("A database in memory survives nothing.", "Write sqlite:///PATH.")
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StorageError(f"{path} cannot be opened ({error.strerror}).", _UNAVAILABLE[_CANTOPEN][1]) from error


def _prepare(raw: Any, busy_seconds: float) -> None:
    raw.isolation_level = None  # `_begin` starts transactions; the driver's own rules would start some too late
    cursor = raw.cursor()
    cursor.execute(f"PRAGMA busy_timeout={int(busy_seconds * 1000)}")
    mode = _log_ahead(cursor, busy_seconds)
    # what was acknowledged survives power loss, not only the death of the process
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA journal_size_limit=67108864")
    cursor.close()
    if mode != "wal":
        raise StorageError("This file system cannot hold a write-ahead log.", "Put the database on a local disk.")


def _log_ahead(cursor: Any, busy_seconds: float) -> str:
    # a new file's first change to WAL does not wait for another process that is doing the same, so this does
    until = time.monotonic() + busy_seconds
    while True:
        try:
            return str(cursor.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != _BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _begin(connection: Connection) -> None:
    # a transaction that reads first and writes later would fail at once when another process wrote in between
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _meaning(error: exc.DBAPIError) -> StorageError | None:
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is None:
        return None
    primary = code & 0xFF
    if primary in _UNAVAILABLE:
        return StorageUnavailable(*_UNAVAILABLE[primary])
    if primary in (_CORRUPT, _NOT_A_DATABASE):
        return StorageError(f"The database file is damaged ({error.orig}).", "Restore it from a backup.")
    return None
