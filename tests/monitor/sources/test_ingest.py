"""The ingest log: durable before it is acknowledged, whole after any crash, loud about damage."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from monitor.sources.base import Gap, SourceError
from monitor.sources.ingest import Broken, Full, IngestLog, IngestSettings
from tests.monitor.sources.contract import LONG, Bus, Positioned, SourceContract, placed, read, records, until, values

SMALL: dict[str, Any] = {"segment_bytes": 4096, "log_bytes_max": 65_536, "keep_seconds": 0}


class StoppedClock:
    """Time stands where the test puts it."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def log_in(folder: Path, clock: StoppedClock | None = None, **settings: Any) -> IngestLog:
    return IngestLog(IngestSettings.model_validate({"folder": folder, **settings}), clock=clock)


def opened(folder: Path, clock: StoppedClock | None = None, **settings: Any) -> IngestLog:
    log = log_in(folder, clock, **settings)
    log.start({})
    return log


def everything(log: IngestLog) -> list[tuple[int, bytes]]:
    return records(until(log, lambda _: log.lag() == dict.fromkeys(log.assigned(), 0)))


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.log"))


class IngestBus(Bus):
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log: IngestLog | None = None

    def append(self, values: list[bytes]) -> int:
        log = self._log or self._made("earliest")
        log.open()
        # In parts, as requests come; the log begins new files between them.
        first = [
            log.append(values[n : n + 1000] if len(values) > 100 else values[n : n + 1]) for n in self._parts(values)
        ]
        return first[0]

    @staticmethod
    def _parts(values: list[bytes]) -> range:
        return range(0, len(values), 1000 if len(values) > 100 else 1)

    def source(self, start: str = "earliest") -> Positioned:
        return self._made(start)

    def forget(self, before: int) -> None:
        assert self._log is not None
        self._log.decided(dict.fromkeys(self._log.assigned(), before))

    def close(self) -> None:
        if self._log is not None:
            self._log.stop()

    def _made(self, start: str) -> IngestLog:
        self.close()
        self._log = log_in(self._folder, start=start, segment_bytes=4096, log_bytes_max=10_000_000, keep_seconds=0)
        return self._log


class TestContract(SourceContract):
    @pytest.fixture
    def bus(self, tmp_path: Path) -> Iterator[Bus]:
        bus = IngestBus(tmp_path)
        yield bus
        bus.close()


def test_a_second_process_is_refused_and_told_what_to_do(tmp_path: Path) -> None:
    first = opened(tmp_path)
    with pytest.raises(SourceError) as refused:
        log_in(tmp_path).open()
    assert "another process" in refused.value.problem
    assert "folder" in refused.value.cure
    first.stop()
    opened(tmp_path).stop()


def test_concurrent_appends_get_their_own_offsets_and_share_fsyncs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(tmp_path)
    syncs = []
    real = os.fdatasync

    def counted(file: int) -> None:
        syncs.append(file)
        time.sleep(0.05)  # a disk that takes its time: the others gather meanwhile
        real(file)

    monkeypatch.setattr(os, "fdatasync", counted)
    sent = [[b"%d/%d" % (caller, n) for n in range(3)] for caller in range(64)]
    with ThreadPoolExecutor(16) as threads:
        firsts = list(threads.map(log.append, sent))
    assert sorted(firsts) == list(range(0, 192, 3))
    found = dict(everything(log))
    for first, batch in zip(firsts, sent, strict=True):
        assert [found[first + n] for n in range(3)] == batch
    assert len(syncs) < 32
    log.stop()


def test_a_record_is_stamped_when_it_is_appended_and_time_never_goes_back(tmp_path: Path) -> None:
    clock = StoppedClock(500.0)
    log = opened(tmp_path, clock)
    for now in (500.0, 620.5, 100.0):
        clock.now = now
        log.append([b"x"])
    log.stop()
    clock.now = 50.0
    log = opened(tmp_path, clock)
    log.append([b"x"])
    (batch,) = until(log, bool)
    assert batch.times == [500.0, 620.5, 620.5, 620.5]
    log.stop()


def test_time_does_not_go_back_over_an_empty_new_file(tmp_path: Path) -> None:
    clock = StoppedClock(900.0)
    log = opened(tmp_path, clock, **SMALL)
    log.append([LONG])
    log.stop()
    (tmp_path / f"{1:020d}.log").touch()  # a crash right after a new file was begun
    clock.now = 10.0
    log = opened(tmp_path, clock, **SMALL)
    assert log.append([b"after"]) == 1
    assert [batch.times for batch in until(log, lambda found: len(found) == 2)] == [[900.0], [900.0]]
    log.stop()


