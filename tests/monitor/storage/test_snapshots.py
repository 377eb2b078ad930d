from __future__ import annotations

import os
from typing import Any

import pytest

from monitor.sources.base import Partition
from monitor.storage.decision import Claim, Decision, Position
from monitor.storage.errors import Fenced
from monitor.storage.snapshots import GRACE_SECONDS, KEPT
from monitor.storage.store import Store


def save(store: Store, claim: Claim, offset: int, **parts: bytes) -> int:
    store.commit(claim, Decision(position_after=Position(offset)))
    return store.save_snapshot(claim, Position(offset), parts, "program", "settings")


def chunks(store: Store) -> int:
    with store._database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM snapshot_chunk").scalar_one())


def damage(store: Store, body: bytes) -> None:
    """The chunk that was written last."""
    with store._database.write() as connection:
        last = "(SELECT max(rowid) FROM snapshot_chunk)"
        connection.exec_driver_sql(f"UPDATE snapshot_chunk SET body = ? WHERE rowid = {last}", (body,))


def test_state_reads_back_as_it_was(store: Store, claim: Claim, partition: Partition) -> None:
    parts = {"0": b"", "1": os.urandom(6 << 20), "2": b"x" * 1000, "3": b"x" * 1000}
    number = save(store, claim, 5, **parts)
    loaded = store.load_snapshot(partition)
    assert loaded.warnings == ()
    assert loaded.snapshot == (number, Position(5), parts, "program", "settings")
    assert chunks(store) == 3, "equal parts are one chunk"


def test_a_partition_without_snapshots_has_none(store: Store, partition: Partition) -> None:
    assert store.load_snapshot(partition) == (None, ())


def test_only_what_changed_is_written(store: Store, claim: Claim, partition: Partition) -> None:
    first = save(store, claim, 1, a=b"a1", b=b"b1")
    second = store.save_snapshot(claim, Position(1), {"a": b"a2"}, "p", "s", unchanged=["b"], parent=first)
    assert chunks(store) == 3
    loaded = store.load_snapshot(partition).snapshot
    assert loaded is not None
    assert (loaded.number, loaded.parts) == (second, {"a": b"a2", "b": b"b1"})
    with pytest.raises(ValueError, match=r"no parts \['c'\]"):
        store.save_snapshot(claim, Position(1), {}, "p", "s", unchanged=["b", "c"], parent=second)


def test_old_snapshots_and_chunks_that_nobody_names_go(
    store: Store, claim: Claim, partition: Partition, clock: Any
) -> None:
    for offset in range(KEPT + 3):
        save(store, claim, offset, a=b"%d" % offset, b=b"same")
    assert chunks(store) == KEPT + 4, "a young chunk may belong to a snapshot that is being written"
    clock.now += GRACE_SECONDS + 1
    save(store, claim, 99, a=b"99", b=b"same")
    assert chunks(store) == KEPT + 1
    assert store.load_snapshot(partition, Position(98)).snapshot is not None


def test_a_snapshot_may_be_asked_for_that_is_not_later_than_a_cut(
    store: Store, claim: Claim, partition: Partition
) -> None:
    save(store, claim, 3, a=b"3")
    save(store, claim, 6, a=b"6")
    found = store.load_snapshot(partition, Position(5)).snapshot
    assert found is not None
    assert found.position == Position(3)
    assert store.load_snapshot(partition, Position(2)).snapshot is None


@pytest.mark.parametrize("how", ["garbage", "other content", "cut off", "emptied"])
def test_a_damaged_chunk_falls_back_to_the_snapshot_before_and_is_said(
    store: Store, claim: Claim, partition: Partition, how: str
) -> None:
    save(store, claim, 1, a=b"good")
    save(store, claim, 2, a=b"other")
    with store._database.read() as connection:
        bodies = connection.exec_driver_sql("SELECT body FROM snapshot_chunk ORDER BY rowid").scalars().all()
    replaced = {"garbage": b"garbage", "other content": bodies[0], "cut off": bodies[1][:-3], "emptied": b""}
    damage(store, replaced[how])
    loaded = store.load_snapshot(partition)
    assert loaded.snapshot is not None
    assert loaded.snapshot.position == Position(1)
    assert len(loaded.warnings) == 1
    assert "Part a of snapshot 2" in loaded.warnings[0]
    save(store, claim, 3, a=b"other")
    assert store.load_snapshot(partition).snapshot == (3, Position(3), {"a": b"other"}, "program", "settings")


def test_a_snapshot_is_never_ahead_of_what_is_decided(store: Store, claim: Claim) -> None:
    with pytest.raises(ValueError, match="ahead"):
        store.save_snapshot(claim, Position(0), {}, "p", "s")
    store.commit(claim, Decision(position_after=Position(5)))
    with pytest.raises(ValueError, match="ahead"):
        store.save_snapshot(claim, Position(5, 0, 1), {}, "p", "s")


def test_an_old_claim_leaves_no_snapshot(store: Store, claim: Claim, partition: Partition) -> None:
    store.commit(claim, Decision(position_after=Position(5)))
    store.claim(partition, "second")
    with pytest.raises(Fenced):
        store.save_snapshot(claim, Position(5), {"a": b"a"}, "p", "s")
    assert store.load_snapshot(partition).snapshot is None
