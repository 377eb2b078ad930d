"""From fetched bytes to rows, at a third of the client's own cost.

kafka-python makes two objects for every record, with key, headers and sizes that nobody here reads; that is most of
what reading costs. Its fetcher looks `PartitionRecords` up on the instance, and this puts a subclass there that takes
four values of a record and leaves the rest: networking, groups, positions and checksums stay the client's. The
attribute is private, so `lean` first reads a sample through both ways, and without equal rows nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords, MemoryRecordsBuilder
from kafka.structs import TopicPartition

#: offset, time in milliseconds (-1: none), whether the broker gave the time, value
Row = tuple[int, int, bool, bytes]
LOG_APPEND_TIME = 1


def row(record: Any) -> Row:
    """A record of the client's as a row; a record without a value has an empty one."""
    return record.offset, record.timestamp, record.timestamp_type == LOG_APPEND_TIME, record.value or b""


def lean(consumer: Any) -> bool:
    """Make this consumer's `poll` give rows instead of records, if this client's version allows it."""
    try:
        fetcher = consumer._fetcher  # noqa: SLF001  # the seam; a version without it is told by the check
        theirs = fetcher.PartitionRecords
        ours = _lean(theirs)
        if _sample(ours) != [row(record) for record in _sample(theirs)]:
            return False
        fetcher.PartitionRecords = ours
    except (AttributeError, TypeError, ValueError, IndexError):
        return False
    return True


def _lean(theirs: Any) -> Any:
    class LeanRecords(theirs):  # type: ignore[misc]  # the client ships no types
        """Records of one partition, as rows."""

        def take(self, n: int | None = None) -> list[Row]:
            try:
                taken: list[Row] = super().take(n)
            except CorruptRecordError:
                # The client would ask an ended generator for more for ever; drained, it fetches again.
                self.drain()
                raise
            return taken

        def _maybe_skip_record(self, found: Row) -> bool:
            return found[0] < int(self.fetch_offset)

        def _unpack_records(self, tp: Any, records: Any, key: Any, value: Any) -> Iterator[Row]:
            last = None
            while (batch := records.next_batch()) is not None:
                if batch.magic != 2 or (self.check_crcs and not batch.validate_crc()):
                    # Old formats and damage: the client's own way, with its own errors.
                    yield from self._theirs(tp, records, batch)
                    return
                last = batch
                self.leader_epoch = batch.leader_epoch
                self.bytes_read += batch.size_in_bytes
                for found in () if batch.is_control_batch else _sound_rows(batch):
                    self.next_fetch_offset = found[0] + 1
                    yield found
            if last is not None:
                self.next_fetch_offset = last.next_offset
            self.drain()

        def _theirs(self, tp: Any, records: Any, batch: Any) -> Iterator[Row]:
            whole = theirs._unpack_records(self, tp, _Before(batch, records), None, None)  # noqa: SLF001
            return map(row, whole)

    return LeanRecords


class _Before:
    """Batches with one put back at their front."""

    def __init__(self, first: Any, rest: Any) -> None:
        self._first, self._rest = first, rest

    def next_batch(self) -> Any:
        if self._first is None:
            return self._rest.next_batch()
        first, self._first = self._first, None
        return first


def _sound_rows(batch: Any) -> list[Row]:
    try:
        return rows(batch)
    except (IndexError, ValueError) as error:
        raise CorruptRecordError(f"the batch at offset {batch.base_offset} is malformed") from error


def rows(batch: Any) -> list[Row]:  # noqa: PLR0912 -- numbers are read in place
    """The rows of a batch of format 2. Raises IndexError or ValueError for one that is malformed."""
    batch._maybe_uncompress()  # noqa: SLF001  # covered by the check in `lean`
    data, at = bytes(batch._buffer), batch._pos  # noqa: SLF001
    base, stamp, appended = batch.base_offset, batch.first_timestamp, batch.timestamp_type == LOG_APPEND_TIME
    if appended:
        stamp = batch.max_timestamp
    found: list[Row] = []
    add = found.append
    for _ in range(batch.records_count):
        # Most lengths and offsets take two bytes; reading them in place saves calls, a tenth of what reading costs.
        byte, more = data[at], data[at + 1]
        if byte > 127 and more < 128:
            length, at = (byte & 127 | more << 7) >> 1 ^ -(byte & 1), at + 2
        else:
            length, at = _varint(data, at)
        end = at + length
        at += 1  # attributes: none are defined
        if appended:
            while data[at] > 127:
                at += 1
            at, time = at + 1, stamp
        else:
            delta, at = _varint(data, at)
            time = stamp + delta
        byte, more = data[at], data[at + 1]
        if byte > 127 and more < 128:
            number, at = (byte & 127 | more << 7) >> 1 ^ -(byte & 1), at + 2
        else:
            number, at = _varint(data, at)
        if data[at] == 1:
            at += 1  # no key
        else:
            size, at = _varint(data, at)
            at += max(size, 0)
        byte, more = data[at], data[at + 1]
        if byte > 127 and more < 128:
            size, at = (byte & 127 | more << 7) >> 1 ^ -(byte & 1), at + 2
        else:
            size, at = _varint(data, at)
        if at + max(size, 0) > end or end > len(data):
            raise ValueError(f"a record of the batch at offset {base} is longer than it says")
        add((base + number, time, appended, data[at : at + size] if size > 0 else b""))
        at = end
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A zig-zag number, and the position behind it."""
    byte = data[at]
    if byte < 128:
        return (byte >> 1) ^ -(byte & 1), at + 1
    value, shift = byte & 127, 7
    while True:
        at += 1
        byte = data[at]
        value |= (byte & 127) << shift
        if byte < 128:
            return (value >> 1) ^ -(value & 1), at + 1
        shift += 7


def _sample(kind: Any) -> list[Any]:
    """Records of all shapes, read by this class from bytes that the client itself wrote."""
    written = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1 << 20)
    for n, (key, value) in enumerate(
        [(None, b"x"), (b"key", None), (b"", b"y" * 300), (b"k" * 200, b""), (None, b"z")]
    ):
        headers = [("name", b"v"), ("none", None)] if n % 2 else []
        written.append(timestamp=1_700_000_000_000 + 977 * n * n, key=key, value=value, headers=headers)
    written.close()
    part = kind(0, TopicPartition("sample", 0), MemoryRecords(written.buffer()))
    return list(part.take(100))
