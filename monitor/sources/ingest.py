"""The ingest log: a local, append-only log with the semantics of one Kafka partition. HTTP ingest writes to it."""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal, Self

from crc32c import crc32c
from pydantic import Field, model_validator

from monitor.clock import Clock, SystemClock
from monitor.section import Section
from monitor.sources.appending import Appender, Broken, Full
from monitor.sources.assignment import Assignment
from monitor.sources.base import Gap, Partition, RawBatch, SourceError
from monitor.sources.segments import (
    VALUE_BYTES_MAX,
    CorruptSegment,
    Frame,
    Segment,
    read_frame,
    sync_folder,
    wanted_bytes,
)

__all__ = ["Broken", "Full", "IngestLog", "IngestSettings"]
CHUNK_BYTES = 1_048_576


class IngestSettings(Section):
    """The log behind `POST /v1/events`, for one daemon; several daemons share Kafka instead."""

    type: Literal["ingest"] = "ingest"
    folder: Path | None = Field(None, description="where its files lie; default: ingest/NAME in state_dir")
    format: str = Field("native", description="how records are written")
    attested: bool = Field(False, description="ingest tokens bind senders to agents; only such evidence contains")
    start: Literal["earliest", "latest"] = Field("earliest", description="where it begins when it was never read")
    bytes_max: int = Field(1_048_576, ge=1024, description="largest body of a request, in bytes")
    segment_bytes: int = Field(16_777_216, ge=4096, description="size from which a new file is begun")
    log_bytes_max: int = Field(1_073_741_824, ge=65_536, description="size at which new records are refused with 429")
    keep_seconds: float = Field(86_400, ge=0, description="decided records are kept at least so long, if there is room")
    poll_records_max: int = Field(4096, ge=1, description="records given at once")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.segment_bytes * 4 > self.log_bytes_max:
            raise ValueError("log_bytes_max must be at least four times segment_bytes: room is made by whole files")
        return self


class IngestLog:
    """The log as a source, with partition 0; its source id is a random UUID kept in its folder.

    `append` may be called from any thread; the rest belongs to the polling thread.
    """

    kind: ClassVar[str] = "ingest"

    def __init__(
        self,
        settings: IngestSettings,
        *,
        name: str = "ingest",
        clock: Clock | None = None,
        state_dir: Path = Path(),
    ) -> None:
        self.name = name
        self.folder = settings.folder or state_dir / "ingest" / name
        self._settings = settings
        self._clock = clock or SystemClock()
        self._assignment = Assignment({})
        self._paused = False
        self._log: Appender | None = None
        self._reader: _Reader | None = None
        self._lock: int | None = None
        self._partition = Partition("", 0)

    def open(self) -> None:
        """Lock the folder and mend its end after a crash. Raises SourceError; without effect when it is open."""
        if self._log is not None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.folder / "lock")
            identity = _identity(self.folder)
            seed = crc32c(identity.bytes)
            settings = self._settings
            self._log = Appender(self.folder, seed, self._clock, settings.segment_bytes, settings.log_bytes_max)
        except (OSError, ValueError, CorruptSegment) as error:
            self._unlock()
            raise self._trouble(error) from error
        self._partition = Partition(str(identity), 0)
        self._reader = _Reader(self._log, seed)

    def append(self, values: list[bytes]) -> int:
        """Offset of the first value, once all are on disk. Raises Full (try later), Broken (the disk failed)."""
        if self._log is None:
            raise Broken("the ingest log is not open")
        if any(len(value) > VALUE_BYTES_MAX for value in values):
            raise ValueError(f"a record is longer than {VALUE_BYTES_MAX} bytes")
        return self._log.append(values)

    @property
    def cut_bytes(self) -> int:
        """Bytes of unacknowledged records that the last crash left behind and `open` cut off."""
        return self._log.cut_bytes if self._log else 0

    def start(self, positions: dict[Partition, int]) -> None:
        """Open, and go on at the stored position. Raises SourceError."""
        self.open()
        self._assignment = Assignment(positions)
        self._assignment.give(self._partition)

    def poll(self, timeout_seconds: float) -> list[RawBatch]:
        """Records that are on disk for good. Raises SourceError for one that cannot be read back."""
        assert self._log is not None and self._reader is not None, "start first"  # noqa: S101, PT018
        if not self._assignment.is_placed(self._partition):
            self._place(self._log)
            return []  # so that `positions` can be read before the first record
        offset = self._assignment.next(self._partition)
        if self._paused:
            time.sleep(timeout_seconds)
            return []
        self._log.wait(offset, timeout_seconds)
        try:
            frames = list(self._reader.read(offset, self._settings.poll_records_max))
        except (OSError, CorruptSegment) as error:
            raise self._trouble(error) from error
        if not frames:
            return []
        batch = RawBatch(
            self._partition,
            offsets=[frame.offset for frame in frames],
            times=[frame.time for frame in frames],
            values=[frame.value for frame in frames],
            next_offset=frames[-1].offset + 1,
            attested=self._settings.attested,
        )
        self._assignment.read(batch)
        return [batch]

    def assigned(self) -> set[Partition]:
        """The one partition."""
        return self._assignment.all()

    def positions(self) -> dict[Partition, int]:
        """Next offset of the partition, once it is being read."""
        return self._assignment.positions()

    def gaps(self) -> list[Gap]:
        """Stored positions that were no longer there, since the last call."""
        return self._assignment.gaps()

    def seek(self, partition: Partition, offset: int) -> None:
        """Go on from this offset."""
        self._assignment.seek(partition, offset)

    def pause(self, partition: Partition) -> None:
        """Give no records until `resume`."""
        self._paused = self._paused or partition == self._partition

    def resume(self, partition: Partition) -> None:
        """The opposite of `pause`."""
        self._paused = self._paused and partition != self._partition

    def lag(self) -> dict[Partition, int]:
        """Records behind the position."""
        end = self._log.end if self._log else 0
        return {partition: max(0, end - offset) for partition, offset in self._assignment.positions().items()}

    def decided(self, positions: dict[Partition, int]) -> None:
        """Verdicts are final up to here: files that lie wholly below may go when they are old or room is needed."""
        if self._log is not None and (upto := positions.get(self._partition)) is not None:
            self._log.release(upto, self._settings.keep_seconds)

    def stop(self) -> None:
        """Close and unlock."""
        if self._reader is not None:
            self._reader.close()
        if self._log is not None:
            self._log.close()
        self._log = self._reader = None
        self._assignment.take(self._partition)
        self._unlock()

    def _place(self, log: Appender) -> None:
        first, end = log.segments[0].first, log.end
        start = first if self._settings.start == "earliest" else end
        self._assignment.place(self._partition, first, end, start)

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _trouble(self, error: Exception) -> SourceError:
        if isinstance(error, BlockingIOError):
            cure = (
                f"one daemon owns an ingest log: stop the other one, or give sources.{self.name}.folder another value"
            )
            return SourceError(f"another process uses the ingest log in {self.folder}.", cure)
        if isinstance(error, CorruptSegment):
            cure = "restore the file, or move it away: the records that it held then show as a gap"
            return SourceError(f"a record of the ingest log cannot be read back: {error}.", cure)
        problem = f"the ingest log in {self.folder} cannot be used: {error}."
        return SourceError(problem, f"check sources.{self.name}.folder and its disk")


