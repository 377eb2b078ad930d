"""Bounded per-agent memory of things met: one open-addressing table for all agents, a quota for each.

An agent's answers depend on its own events alone: a full quota refuses that agent's further things and is said
(the agent becomes blind for what would need them); nobody's things are ever displaced.
"""

from __future__ import annotations

import numpy as np

from detectors.core.columns import Array, Rows
from detectors.core.digests import mix, mix_one

_SHIFT = np.uint64(20)


class FirstSeen:
    """Which agent has met which thing (64-bit digests). `quota` things for each agent."""

    def __init__(self, quota: int, bits: int = 12) -> None:
        self.quota = quota
        self.keys = np.zeros(1 << bits, np.uint64)
        self.things = np.zeros(1 << bits, np.uint64)
        self.owners = np.zeros(1 << bits, np.int64)
        self.used = 0
        self.sizes = np.zeros(64, np.int64)

    def _slots(self, keys: Array) -> Array:
        """The slot of each key, or of the empty place where it would go."""
        mask = np.uint64(len(self.keys) - 1)
        slot = keys >> _SHIFT & mask
        held = self.keys[slot]
        lost = np.flatnonzero((held != keys) & (held != 0))
        while len(lost):
            slot[lost] = (slot[lost] + np.uint64(1)) & mask
            held = self.keys[slot[lost]]
            lost = lost[(held != keys[lost]) & (held != 0)]
        return slot

    def missing(self, identities: Array, things: Array) -> Rows:
        """The indices, in order, of the (agent, thing) pairs not met yet; a pair may come several times."""
        keys = mix(identities, things)
        found: Rows = np.flatnonzero(self.keys[self._slots(keys)] == 0)
        return found

    def has(self, identity: int, thing: int) -> bool:
        """Whether the agent has met the thing."""
        return self._find(mix_one(identity, thing))[1]

    def add(self, row: int, identity: int, thing: int) -> bool:
        """The agent meets the thing; False when its quota is full and the thing is new."""
        key = mix_one(identity, thing)
        slot, there = self._find(key)
        if there:
            return True
        if row >= len(self.sizes):
            self.sizes = np.concatenate([self.sizes, np.zeros(max(row + 1, len(self.sizes)), np.int64)])
        if self.sizes[row] >= self.quota:
            return False
        if self.used * 5 >= len(self.keys) * 3:
            self._rehash(2 * len(self.keys), np.flatnonzero(self.keys))
            slot, _ = self._find(key)
        self.keys[slot], self.things[slot], self.owners[slot] = key, thing, row
        self.sizes[row] += 1
        self.used += 1
        return True

    def remove(self, row: int, identity: int, thing: int) -> None:
        """The agent has not met the thing after all: what was refused or alerted on teaches nothing."""
        gap, there = self._find(mix_one(identity, thing))
        if not there:
            return
        mask, keys, at = len(self.keys) - 1, self.keys, gap
        while True:  # close the gap: every key stays reachable from its own slot
            at = (at + 1) & mask
            held = int(keys[at])
            if not held:
                break
            home = held >> 20 & mask
            if (at - home) & mask >= (at - gap) & mask:
                self.keys[gap], self.things[gap], self.owners[gap] = keys[at], self.things[at], self.owners[at]
                gap = at
        self.keys[gap] = self.things[gap] = self.owners[gap] = 0
        self.used -= 1
        self.sizes[row] -= 1

    def _find(self, key: int) -> tuple[int, bool]:
        mask = len(self.keys) - 1
        slot = key >> 20 & mask
        keys = self.keys
        held = int(keys[slot])
        while held not in (key, 0):
            slot = (slot + 1) & mask
            held = int(keys[slot])
        return slot, held == key

    def _rehash(self, size: int, kept: Rows) -> None:
        keys, things, owners = self.keys[kept], self.things[kept], self.owners[kept]
        self.keys, self.things = np.zeros(size, np.uint64), np.zeros(size, np.uint64)
        self.owners = np.zeros(size, np.int64)
        self.used = len(keys)
        todo = np.arange(len(keys))
        while len(todo):
            slot = self._slots(keys[todo])
            self.keys[slot] = keys[todo]  # colliding keys overwrite one another: the last stays, the others try again
            self.things[slot], self.owners[slot] = things[todo], owners[todo]
            todo = todo[self.keys[slot] != keys[todo]]

    def full(self, row: int) -> bool:
        """Whether the agent can meet nothing new."""
        return row < len(self.sizes) and bool(self.sizes[row] >= self.quota)

    def things_of(self, rows: Rows) -> tuple[Rows, Array]:
        """(owner, thing) of all that these agents met, ordered by owner and thing."""
        at = np.flatnonzero(np.isin(self.owners, rows) & (self.keys != 0))
        order = np.lexsort((self.things[at], self.owners[at]))
        return self.owners[at][order], self.things[at][order]

    def forget(self, rows: Rows) -> None:
        """These agents left."""
        gone = np.isin(self.owners, rows)
        self._rehash(len(self.keys), np.flatnonzero((self.keys != 0) & ~gone))
        self.sizes[rows[rows < len(self.sizes)]] = 0

    @property
    def bytes_per_thing(self) -> int:
        """Bytes of one entry at the table's usual fill of two fifths to three fifths."""
        return 2 * (self.keys.itemsize + self.things.itemsize + self.owners.itemsize)
