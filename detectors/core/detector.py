"""What a detector is: families and memory declared, and a few verbs that the engine calls.

A detector is stateless; what it keeps for an agent lives in `mine`, the columns of its declared memory. It may

* classify hits of the families that name one (`classify`): the engine finds first uses and keeps their evidence;
* judge chosen events one by one (`wants`, `judge`) or many at once (`stream`), keeping evidence of its own.

Baselines move only in `learn` and `freeze`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import msgspec
import numpy as np

from detectors.core.batch import Batch
from detectors.core.columns import Array, Columns, Rows
from detectors.core.event import Event
from detectors.core.family import Explanation, Family
from detectors.core.story import Story

EMPTY: Rows = np.zeros(0, np.int64)


class Moves(NamedTuple):
    """Sparse changes: at this entry of the batch, this row's score in this family (own number) became this.

    `told` has what `explain` needs of each change, for `moved`: memory is ahead of the change by then.
    """

    entry: Rows
    row: Rows
    family: Rows
    score: Array
    told: Array | None = None


NO_MOVES = Moves(EMPTY, EMPTY, EMPTY, np.zeros(0))


@dataclass(slots=True)
class Hit:
    """One candidate: an event of an agent, seen from one family."""

    event: Event
    row: int
    clock: float
    n: float
    privileged: bool
    denied: bool
    count: float
    #: what is new, readable
    thing: str = ""


class Exemplar(msgspec.Struct, frozen=True, array_like=True):
    """An event that moved the evidence, for people."""

    clock: float
    event: str
    thing: str


@dataclass(slots=True)
class Standing:
    """What `explain` may use: the evidence of one family of one agent."""

    since: float
    seen: float
    due: float
    q: float
    exemplars: list[Exemplar]
    score: float


class DetectorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings that every detector has."""

    enabled: bool = True


class Detector:
    """One behaviour that is watched."""

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    families: ClassVar[tuple[Family, ...]] = ()
    memory: np.dtype[Any] | None = None
    Settings: ClassVar[type[DetectorSettings]] = DetectorSettings
    #: what it fires on, and what it stays quiet on
    stories: ClassVar[tuple[Story, ...]] = ()

    def __init__(self, settings: DetectorSettings | None = None) -> None:
        self.settings = settings or self.Settings()

    # hits that the engine finds
    def classify(self, family: Family, hit: Hit) -> dict[str, int] | None:
        """Class of the hit for each of the family's marks, where it is known; None: no hit after all."""
        return {}

    # evidence of its own
    def wants(self, batch: Batch) -> Rows:
        """The entries that `judge` is to see."""
        return EMPTY

    def judge(self, hit: Hit, mine: Columns) -> list[tuple[int, float]]:
        """New scores (family number, score) after this event."""
        return []

    def stream(self, batch: Batch, mine: Columns) -> Moves:
        """New scores after events of a whole batch."""
        return NO_MOVES

    def moved(self, row: int, told: Array, mine: Columns) -> None:
        """A change that `stream` told is read: keep for `explain` what was known then, not what came since."""

    def start(self, rows: Rows, clocks: Array, mine: Columns) -> None:
        """These agents moved in."""

    def tick(self, rows: Rows, at: Array, mine: Columns) -> Array | None:
        """Bring these agents up to `at`; scores [agent, own families] settled to it, None without own evidence."""
        return None

    def learn(self, rows: Rows, at: Array, mine: Columns) -> None:
        """Move baselines by what is at least a day old."""

    def spoil(self, rows: Rows, since: Array, until: Array, mine: Columns) -> None:
        """What happened in this span never teaches."""

    def freeze(self, rows: Rows, at: Array, mine: Columns) -> None:
        """The baseline is taken as the reference."""

    def restart(self, row: int, at: float, mine: Columns) -> None:
        """Evidence back to rest."""

    def explain(self, row: int, at: float, mine: Columns, standings: dict[str, Standing]) -> Explanation:
        """One plain sentence with its numbers."""
        raise NotImplementedError

    def blind(self, rows: Rows, mine: Columns) -> Array | None:
        """Which of these agents this detector cannot judge, by reason number of `BLIND`; None: none."""
        return None

    @classmethod
    def migrate(cls, version: int, old: dict[str, Array]) -> dict[str, Array]:
        """Memory of an older version, field by field, in today's form. The default keeps what has kept its name."""
        return old

    @property
    def bytes_per_agent(self) -> int:
        """Declared memory of one agent."""
        return self.memory.itemsize if self.memory is not None else 0


#: why a detector cannot judge an agent; 0: it can
BLIND = ("", "raised", "full", "noisy", "split")
RAISED, FULL = 1, 2
