"""The writing half of the ingest log: many threads append, one fsync serves all that wait."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from threading import Condition, Lock

from monitor.clock import Clock
from monitor.sources.segments import OVERHEAD, Segment, Tail, frame, listed, path_of, recover, sync_folder

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Full(Exception):
    """There is no room: what was read and decided is gone already. Try again after `retry_after_seconds`."""

    retry_after_seconds = 5


class Broken(Exception):
    """The disk failed while writing; nothing more is accepted until the log is opened again."""


class _Entry:
    """Values of one caller, waiting for their offset."""

    __slots__ = ("error", "first", "values")

    def __init__(self, values: list[bytes]) -> None:
        self.values = values
        self.first: int | None = None
        self.error: Exception | None = None


class Appender:
    """The end of the log. `end` and the segments show only what is on disk for good."""

    def __init__(self, folder: Path, seed: int, clock: Clock, segment_bytes: int, bytes_max: int) -> None:
        self._folder, self._seed, self._clock = folder, seed, clock
        self._segment_bytes, self._bytes_max = segment_bytes, bytes_max
        self._waiting: list[_Entry] = []
        self._queue, self._writing = Lock(), Lock()
        self._broken = False
        self.grown = Condition()
        self.cut_bytes = 0
        self._open()

    def _open(self) -> None:
        self.segments = listed(self._folder) or [self._created(0)]
        last = self.segments[-1]
        tail = recover(last, self._seed)
        if tail.offset == last.first and len(self.segments) > 1:
            # The last segment is still empty: the time goes on from the one before.
            tail = tail._replace(time=recover(self.segments[-2], self._seed).time)
        self._file = os.open(last.path, os.O_WRONLY | os.O_APPEND)
        self.cut_bytes = last.size - tail.size
        self._cut(tail)
        self.end, self._time = tail.offset, tail.time

    def append(self, values: list[bytes]) -> int:
        """Offset of the first value, once all of them are on disk. Raises Full, Broken."""
        entry = _Entry(values)
        with self._queue:
            self._waiting.append(entry)
        with self._writing:
            # Whoever comes first writes for all who wait; the others find their work done.
            if entry.first is None and entry.error is None:
                self._write_waiting()
        if entry.error is not None:
            raise entry.error
        assert entry.first is not None  # noqa: S101  # one of the two was set under the lock
        return entry.first

    def release(self, upto: int, seconds_max: float) -> list[Segment]:
        """Delete closed segments below `upto` that are older than this, or stand in the way of new records."""
        gone: list[Segment] = []
        with self._writing:
            while len(self.segments) > 1 and self.segments[1].first <= upto:
                oldest = self.segments[0]
                roomy = self._total() + self._segment_bytes <= self._bytes_max
                if roomy and self._clock.time() - oldest.time < seconds_max:
                    break
                oldest.path.unlink()
                gone.append(self.segments.pop(0))
        return gone

    def wait(self, offset: int, timeout_seconds: float) -> None:
        """Until there is a record at this offset, or the time is over."""
        until = time.monotonic() + timeout_seconds
        with self.grown:
            while self.end <= offset and (left := until - time.monotonic()) > 0:
                self.grown.wait(left)

    def close(self) -> None:
        """Wait for what is being written, and close."""
        with self._writing:
            self._broken = True
            os.close(self._file)

    def _write_waiting(self) -> None:
        with self._queue:
            entries, self._waiting = self._waiting, []
        if self._broken:
            self._refuse(entries, Broken("the ingest log is closed"))
            return
        room = self._bytes_max - self._total()
        taken: list[_Entry] = []
        for entry in entries:
            room -= sum(len(value) + OVERHEAD for value in entry.values)
            if room < 0:
                entry.error = Full("the ingest log is full: driftd reads slower than it is written to")
            else:
                taken.append(entry)
        if taken:
            self._write(taken)

    def _write(self, entries: list[_Entry]) -> None:
        try:
            if self.segments[-1].size >= self._segment_bytes:
                self._roll()
            last = self.segments[-1]
            now = max(self._time, self._clock.time())
            values = [value for entry in entries for value in entry.values]
            raw = b"".join(frame(self._seed, self.end + n, last.size, now, value) for n, value in enumerate(values))
            _write_all(self._file, raw)
            os.fdatasync(self._file)
        except OSError as error:
            self._fail(entries, error)
            return
        last.size, last.time, self._time = last.size + len(raw), now, now
        offset = self.end
        for entry in entries:
            entry.first = offset
            offset += len(entry.values)
        with self.grown:
            self.end = offset
            self.grown.notify_all()

    def _fail(self, entries: list[_Entry], error: OSError) -> None:
        """Nothing of this was acknowledged: take it back. After anything but a full disk the file is not trusted."""
        try:
            self._cut(Tail(self.end, self.segments[-1].size, self._time))
        except OSError:
            self._broken = True
        if error.errno in NO_ROOM and not self._broken:
            self._refuse(entries, Full(f"no room on the disk of {self._folder}: {error.strerror}"))
        else:
            self._broken = True
            self._refuse(entries, Broken(f"the disk of {self._folder} failed: {error.strerror}"))

    @staticmethod
    def _refuse(entries: list[_Entry], error: Exception) -> None:
        for entry in entries:
            entry.error = error

    def _cut(self, tail: Tail) -> None:
        os.ftruncate(self._file, tail.size)
        os.fsync(self._file)
        self.segments[-1].size, self.segments[-1].time = tail.size, tail.time

    def _roll(self) -> None:
        fresh = self._created(self.end)
        file = os.open(fresh.path, os.O_WRONLY | os.O_APPEND)
        os.close(self._file)
        self._file = file
        self.segments.append(fresh)

    def _created(self, first: int) -> Segment:
        path = path_of(self._folder, first)
        path.touch()
        sync_folder(self._folder)
        return Segment(path, first, 0)

    def _total(self) -> int:
        return sum(segment.size for segment in self.segments)


def _write_all(file: int, raw: bytes) -> None:
    rest = memoryview(raw)
    while rest:
        rest = rest[os.write(file, rest) :]
