"""Rows are what the client itself reads, for every shape of record; what it would refuse is refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords, MemoryRecordsBuilder
from kafka.structs import TopicPartition

from monitor.sources.kafka.records import lean, row

GZIP, LZ4, ZSTD = 1, 3, 4
Shape = tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]
small = st.binary(max_size=300)
shapes = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=2**41),
        st.none() | small,
        st.none() | small,
        st.lists(st.tuples(st.text(max_size=5), st.none() | small), max_size=3),
    ),
    min_size=1,
    max_size=80,
)


def consumer() -> Any:
    return SimpleNamespace(_fetcher=SimpleNamespace(PartitionRecords=Fetcher.PartitionRecords))


def lean_class() -> Any:
    bare = consumer()
    assert lean(bare), "this version of the client has no seam"
    assert bare._fetcher.PartitionRecords is not Fetcher.PartitionRecords
    return bare._fetcher.PartitionRecords


def written(records: list[Shape], compression: int = 0) -> bytes:
    builder = MemoryRecordsBuilder(magic=2, compression_type=compression, batch_size=1 << 24)
    for timestamp, key, value, headers in records:
        builder.append(timestamp=timestamp, key=key, value=value, headers=headers)
    builder.close()
    return bytes(builder.buffer())


def parts(kind: Any, raw: bytes, offset: int = 0) -> Any:
    return kind(offset, TopicPartition("t", 0), MemoryRecords(raw))


@given(shapes, st.sampled_from([0, GZIP, LZ4, ZSTD]), st.integers(0, 90), st.integers(1, 90))
@settings(max_examples=60, deadline=None)
def test_rows_and_positions_are_the_clients_own(
    records: list[Shape], compression: int, offset: int, count: int
) -> None:
    raw = written(records, compression)
    ours, theirs = parts(lean_class(), raw, offset), parts(Fetcher.PartitionRecords, raw, offset)
    while ours or theirs:
        assert ours.take(count) == [row(record) for record in theirs.take(count)]
        assert (ours.next_fetch_offset, bool(ours)) == (theirs.next_fetch_offset, bool(theirs))
        assert ours.leader_epoch == theirs.leader_epoch


def test_a_broken_checksum_is_an_error_and_leaves_nothing_half_read() -> None:
    raw = bytearray(written([(1, None, b"x" * 50, [])]))
    raw[-5] ^= 1
    part = parts(lean_class(), bytes(raw))
    with pytest.raises(CorruptRecordError):
        part.take(10)
    assert not part


def test_a_record_longer_than_its_batch_is_an_error_and_leaves_nothing_half_read() -> None:
    raw = bytearray(written([(1, None, b"x" * 50, [])]))
    raw[61] = 0x7E  # the record's length, behind the header of the batch
    part = lean_class()(0, TopicPartition("t", 0), MemoryRecords(bytes(raw)), check_crcs=False)
    with pytest.raises(CorruptRecordError, match="offset 0"):
        part.take(10)
    assert not part


@pytest.mark.parametrize("other", [SimpleNamespace(), SimpleNamespace(_fetcher=SimpleNamespace(PartitionRecords=dict))])
def test_a_client_without_the_seam_is_left_as_it_is(other: Any) -> None:
    before = dict(vars(getattr(other, "_fetcher", other)))
    assert not lean(other)
    assert vars(getattr(other, "_fetcher", other)) == before


def test_a_client_that_reads_otherwise_is_left_as_it_is() -> None:
    class Changed(Fetcher.PartitionRecords):  # type: ignore[misc]  # the client ships no types
        def _unpack_records(self, *given: Any) -> Any:
            return (record._replace(timestamp=record.timestamp + 1) for record in super()._unpack_records(*given))

    other = SimpleNamespace(_fetcher=SimpleNamespace(PartitionRecords=Changed))
    assert not lean(other)
    assert other._fetcher.PartitionRecords is Changed
