"""A source gives raw records with positions; everything else about it is its own affair."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Protocol


class Partition(NamedTuple):
    """One ordered log: the id of its source (a topic's UUID, the ingest log's, a file's ordinal) and its number."""

    source: str
    number: int


@dataclass(slots=True)
class RawBatch:
    """Consecutive raw records of one partition. `times` are append times in epoch seconds, None where there are none."""

    partition: Partition
    offsets: list[int] = field(default_factory=list)
    times: list[float] | None = None
    values: list[bytes] = field(default_factory=list)
    next_offset: int = 0
    attested: bool = False
    #: append time was stamped by the broker, not claimed by a producer
    trusted_time: bool = True


class Gap(NamedTuple):
    """Records between the wanted and the found offset are gone: an alert, never a silent jump."""

    partition: Partition
    wanted: int
    found: int


class SourceError(Exception):
    """The source cannot be read now; `cure` says what a person can do. It is retried."""

    def __init__(self, problem: str, cure: str = "") -> None:
        super().__init__(f"{problem} {cure}".strip())
        self.problem, self.cure = problem, cure


class Source(Protocol):
    """A stream of raw records in partitions."""

    kind: ClassVar[str]
    name: str

    def start(self, positions: dict[Partition, int]) -> None:
        """Connect. `positions` holds the next offset of every partition that was read before."""

    def poll(self, timeout_seconds: float) -> list[RawBatch]:
        """What has arrived, at most a bounded number of records; an empty list when nothing has."""

    def assigned(self) -> set[Partition]:
        """The partitions that this process reads now."""

    def gaps(self) -> list[Gap]:
        """Gaps found since the last call."""

    def seek(self, partition: Partition, offset: int) -> None:
        """Go on from this offset."""

    def pause(self, partition: Partition) -> None:
        """Keep the partition but give none of its records until `resume`."""

    def resume(self, partition: Partition) -> None:
        """The opposite of `pause`."""

    def lag(self) -> dict[Partition, int]:
        """Records that wait behind the position, by partition."""

    def stop(self) -> None:
        """Disconnect."""
