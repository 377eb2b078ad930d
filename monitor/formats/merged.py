"""Several logs as one: ordered by time and then by log, each log in its own order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from detectors.core.records import Records
from monitor.formats.base import Decoded

#: the bits of an offset in a merged log that say the place in its own log; those above say which log
OFFSET_BITS = 40
EVENTS_MAX = 4096


def place_of(offset: int) -> tuple[int, int]:
    """Ordinal of the log and offset in it, of an offset in a merged log."""
    return offset >> OFFSET_BITS, offset & ((1 << OFFSET_BITS) - 1)


@dataclass(slots=True)
class _Log:
    """One log with what was read of it and not yet given on."""

    ordinal: int
    batches: Iterator[Decoded]
    records: Records = field(default_factory=Records)
    #: for each record the largest time so far in this log, which never falls: a log is not reordered
    keys: list[float] = field(default_factory=list)
    last: float = -np.inf

    def read(self, aside: Decoded) -> bool:
        """Read on until there are records, their bad neighbours to `aside`; False at the end."""
        for decoded in self.batches:
            base = self.ordinal << OFFSET_BITS
            aside.dead += [letter._replace(offset=base + letter.offset) for letter in decoded.dead]
            aside.unknown_fields += decoded.unknown_fields
            aside.clipped += decoded.clipped
            if decoded.records.events:
                self.records = decoded.records
                self.records.offsets = [base + offset for offset in self.records.offsets]
                times = np.maximum.accumulate([self.last, *self.records.arrivals])
                self.keys, self.last = times[1:].tolist(), float(times[-1])
                return True
        return False

    def cut(self, count: int) -> Records:
        """Take the first `count` records out."""
        records, rest = self.records, Records(attested=self.records.attested)
        taken = Records(attested=records.attested)
        for name in ("events", "contents", "offsets", "indexes", "arrivals", "times"):
            column = getattr(records, name)
            setattr(taken, name, column[:count])
            setattr(rest, name, column[count:])
        self.records, self.keys = rest, self.keys[count:]
        return taken


def merged(logs: list[Iterator[Decoded]]) -> Iterator[Decoded]:
    """One stream of all logs, in batches of at most EVENTS_MAX events.

    The order depends on the records alone, not on how the logs were cut. Of several logs an offset also says which
    (`place_of`); a single one is handed through untouched. A bad record comes with or before its next neighbours.
    """
    if len(logs) == 1:
        yield from logs[0]
        return
    waiting = [_Log(ordinal, batches) for ordinal, batches in enumerate(logs)]
    aside = Decoded()
    while True:
        waiting = [log for log in waiting if log.keys or log.read(aside)]
        if not waiting:
            break
        # nothing that is still unread can come before the end of the log that ends first
        horizon = min((log.keys[-1], log.ordinal) for log in waiting)
        yield from _batches(waiting, horizon, aside)
        aside = Decoded()
    if aside.dead:
        yield aside


def _batches(logs: list[_Log], horizon: tuple[float, int], aside: Decoded) -> Iterator[Decoded]:
    """Every record up to the horizon, in order; what stood aside goes with the first batch."""
    keys: list[float] = []
    whole = Records(attested=all(log.records.attested for log in logs))
    for log in logs:
        side = "right" if log.ordinal <= horizon[1] else "left"
        count = int(np.searchsorted(log.keys, horizon[0], side))  # type: ignore[call-overload]
        keys += log.keys[:count]
        _extend(whole, log.cut(count))
    order = np.argsort(keys, kind="stable").tolist()  # logs stand in their order, so ties are theirs
    for start in range(0, len(order), EVENTS_MAX):
        part = order[start : start + EVENTS_MAX]
        aside.records = _picked(whole, part)
        yield aside
        aside = Decoded()


def _extend(records: Records, more: Records) -> None:
    for name in ("events", "contents", "offsets", "indexes", "arrivals", "times"):
        getattr(records, name).extend(getattr(more, name))


def _picked(records: Records, order: list[int]) -> Records:
    return Records(
        events=[records.events[i] for i in order],
        contents=[records.contents[i] for i in order],
        offsets=[records.offsets[i] for i in order],
        indexes=[records.indexes[i] for i in order],
        arrivals=[records.arrivals[i] for i in order],
        times=[records.times[i] for i in order],
        attested=records.attested,
    )
