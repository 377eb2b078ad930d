"""One suite for every log with positions: what holds for the ingest log holds for real Kafka, and the reverse."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

import pytest

from monitor.sources.base import Gap, Partition, RawBatch, Source, SourceError

SECONDS_MAX = 30
#: long enough that the ingest log begins a new file for each
LONG = b"x" * 5000


class Positioned(Source, Protocol):
    """A source that says where it stands."""

    def positions(self) -> dict[Partition, int]: ...


class Bus(ABC):
    """A log with one partition, and sources that read it."""

    @abstractmethod
    def append(self, values: list[bytes]) -> int:
        """Offset of the first."""

    @abstractmethod
    def source(self, start: str = "earliest") -> Positioned:
        """A new reader, as a new process would have it; the one before is stopped."""

    @abstractmethod
    def forget(self, before: int) -> None:
        """The log now begins at this offset."""


def until(source: Source, done: Callable[[list[RawBatch]], bool], seconds: float = SECONDS_MAX) -> list[RawBatch]:
    """Poll until it is so; troubles on the way are as they are with a daemon: said, and tried again."""
    batches: list[RawBatch] = []
    end = time.monotonic() + seconds
    while not done(batches):
        assert time.monotonic() < end, f"still waiting; {[(b.partition, b.offsets) for b in batches]}"
        try:
            batches += source.poll(0.2)
        except SourceError:
            time.sleep(0.1)
    return batches


def records(batches: list[RawBatch]) -> list[tuple[int, bytes]]:
    return [pair for batch in batches for pair in zip(batch.offsets, batch.values, strict=True)]


def read(source: Source, count: int) -> list[tuple[int, bytes]]:
    return records(until(source, lambda batches: len(records(batches)) >= count))


def quiet(source: Source, seconds: float = 0.7) -> bool:
    """Nothing comes for a while."""
    end = time.monotonic() + seconds
    return not any(source.poll(0.1) for _ in iter(lambda: time.monotonic() < end, False))


def placed(source: Source) -> Partition:
    until(source, lambda _: len(source.assigned()) == 1)
    return next(iter(source.assigned()))


def values(first: int, count: int) -> list[bytes]:
    return [b"record %d" % n for n in range(first, first + count)]


class SourceContract:
    """Subclasses give the fixture `bus`."""

    def test_reads_from_the_earliest_record_with_its_offset_and_time(self, bus: Bus) -> None:
        assert bus.append(values(0, 5)) == 0
        source = bus.source()
        source.start({})
        batches = until(source, lambda found: len(records(found)) >= 5)
        assert records(batches) == list(enumerate(values(0, 5)))
        for batch in batches:
            assert batch.next_offset == batch.offsets[-1] + 1
            assert batch.trusted_time
            assert batch.times is not None
            assert all(abs(at - time.time()) < 60 for at in batch.times)
            assert batch.times == sorted(batch.times)

    def test_the_stored_position_wins_and_nothing_is_read_twice(self, bus: Bus) -> None:
        bus.append(values(0, 10))
        first = bus.source()
        first.start({})
        read(first, 10)
        partition = placed(first)
        again = bus.source(start="latest")
        again.start({partition: 4})
        assert read(again, 6) == [(n, b"record %d" % n) for n in range(4, 10)]
        assert quiet(again)
        assert again.gaps() == []

    def test_a_partition_shows_before_its_first_record_so_that_seek_can_place_it(self, bus: Bus) -> None:
        bus.append(values(0, 6))
        source = bus.source()
        source.start({})
        while not source.assigned():
            assert source.poll(0.2) == []
        source.seek(placed(source), 5)
        assert read(source, 1) == [(5, b"record 5")]

    @pytest.mark.parametrize(("start", "first"), [("earliest", 0), ("latest", 6)])
    def test_where_a_fresh_partition_begins_is_known_before_its_first_record(
        self, bus: Bus, start: str, first: int
    ) -> None:
        bus.append(values(0, 6))
        source = bus.source(start)
        source.start({})
        while not source.positions():
            assert source.poll(0.2) == []
        assert source.positions() == {placed(source): first}

    def test_latest_reads_only_what_comes_later(self, bus: Bus) -> None:
        bus.append(values(0, 3))
        source = bus.source(start="latest")
        source.start({})
        placed(source)
        assert quiet(source)
        bus.append(values(3, 2))
        assert read(source, 2) == [(3, b"record 3"), (4, b"record 4")]

    def test_a_position_below_the_log_is_a_gap_and_reading_goes_on(self, bus: Bus) -> None:
        bus.append([LONG + value for value in values(0, 8)])
        first = bus.source()
        first.start({})
        read(first, 8)
        partition = placed(first)
        bus.forget(6)
        source = bus.source()
        source.start({partition: 2})
        assert [offset for offset, _ in read(source, 2)] == [6, 7]
        assert source.gaps() == [Gap(partition, wanted=2, found=6)]
        assert source.gaps() == []

    def test_a_position_beyond_the_end_is_a_gap_and_reading_goes_on_at_the_end(self, bus: Bus) -> None:
        bus.append(values(0, 3))
        first = bus.source()
        first.start({})
        partition = placed(first)
        read(first, 3)
        source = bus.source()
        source.start({partition: 100})
        assert quiet(source)
        assert source.gaps() == [Gap(partition, wanted=100, found=3)]
        bus.append(values(3, 1))
        assert read(source, 1) == [(3, b"record 3")]

    def test_a_paused_partition_is_kept_and_loses_nothing(self, bus: Bus) -> None:
        source = bus.source()
        source.start({})
        partition = placed(source)
        source.pause(partition)
        bus.append(values(0, 4))
        assert quiet(source)
        assert source.assigned() == {partition}
        source.resume(partition)
        assert read(source, 4) == list(enumerate(values(0, 4)))

    def test_seek_goes_back_and_forth(self, bus: Bus) -> None:
        bus.append(values(0, 20))
        source = bus.source()
        source.start({})
        read(source, 20)
        partition = placed(source)
        for offset in (0, 17, 3, 20):
            source.seek(partition, offset)
            assert [at for at, _ in read(source, 20 - offset)] == list(range(offset, 20))

    def test_seek_while_paused_takes_effect_when_resumed(self, bus: Bus) -> None:
        bus.append(values(0, 4))
        source = bus.source()
        source.start({})
        read(source, 4)
        partition = placed(source)
        source.pause(partition)
        source.seek(partition, 2)
        assert quiet(source)
        source.resume(partition)
        assert [at for at, _ in read(source, 2)] == [2, 3]

    def test_lag_counts_what_waits(self, bus: Bus) -> None:
        source = bus.source()
        source.start({})
        bus.append(values(0, 3))
        read(source, 3)
        partition = placed(source)
        assert source.lag() == {partition: 0}
        source.pause(partition)
        bus.append(values(3, 4))
        until(source, lambda _: source.lag() == {partition: 4})

    def test_the_id_of_the_source_stays_and_nothing_is_assigned_after_stop(self, bus: Bus) -> None:
        bus.append(values(0, 1))
        first = bus.source()
        first.start({})
        partition = placed(first)
        second = bus.source()
        second.start({})
        assert placed(second) == partition
        second.stop()
        assert second.assigned() == set()

    def test_records_of_any_bytes_come_back_as_they_were(self, bus: Bus) -> None:
        odd = [b"", b"\x00", b"\n\r\n", bytes(range(256)), b"\xff" * 70_000]
        bus.append(odd)
        source = bus.source()
        source.start({})
        assert [value for _, value in read(source, len(odd))] == odd

    @pytest.mark.parametrize("count", [9000])
    def test_many_records_come_in_bounded_polls_in_order(self, bus: Bus, count: int) -> None:
        bus.append(values(0, count))
        source = bus.source()
        source.start({})
        batches = until(source, lambda found: len(records(found)) >= count)
        assert records(batches) == list(enumerate(values(0, count)))
        assert max(len(batch.offsets) for batch in batches) <= 4096