def test_what_is_not_decided_is_never_dropped_and_a_full_log_says_so(tmp_path: Path) -> None:
    log = opened(tmp_path, **SMALL)
    partition = placed(log)
    with pytest.raises(Full) as full:
        for _ in range(100):
            log.append([LONG])
    assert full.value.retry_after_seconds > 0
    kept = len(everything(log))
    assert kept == 65_536 // (len(LONG) + 36)
    log.decided({partition: 5})
    assert len(segments(tmp_path)) == kept - 5
    assert log.append([LONG]) == kept
    log.seek(partition, 0)
    assert [offset for offset, _ in everything(log)] == list(range(5, kept + 1))
    assert log.gaps() == [Gap(partition, 0, 5)]
    log.stop()


def test_a_refused_request_costs_the_others_nothing(tmp_path: Path) -> None:
    log = opened(tmp_path, **SMALL)
    with pytest.raises(Full):
        log.append([LONG * 20])
    assert log.append([b"small"]) == 0
    log.stop()


def test_decided_records_are_kept_for_their_time_while_there_is_room(tmp_path: Path) -> None:
    clock = StoppedClock(1000.0)
    log = opened(tmp_path, clock, **{**SMALL, "keep_seconds": 60})
    partition = placed(log)
    for _ in range(4):
        log.append([LONG])
    log.decided({partition: 4})
    assert len(segments(tmp_path)) == 4
    clock.now = 1061.0
    log.decided({partition: 4})
    assert len(segments(tmp_path)) == 1
    log.stop()


def test_a_full_disk_refuses_takes_back_and_resumes(tmp_path: Path) -> None:
    """In a child whose files may not grow: the write really fails half-way."""
    program = f"""
import resource
from pathlib import Path
from monitor.sources.ingest import Full, IngestLog, IngestSettings
log = IngestLog(IngestSettings(folder=Path({str(tmp_path)!r})))
log.start({{}})
log.append([b"a" * 1000])
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
log.append([b"b" * 1000])
try:
    log.append([b"c" * 5000])
    print("accepted")
except Full:
    print("full")
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(log.append([b"d"]))
"""
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert child.stdout.split() == ["full", "2"]
    log = opened(tmp_path)
    assert [value[:1] for _, value in everything(log)] == [b"a", b"b", b"d"]
    log.stop()


