from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from monitor.clock import SystemClock
from monitor.findings import Alert
from monitor.sinks.base import Message
from monitor.storage.decision import Claim, Decision, Outgoing, Position
from monitor.storage.errors import StorageError, StorageUnavailable
from monitor.storage.store import Store

HOLD = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked_by_another_process(url: str) -> Iterator[None]:
    command = [sys.executable, "-S", "-c", HOLD, url.removeprefix("sqlite:///")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        yield
        holder.communicate("", timeout=10)


def test_a_lock_of_another_process_is_said_at_once_and_the_same_commit_then_lands(
    store: Store, claim: Claim, url: str, alert: Callable[..., Alert]
) -> None:
    decision = Decision(position_after=Position(3), findings=[("a", 1, alert())])
    with locked_by_another_process(url):
        started = time.monotonic()
        with pytest.raises(StorageUnavailable, match="locked"):
            store.commit(claim, decision)
        assert time.monotonic() - started < 5.0
        assert store.queries.open_alerts() == [], "reading is not blocked"
    assert claim.position is None
    store.commit(claim, decision)
    assert len(store.queries.open_alerts()) == 1


def test_a_full_disk_is_said_at_once_and_the_same_commit_lands_when_there_is_room(store: Store, claim: Claim) -> None:
    pages = 0

    def limit(raw: Any, *_: object) -> None:
        raw.execute(f"PRAGMA max_page_count={pages or 1 << 30}")

    event.listen(store._database.engine, "checkout", limit)
    store.commit(claim, Decision(position_after=Position(1)))
    with store._database.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one() + 4
    large = [Outgoing("log", Message(f"m{number}", "alert", 1.0, b'"%s"' % (b"x" * 4000))) for number in range(50)]
    decision = Decision(position_after=Position(2), outbox=large)
    for _ in range(2):
        with pytest.raises(StorageUnavailable, match="full") as caught:
            store.commit(claim, decision)
        assert "Free space" in caught.value.cure
    assert store.outbox.pending_count() == 0
    assert store.positions()[claim.partition] == Position(1)
    pages = 0
    store.commit(claim, decision)
    assert store.outbox.pending_count() == 50


def test_opening_waits_for_another_process_that_makes_the_same_file(url: str) -> None:
    raw = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    raw.execute("BEGIN IMMEDIATE")
    let_go = threading.Timer(0.3, raw.close)
    let_go.start()
    Store.open(url, SystemClock(), busy_seconds=20).close()
    let_go.join()


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("postgresql://localhost/driftd", "postgresql is not supported"),
        ("no address", "no database address"),
        ("sqlite:////proc/driftd/driftd.db", "cannot be opened"),
    ],
)
def test_an_address_that_cannot_work_is_refused_with_a_cure(wrong: str, problem: str) -> None:
    with pytest.raises(StorageError, match=problem) as caught:
        Store.open(wrong, SystemClock())
    assert caught.value.cure


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StorageError, match="damaged"):
        Store.open(f"sqlite:///{tmp_path}/x.db", SystemClock())


def test_the_file_is_for_its_owner_only(store: Store, url: str) -> None:
    path = url.removeprefix("sqlite:///")
    assert [Path(path + suffix).stat().st_mode & 0o077 for suffix in ("", "-wal", "-shm")] == [0, 0, 0]


def test_decisions_survive_power_loss_by_the_databases_own_settings(store: Store) -> None:
    with store._database.write() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 200}
