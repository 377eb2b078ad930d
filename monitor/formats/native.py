"""The native format: one JSON object an action, one or several (one a line) in a raw record."""

from __future__ import annotations

import re
from hashlib import blake2b
from itertools import repeat
from operator import attrgetter, contains
from typing import ClassVar

import msgspec

from detectors.core.bad_record import BadRecord
from detectors.core.event import BYTES_MAX, Event, decode, decode_plain
from detectors.core.strict import is_clean
from monitor.formats.base import DeadLetter, Decoded
from monitor.sources.base import RawBatch

#: how far a record's own time may be from its arrival before it is clipped
BEFORE_SECONDS_MAX = 7 * 86400.0
AFTER_SECONDS_MAX = 300.0
#: names of unknown fields that are counted apart
NAMES_MAX = 64
OTHERS = "(others)"
EXCERPT_BYTES = 4096
#: lines that are tried at once: one that is not plain costs these many a second look
_CHUNK = 256
_LINE_FEED = 0x0A

_AGENT = re.compile(rb'"agent"\s*:\s*("(?:[^"\\]|\\.){1,1536}")')
_time = attrgetter("time")


class Native:
    """Contract.md's native event, version 1. Reads no clock: without append times a record's own time is its arrival."""

    name: ClassVar[str] = "native"

    def __init__(self, *, bytes_max: int = 4 << 20, excerpts: bool = True) -> None:
        """`bytes_max` bounds a raw record of several events; `excerpts` keeps the first bytes of dead letters."""
        self.bytes_max, self.excerpts = bytes_max, excerpts
        self._names: set[str] = set()

    def decode(self, raw: RawBatch) -> Decoded:
        """Events and dead letters of a raw batch; never raises for what a record holds."""
        decoded = Decoded()
        decoded.records.attested = raw.attested
        lines, offsets, indexes, arrivals = self._lines(raw, decoded.dead)
        for start in range(0, len(lines), _CHUNK):
            part = slice(start, start + _CHUNK)
            self._take(decoded, lines[part], offsets[part], indexes[part], None if arrivals is None else arrivals[part])
        return decoded

    def _lines(
        self, raw: RawBatch, dead: list[DeadLetter]
    ) -> tuple[list[bytes], list[int], list[int], list[float] | None]:
        """The lines of all records with their offsets, indexes and arrivals."""
        values = raw.values
        if not any(map(contains, values, repeat(_LINE_FEED))) and max(map(len, values), default=0) <= self.bytes_max:
            return values, raw.offsets, [0] * len(values), raw.times
        lines: list[bytes] = []
        offsets: list[int] = []
        indexes: list[int] = []
        arrivals: list[float] | None = None if raw.times is None else []
        for number, (offset, value) in enumerate(zip(raw.offsets, values, strict=True)):
            time = None if raw.times is None else raw.times[number]
            if len(value) > self.bytes_max:
                dead.append(self._dead(offset, 0, "carrier_too_large", value, time))
                continue
            parts = value.split(b"\n")
            lines += parts
            offsets += [offset] * len(parts)
            indexes += range(len(parts))
            if arrivals is not None and time is not None:
                arrivals += [time] * len(parts)
        return lines, offsets, indexes, arrivals

    def _take(
        self,
        decoded: Decoded,
        lines: list[bytes],
        offsets: list[int],
        indexes: list[int],
        arrivals: list[float] | None,
    ) -> None:
        """Append the events of some lines; most often all of them are plain, and no line costs a step of Python."""
        events = decode_plain(lines)
        if events is None or (arrivals is None and None in map(_time, events)):
            events = []
            kept = self._one_by_one(decoded, lines, offsets, indexes, arrivals, events)
            lines = [lines[i] for i in kept]
            offsets, indexes = [offsets[i] for i in kept], [indexes[i] for i in kept]
            arrivals = None if arrivals is None else [arrivals[i] for i in kept]
        records = decoded.records
        times: list[float | None] = list(map(_time, events))
        records.events += events
        records.contents += lines
        records.offsets += offsets
        records.indexes += indexes
        if arrivals is None:
            records.arrivals += times  # type: ignore[arg-type]
            records.times += times  # type: ignore[arg-type]
        else:
            records.arrivals += arrivals
            near, far = clipped(times, arrivals)
            records.times += near
            decoded.clipped += far

    def _one_by_one(
        self,
        decoded: Decoded,
        lines: list[bytes],
        offsets: list[int],
        indexes: list[int],
        arrivals: list[float] | None,
        events: list[Event],
    ) -> list[int]:
        """Decode each line by itself into `events`; which ones are events. The others become dead letters or are blank."""
        kept: list[int] = []

        def count(name: str) -> None:
            decoded.unknown_fields[self._counted_as(name)] += 1

        for number, line in enumerate(lines):
            try:
                event = decode(line, count)
                if event.time is None and arrivals is None:
                    raise BadRecord("no_time")  # noqa: TRY301 -- one way out for every reason
            except BadRecord as bad:
                if line.strip():
                    time = None if arrivals is None else arrivals[number]
                    decoded.dead.append(self._dead(offsets[number], indexes[number], bad.reason, line, time))
                continue
            events.append(event)
            kept.append(number)
        return kept

    def _counted_as(self, name: str) -> str:
        """The name under which an unknown field is counted: as it is for the first ones, if it can be shown."""
        if name in self._names:
            return name
        if len(self._names) >= NAMES_MAX or len(name) > 64 or not is_clean(name):
            return OTHERS
        self._names.add(name)
        return name

    def _dead(self, offset: int, index: int, reason: str, line: bytes, time: float | None) -> DeadLetter:
        digest = blake2b(line, digest_size=16).hexdigest()
        return DeadLetter(
            offset, index, reason, claimed_agent(line), digest, line[: EXCERPT_BYTES * self.excerpts], time
        )


def clipped(times: list[float | None], arrivals: list[float]) -> tuple[list[float], int]:
    """The records' own times, none far from its arrival (which stands in where there is none), and how many were."""
    near = [
        arrival
        if time is None
        else (time if arrival - BEFORE_SECONDS_MAX <= time <= arrival + AFTER_SECONDS_MAX else None)
        for time, arrival in zip(times, arrivals, strict=True)
    ]
    if None not in near:
        return near, 0  # type: ignore[return-value]
    bounded = [
        (arrival + AFTER_SECONDS_MAX if (time or 0.0) > arrival else arrival - BEFORE_SECONDS_MAX)
        if own is None
        else own
        for own, time, arrival in zip(near, times, arrivals, strict=True)
    ]
    return bounded, near.count(None)


def claimed_agent(line: bytes) -> str | None:
    """The agent that a bad record says it is from, as far as that can be read."""
    found = _AGENT.search(line, 0, BYTES_MAX)
    if found is None:
        return None
    try:
        name = msgspec.json.decode(found[1], type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return name if 0 < len(name) <= 256 and is_clean(name) else None