def test_after_a_failed_fsync_nothing_more_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = opened(tmp_path)
    log.append([b"good"])

    def failing(file: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", failing)
        with pytest.raises(Broken):
            log.append([b"lost"])
    with pytest.raises(Broken):
        log.append([b"too late"])
    log.stop()
    log = opened(tmp_path)
    assert [value for _, value in everything(log)] == [b"good"]
    log.stop()


def test_a_torn_end_is_cut_wherever_it_tore(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.append(values(0, 3))
    (path,) = segments(tmp_path)
    whole = path.stat().st_size
    log.append([b"last, never acknowledged"])
    log.stop()
    raw = path.read_bytes()
    for size in range(whole, len(raw)):
        path.write_bytes(raw[:size])
        log = opened(tmp_path)
        assert log.cut_bytes == size - whole
        assert log.append([b"next"]) == 3
        assert [value for _, value in everything(log)] == [*values(0, 3), b"next"]
        log.stop()


def test_a_torn_batch_is_cut_even_if_its_later_part_reached_the_disk(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.append([b"sure"])
    (path,) = segments(tmp_path)
    sure = path.stat().st_size
    log.append([b"torn", b"whole", b"whole"])
    log.stop()
    raw = bytearray(path.read_bytes())
    raw[sure + 10 : sure + 30] = bytes(20)
    path.write_bytes(raw)
    log = opened(tmp_path)
    assert [value for _, value in everything(log)] == [b"sure"]
    assert log.append([b"next"]) == 1
    log.stop()


@pytest.mark.parametrize("at", [0, 5, 9, 14, 22, 30, 40])
def test_a_damaged_record_in_the_middle_is_an_error_with_file_and_cure(tmp_path: Path, at: int) -> None:
    log = opened(tmp_path)
    for value in values(0, 3):
        log.append([value])
    log.stop()
    (path,) = segments(tmp_path)
    raw = bytearray(path.read_bytes())
    raw[44 + at] ^= 0x40  # in the second record: each is 36 bytes and its 8 of value
    path.write_bytes(raw)
    with pytest.raises(SourceError) as damaged:
        log_in(tmp_path).open()
    assert str(path) in damaged.value.problem
    assert "byte 44" in damaged.value.problem
    assert "gap" in damaged.value.cure
    assert path.read_bytes() == raw


def test_damage_in_an_older_file_is_found_when_it_is_read(tmp_path: Path) -> None:
    log = opened(tmp_path, **SMALL)
    for _ in range(3):
        log.append([LONG])
    log.stop()
    path = segments(tmp_path)[1]
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    log = opened(tmp_path, **SMALL)
    assert [offset for offset, _ in read(log, 1)] == [0]
    with pytest.raises(SourceError, match=path.name):
        log.poll(0)
    log.stop()


def test_a_file_cut_short_is_an_error_and_not_a_wait_for_ever(tmp_path: Path) -> None:
    log = opened(tmp_path, segment_bytes=4096, log_bytes_max=10**6)
    for value in [b"a", b"b", LONG, b"next file"]:
        log.append([value])
    log.stop()
    path = segments(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:74])
    log = opened(tmp_path, segment_bytes=4096, log_bytes_max=10**6)
    assert [value for _, value in read(log, 2)] == [b"a", b"b"]
    with pytest.raises(SourceError, match=path.name):
        log.poll(0)
    log.stop()


def test_a_moved_away_file_shows_as_a_gap(tmp_path: Path) -> None:
    log = opened(tmp_path, **SMALL)
    for _ in range(3):
        log.append([LONG])
    partition = placed(log)
    log.stop()
    segments(tmp_path)[0].unlink()
    log = log_in(tmp_path, **SMALL)
    log.start({partition: 0})
    assert [offset for offset, _ in read(log, 2)] == [1, 2]
    assert log.gaps() == [Gap(partition, 0, 1)]
    log.stop()


def test_a_frame_inside_a_value_is_never_taken_for_a_record(tmp_path: Path) -> None:
    log = opened(tmp_path / "other")
    log.append([b"forged"])
    log.append([b"forged"])
    log.stop()
    frames = segments(tmp_path / "other")[0].read_bytes()
    log = opened(tmp_path / "log")
    log.append([b"sure"])
    path = segments(tmp_path / "log")[0]
    log.append([frames])
    log.stop()
    path.write_bytes(path.read_bytes()[:-1])
    log = opened(tmp_path / "log")
    assert [value for _, value in everything(log)] == [b"sure"]
    log.stop()


def test_records_without_their_id_are_refused_and_not_erased(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.append([b"x"])
    log.stop()
    (tmp_path / "id").unlink()
    with pytest.raises(SourceError, match="id is missing"):
        log_in(tmp_path).open()
    assert segments(tmp_path)[0].stat().st_size > 0


def test_whether_records_are_attested_is_the_setting(tmp_path: Path) -> None:
    for attested in (True, False):
        log = opened(tmp_path / str(attested), attested=attested)
        log.append([b"x"])
        (batch,) = until(log, bool)
        assert batch.attested is attested
        log.stop()


CHILD = """
import sys
from pathlib import Path
from threading import Thread
from monitor.sources.ingest import IngestLog, IngestSettings
log = IngestLog(IngestSettings(folder=Path(sys.argv[1]), segment_bytes=65_536, log_bytes_max=2**30))
log.open()
def send(caller):
    n = 0
    while True:
        values = [b"%s/%d/%d " % (sys.argv[2].encode(), caller, n + i) + b"x" * (37 * (n % 11)) for i in range(1 + n % 3)]
        first = log.append(values)
        sys.stdout.write("".join(f"{first + i} {v.split()[0].decode()}\\n" for i, v in enumerate(values)))
        sys.stdout.flush()
        n += len(values)
for caller in range(4):
    Thread(target=send, args=(caller,)).start()
"""


def test_kill_9_at_random_instants_loses_no_acknowledged_record(tmp_path: Path) -> None:
    chance = random.Random(7)
    acknowledged: dict[int, str] = {}
    for life in range(12):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(life)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        said = [child.stdout.readline()]  # it is up
        time.sleep(chance.uniform(0, 0.15))
        child.send_signal(signal.SIGKILL)
        said += child.stdout.read().splitlines(keepends=True)
        child.wait()
        child.stdout.close()
        for line in said:
            if line.endswith("\n"):
                offset, value = line.split()
                assert int(offset) not in acknowledged
                acknowledged[int(offset)] = value
    log = opened(tmp_path, segment_bytes=65_536, log_bytes_max=2**30)
    found = everything(log)
    log.stop()
    kept = [value.split()[0].decode() for _, value in found]
    assert [offset for offset, _ in found] == list(range(len(found)))
    assert {offset: kept[offset] for offset in acknowledged} == acknowledged
    assert len(set(kept)) == len(kept)
    for life in range(12):
        for caller in range(4):
            mine = [int(v.split("/")[2]) for v in kept if v.startswith(f"{life}/{caller}/")]
            assert mine == list(range(len(mine)))
    assert len(acknowledged) > 100
