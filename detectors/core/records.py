"""What a format hands to the core: decoded events in log order, with where and when they were read."""

from __future__ import annotations

from dataclasses import dataclass, field

from detectors.core.event import Event


@dataclass(slots=True)
class Records:
    """Events of one partition in log order, as parallel lists; everything a verdict may depend on.

    `offsets` and `indexes` are an event's position: its carrier in the partition, and its place inside the carrier.
    `arrivals` is the agent's clock in epoch seconds: the broker's append time, or for files the record's own time.
    `times` is the record's own time, clipped to [-7 d, +5 min] around the arrival (hour of week is read from it).
    `contents` are the bytes an event was decoded from, by which a repeated id is told from a reused one.
    """

    events: list[Event] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    attested: bool = True

    def __len__(self) -> int:
        return len(self.events)

    def part(self, start: int, stop: int) -> Records:
        """Records start to stop."""
        cut = slice(start, stop)
        return Records(self.events[cut], self.contents[cut], self.offsets[cut], self.indexes[cut], self.arrivals[cut],
                       self.times[cut], self.attested)
