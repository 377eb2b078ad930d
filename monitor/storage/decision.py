"""What is committed together: positions, claims, verdicts and what goes with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from detectors.core.inputs import Receipt
from monitor.findings import Alert, Containment, Incident
from monitor.formats.base import DeadLetter
from monitor.sinks.base import Message
from monitor.sources.base import Partition


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A cut of a partition: everything before the record (offset, index), and every input up to `seq`, is in.

    Cuts of one partition only grow in all three, so comparing them one after the other is right.
    """

    offset: int
    index: int = 0
    seq: int = 0


@dataclass(slots=True)
class Claim:
    """The right to write for a partition, until somebody else claims it; `commit` moves its positions.

    `position` is where reading goes on and `decided_to` the cut up to which verdicts are final; both None while
    nothing was committed.
    """

    partition: Partition
    epoch: int
    position: Position | None
    decided_to: Position | None


class Outgoing(NamedTuple):
    """A message for one sink. Messages to a sink `about` one thing arrive in order; empty: about nothing else."""

    sink: str
    message: Message
    about: str = ""


class AuditEntry(NamedTuple):
    """Who did what; `body` is JSON, `at` epoch seconds (None: now)."""

    who: str
    what: str
    body: bytes = b"{}"
    at: float | None = None


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What was decided and has to be said. `findings` are (id, line number from 1, finding), in order.

    The state of containments follows from the containment lines in `findings` and from `receipts`. `kept` are values
    that change with the verdict, by name: what looks over agents is decided once and read back after a crash.
    """

    findings: list[tuple[str, int, Alert | Containment | Incident]] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    outbox: list[Outgoing] = field(default_factory=list)
    audit: list[AuditEntry] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Decision(Verdict):
    """A verdict on a stretch of a partition. `decided_to` None: final up to `position_after`."""

    position_after: Position
    decided_to: Position | None = None
    dead: list[DeadLetter] = field(default_factory=list)