class _Reader:
    """Reads on from where it stands; another offset is looked for from the start of its segment."""

    def __init__(self, log: Appender, seed: int) -> None:
        self._log, self._seed = log, seed
        self._segment: Segment | None = None
        self._file = -1
        self._offset = self._position = 0

    def read(self, offset: int, records_max: int) -> Iterator[Frame]:
        """Frames from this offset on, as many as there are in one segment. Raises CorruptSegment."""
        end = self._log.end
        if offset >= end:
            return
        self._go_to(offset)
        assert self._segment is not None  # noqa: S101  # _go_to opened one
        left = records_max
        while left and self._offset < end and self._position < self._segment.size:
            for frame in self._chunk(self._segment):
                if frame.offset >= offset:
                    yield frame
                    left -= 1
                if not left or self._offset >= end:
                    return

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._segment = -1, None

    def _go_to(self, offset: int) -> None:
        segment = next(s for s in reversed(self._log.segments) if s.first <= offset)
        if segment is not self._segment:
            self.close()
            self._file, self._segment = os.open(segment.path, os.O_RDONLY), segment
            self._offset, self._position = segment.first, 0
        elif offset < self._offset:
            self._offset, self._position = segment.first, 0
        if self._position >= segment.size:  # the record was acknowledged, so it must be here
            raise CorruptSegment(segment.path, self._position)

    def _chunk(self, segment: Segment) -> Iterator[Frame]:
        """The frames of the next stretch of the file; moves on behind each."""
        room = segment.size - self._position
        raw, at, start = os.pread(self._file, min(CHUNK_BYTES, room), self._position), 0, self._position
        while at < len(raw):
            needed = wanted_bytes(raw, at)
            if at and at + needed > len(raw) and needed:
                return  # the rest comes with the next stretch
            if at + needed > len(raw):
                raw = os.pread(self._file, min(needed, room), self._position)
            found = read_frame(raw, at, self._seed)
            if found is None or found.offset != self._offset:
                raise CorruptSegment(segment.path, start + at)
            at, self._offset, self._position = found.end, found.offset + 1, start + found.end
            yield found


def _locked(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _identity(folder: Path) -> uuid.UUID:
    """The log's own id, made on first use. Raises ValueError where there are records but no id: none could be read."""
    path = folder / "id"
    if not path.exists():
        if any(found.stat().st_size for found in folder.glob("*.log")):
            raise ValueError(f"{path} is missing: restore it, or move the folder away")
        fresh = folder / "id.new"
        with fresh.open("w") as file:
            file.write(str(uuid.uuid4()))
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
        sync_folder(folder)
    return uuid.UUID(path.read_text().strip())
