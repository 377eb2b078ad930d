"""Files of the ingest log: how a record is framed, and what is read back after a crash.

A segment is named after the offset of its first record and holds frames one behind the other:

    magic 4 | length 4 | crc 4 | offset 8 | synced 8 | time 8 | value

The checksum (CRC32C) begins with the log's random id and covers everything behind itself, so that neither a
frame of another log nor one that a sender wrote into a value is ever taken for a frame. `synced` is the size of the
segment that was safely on disk when the frame was written: it tells a torn end, which was never acknowledged, from
damage to a record that was.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from crc32c import crc32c

MAGIC = b"dfL1"
HEAD = struct.Struct("<4sII")
BODY = struct.Struct("<QQd")
OVERHEAD = HEAD.size + BODY.size
#: a length beyond this is damage, not a record
VALUE_BYTES_MAX = 64 * 1024 * 1024
_pack_head, _pack_body = HEAD.pack, BODY.pack


class Frame(NamedTuple):
    """One record as it stands in a file; `end` is the position behind it, counted from where the bytes began."""

    offset: int
    synced: int
    time: float
    value: bytes
    end: int


class CorruptSegment(Exception):
    """A record that was acknowledged cannot be read back."""

    def __init__(self, path: Path, position: int) -> None:
        super().__init__(f"{path} is damaged at byte {position}")
        self.path, self.position = path, position


@dataclass(slots=True)
class Segment:
    """One file; `size` counts the bytes that were acknowledged."""

    path: Path
    first: int
    size: int
    time: float = 0.0


def path_of(folder: Path, first: int) -> Path:
    """Where the segment lies that begins with this offset."""
    return folder / f"{first:020d}.log"


def listed(folder: Path) -> list[Segment]:
    """The segments of a folder in order."""
    paths = sorted(folder.glob("*.log"))
    return [Segment(path, int(path.stem), path.stat().st_size, path.stat().st_mtime) for path in paths]


def frame(seed: int, offset: int, synced: int, time: float, value: bytes) -> bytes:
    """The bytes of one record."""
    body = _pack_body(offset, synced, time)
    return b"".join((_pack_head(MAGIC, len(value), crc32c(value, crc32c(body, seed))), body, value))


def read_frame(raw: bytes, at: int, seed: int) -> Frame | None:
    """The whole, sound frame at this position, or None."""
    if len(raw) < at + OVERHEAD:
        return None
    magic, length, crc = HEAD.unpack_from(raw, at)
    end = at + OVERHEAD + length
    if magic != MAGIC or len(raw) < end or crc32c(memoryview(raw)[at + HEAD.size : end], seed) != crc:
        return None
    offset, synced, time = BODY.unpack_from(raw, at + HEAD.size)
    return Frame(offset, synced, time, raw[at + OVERHEAD : end], end)


def wanted_bytes(raw: bytes, at: int) -> int:
    """How many bytes from `at` on are needed to judge the frame there; 0 when what stands there is no frame."""
    if len(raw) < at + OVERHEAD:
        return OVERHEAD
    magic, length, _ = HEAD.unpack_from(raw, at)
    return OVERHEAD + length if magic == MAGIC and length <= VALUE_BYTES_MAX else 0


class Tail(NamedTuple):
    """The end of the last segment: next offset, size up to the last sound frame, time of that frame."""

    offset: int
    size: int
    time: float


def recover(segment: Segment, seed: int) -> Tail:
    """Where the log ends; the caller cuts off what stands behind. Raises CorruptSegment."""
    raw = segment.path.read_bytes()
    offset, at, time = segment.first, 0, 0.0
    while (found := read_frame(raw, at, seed)) is not None and found.offset == offset:
        offset, at, time = offset + 1, found.end, found.time
    if _acknowledged_behind(raw, at, seed):
        raise CorruptSegment(segment.path, at)
    return Tail(offset, at, time)


def _acknowledged_behind(raw: bytes, bad: int, seed: int) -> bool:
    """Whether a sound frame stands further on that was written when the bytes at `bad` were already safe."""
    at = raw.find(MAGIC, bad + 1)
    while at >= 0:
        found = read_frame(raw, at, seed)
        if found is not None and found.synced > bad:
            return True
        at = raw.find(MAGIC, at + 1)
    return False


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
