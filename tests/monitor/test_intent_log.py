from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from detectors.core.inputs import Receipt
from monitor.hooks.base import Order, Plan
from monitor.intent_log import IntentLog, IntentLogError
from monitor.intents import Attempt, Done, Finished, Intent, Obeyed, Record, Release, Reported, Undone, Verified


def intent(id_: str = "c1") -> Intent:
    return Intent(Order(id_, 1.0, "", "billing/1", "billing", "kill", 1234.0, "reached"), 1.0, 2.0, 0, by_person=False)


def story(id_: str = "c1") -> list[Record]:
    receipt = Receipt(id_, 5.0, "", "billing/1", "kill", "confirmed")
    plan = Plan("end it", ("process 7",), (), {"pid": 7, "start": 70})
    return [
        intent(id_), Attempt(id_, "exec", plan), Done(id_, "exec", {"a": 1}), Verified(id_, "exec", worked=True),
        Finished(receipt), Reported(id_, release=False),
    ]  # fmt: skip


def written(path: Path, records: list[Record]) -> None:
    log = IntentLog(path)
    for record in records:
        log.append(record)
    log.close()


def test_what_was_appended_is_there_again(tmp_path: Path) -> None:
    written(tmp_path / "log", [*story(), Obeyed(99), intent("c2")])
    log = IntentLog(tmp_path / "log")
    act = log.orders["c1"].acts["exec"]
    assert (act.done, act.worked, act.plan and act.plan.state) == ({"a": 1}, True, {"pid": 7, "start": 70})
    assert log.obeyed == 99
    assert [state.intent.order.id for state in log.recover()] == ["c2"]


@pytest.mark.parametrize("length", range(6))
def test_recover_tells_what_was_decided_and_not_finished(tmp_path: Path, length: int) -> None:
    written(tmp_path / "log", story()[:length])
    assert len(IntentLog(tmp_path / "log").recover()) == (length > 0)


def test_a_torn_tail_is_cut_off_at_every_length(tmp_path: Path) -> None:
    path = tmp_path / "log"
    written(path, story()[:2])
    whole = path.stat().st_size
    written(path, story()[2:3])
    content = path.read_bytes()
    for length in range(whole, len(content)):
        path.write_bytes(content[:length])
        log = IntentLog(path)
        assert log.orders["c1"].acts["exec"].done is None
        log.append(Done("c1", "exec", {"again": 1}))
        log.close()
        log = IntentLog(path)
        assert log.orders["c1"].acts["exec"].done == {"again": 1}
        log.close()


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"\x10\0\0\0" + b"x" * 40, b"\xff" * 7])
def test_a_tail_that_is_no_record_is_cut_off(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "log"
    written(path, story())
    size = path.stat().st_size
    with path.open("ab") as out:
        out.write(tail)
    IntentLog(path).close()
    assert path.stat().st_size == size


@pytest.mark.parametrize("at", [0, 5, 30])
def test_damage_before_other_records_is_refused_and_nothing_is_forgotten(tmp_path: Path, at: int) -> None:
    path = tmp_path / "log"
    written(path, story())
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(IntentLogError, match="damaged at byte 0"):
        IntentLog(path)
    assert path.read_bytes() == content


def test_two_daemons_do_not_share_it(tmp_path: Path) -> None:
    log = IntentLog(tmp_path / "log")
    code = f"from pathlib import Path; from monitor.intent_log import IntentLog; IntentLog(Path({str(tmp_path / 'log')!r}))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert b"is in use" in other.stderr
    log.close()
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_it_is_on_disk_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, synced = IntentLog(tmp_path / "log"), []
    monkeypatch.setattr(os, "fdatasync", lambda handle: synced.append(os.fstat(handle).st_size))
    log.append(intent())
    assert synced == [(tmp_path / "log").stat().st_size]


def test_a_full_disk_leaves_it_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = IntentLog(tmp_path / "log")
    log.append(intent())

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", full)
        with pytest.raises(OSError, match="No space"):
            log.append(intent("c2"))
    assert list(log.orders) == ["c1"]
    log.append(intent("c3"))
    log.close()
    assert list(IntentLog(tmp_path / "log").orders) == ["c1", "c3"]


def test_a_long_log_forgets_what_ended_long_ago_and_nothing_that_is_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    released = Receipt("c1", 9.0, "", "billing/1", "release", "undone")
    ending: list[Record] = [
        Release("c1", "ann"),
        Undone("c1", "exec"),
        Finished(released),
        Reported("c1", release=True),
    ]
    young: Intent = msgspec.structs.replace(intent("c3"), at=time.time())
    skipped = Finished(Receipt("c3", 5.0, "", "billing/1", "kill", "skipped"))
    written(path, [*story("c1"), *story("c2"), *ending, young, skipped, Reported("c3", release=False), Obeyed(7)])
    before = path.stat().st_size
    monkeypatch.setattr("monitor.intent_log.COMPACT_BYTES", 100)
    for _ in range(2):
        log = IntentLog(path)
        assert list(log.orders) == ["c2", "c3"]
        assert log.obeyed == 7
        log.append(Release("c2", "ann"))
        log.close()
    assert path.stat().st_size < before
    log = IntentLog(path)
    assert (log.orders["c2"].release, log.orders["c2"].acts["exec"].worked) == ("ann", True)
    with pytest.raises(IntentLogError, match="in use"):
        IntentLog(path)
