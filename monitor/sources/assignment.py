"""Which partitions are ours, where each goes on, which are held back: the bookkeeping that all logs share.

It knows no broker and no file. A partition that is given to us *waits* until its place in the log is known; only then
is it *placed* and gives records. Between the two the daemon may say where it goes on (`seek`), because what its store
holds wins over everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitor.sources.base import Gap, Partition, RawBatch


class Assignment:
    """The partitions that a source reads, by the offset at which each goes on."""

    def __init__(self, positions: Mapping[Partition, int]) -> None:
        self._next = dict(positions)
        self._waiting: set[Partition] = set()
        self._placed: set[Partition] = set()
        self._gaps: list[Gap] = []

    def give(self, partition: Partition) -> None:
        """The partition is ours from now on; it waits."""
        self._placed.discard(partition)
        self._waiting.add(partition)

    def take(self, partition: Partition) -> None:
        """The partition is no longer ours. Where we were is remembered: it is right until somebody says otherwise."""
        self._waiting.discard(partition)
        self._placed.discard(partition)

    def seek(self, partition: Partition, offset: int) -> None:
        """It goes on from here; its place is looked up again."""
        self._next[partition] = offset
        if partition in self._placed:
            self.give(partition)

    def place(self, partition: Partition, first: int, end: int, start: int) -> int:
        """Where to read on in a log that holds [first, end); `start` is for a partition that was never read.

        A position outside the log is a gap, never a silent jump, and reading goes on at the nearest end of the log.
        """
        wanted = self._next.get(partition, start)
        found = min(max(wanted, first), end)
        if found != wanted:
            self._gaps.append(Gap(partition, wanted, found))
        self._next[partition] = found
        self._waiting.discard(partition)
        self._placed.add(partition)
        return found

    def jump(self, partition: Partition, found: int) -> None:
        """The log was cut below our position and goes on at `found`."""
        self._gaps.append(Gap(partition, self._next[partition], found))
        self.seek(partition, found)

    def read(self, batch: RawBatch) -> None:
        """These records were given away."""
        self._next[batch.partition] = batch.next_offset

    def knows(self, partition: Partition) -> bool:
        """Whether it was read before, so that `start` does not matter."""
        return partition in self._next

    def next(self, partition: Partition) -> int:
        """The offset at which a placed partition goes on."""
        return self._next[partition]

    def waiting(self) -> set[Partition]:
        """Ours, but without a place yet."""
        return set(self._waiting)

    def placed(self) -> set[Partition]:
        """Ours, and read."""
        return set(self._placed)

    def is_placed(self, partition: Partition) -> bool:
        """Whether it is ours and read."""
        return partition in self._placed

    def all(self) -> set[Partition]:
        """Ours."""
        return self._waiting | self._placed

    def positions(self, partitions: Iterable[Partition] | None = None) -> dict[Partition, int]:
        """Next offsets of partitions that are placed."""
        wanted = self._placed if partitions is None else self._placed.intersection(partitions)
        return {partition: self._next[partition] for partition in wanted}

    def gaps(self) -> list[Gap]:
        """Gaps found since the last call."""
        found, self._gaps = self._gaps, []
        return found
