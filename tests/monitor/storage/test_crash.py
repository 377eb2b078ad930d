"""kill -9 at random instants: nothing that was acknowledged is lost, nothing is there twice, positions fit."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable

import pytest

from detectors.core.inputs import Tick
from monitor.clock import SystemClock
from monitor.findings import Alert, encode
from monitor.sinks.base import Message
from monitor.sources.base import Partition
from monitor.storage.decision import AuditEntry, Decision, Outgoing, Position
from monitor.storage.store import Store

KILLS = 40


def _work(url: str, partition: Partition, make: Callable[..., Alert], acknowledge: int) -> None:
    """Commit for ever: an input, a decision of two lines with all that belongs to it, now and then a snapshot."""
    store = Store.open(url, SystemClock())
    claim = store.claim(partition, f"{os.getpid()}")
    start = 0 if claim.position is None else claim.position.offset
    for offset in range(start, 1_000_000):
        appended = store.append_inputs(claim, offset, [Tick(time=float(offset))])
        id_ = f"a{offset}"
        first, last = make(id_), make(id_, state="resolved", why="decayed")
        sent = [Outgoing(sink, Message(id_, "alert", 1.0, encode(first)), id_) for sink in ("log", "webhook")]
        store.commit(
            claim,
            Decision(
                position_after=Position(offset + 1, 0, appended[-1].seq),
                findings=[(id_, 1, first), (id_, 2, last)],
                outbox=sent,
                audit=[AuditEntry("child", id_)],
            ),
        )
        os.write(acknowledge, b"%d\n" % (offset + 1))
        if offset % 5 == 0 and claim.position is not None:
            store.save_snapshot(claim, claim.position, {"0": b"%d" % offset, "1": b"same"}, "p", "s")


def _run_and_kill(url: str, partition: Partition, make: Callable[..., Alert], seconds: float) -> int:
    """Returns the last position that the child was told is durable."""
    receive, acknowledge = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _work(url, partition, make, acknowledge)
        finally:
            os._exit(1)
    os.close(acknowledge)
    heard = os.read(receive, 1 << 16)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the child ended before it was killed"
    while more := os.read(receive, 1 << 16):
        heard += more
    os.close(receive)
    return int(heard.split()[-1])


@pytest.mark.chaos
def test_kill_9_at_random_instants(url: str, partition: Partition, alert: Callable[..., Alert]) -> None:
    chance = random.Random(7)
    Store.open(url, SystemClock()).close()
    for _ in range(KILLS):
        acknowledged = _run_and_kill(url, partition, alert, chance.random() * 0.03)
        store = Store.open(url, SystemClock())
        position = store.positions()[partition]
        count = position.offset
        assert count in (acknowledged, acknowledged + 1)
        expected = [(f"a{number}", line) for number in range(count) for line in (1, 2)]
        assert [(line.id, line.line) for line in store.queries.findings(limit=10**6)] == expected
        assert store.outbox.pending_count() == 2 * count
        assert store.queries.audit_head().seq == count
        assert store.queries.verify_audit() is None
        numbers = [(stored.seq, stored.at_offset) for stored in store.read_inputs(partition)]
        assert [seq for seq, _ in numbers] == list(range(1, len(numbers) + 1))
        assert numbers[position.seq - 1][1] == count - 1
        assert len(numbers) - position.seq <= 1, "an input is at most one decision ahead after one crash"
        loaded = store.load_snapshot(partition)
        assert loaded.warnings == ()
        assert loaded.snapshot is None or loaded.snapshot.position <= position
        store.close()
        if len(numbers) > position.seq:
            _apply_left_over(url, partition)


def _apply_left_over(url: str, partition: Partition) -> None:
    """What a restart does with an input that was written and not yet decided on."""
    store = Store.open(url, SystemClock())
    claim = store.claim(partition, "restart")
    assert claim.position is not None
    left = store.read_inputs(partition, claim.position.offset, claim.position.seq)
    store.commit(claim, Decision(position_after=Position(claim.position.offset, 0, left[-1].seq)))
    store.close()
