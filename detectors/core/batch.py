"""Events as columns: what detectors see of the records between two ticks of their agents.

A record of a delegate is an entry of each ancestor in `via` too, so an event may stand in several entries.
"""

from __future__ import annotations

from dataclasses import dataclass

from detectors.core.columns import Array, Rows
from detectors.core.event import Event


@dataclass(slots=True)
class Batch:
    """Entries in log order; all arrays have one element for each entry."""

    events: list[Event]  # by event number, not by entry
    event: Rows  # entry to event number
    row: Rows
    own: Array  # the agent's own action, not a delegate's
    clock: Array  # the agent's clock, epoch seconds
    time: Array  # the record's own time, clipped: hour of week is read from it
    n: Array  # actions of the agent up to and with this one
    count: Array  # how many actions the record stands for; 0 for a delegate's
    scope: Array
    target: Array  # 0: none
    privileged: Array
    denied: Array
    destructive: Array
    offset: Rows
    index: Rows

    def __len__(self) -> int:
        return len(self.row)

    def take(self, at: Rows) -> Batch:
        """These entries."""
        return Batch(self.events, self.event[at], self.row[at], self.own[at], self.clock[at], self.time[at], self.n[at],
                     self.count[at], self.scope[at], self.target[at], self.privileged[at], self.denied[at],
                     self.destructive[at], self.offset[at], self.index[at])
