"""A family: one counting process that a detector watches, declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: which first uses are hits: of a permission, of one through a delegate, of a target or of the area it lies in
FirstUse = Literal["scope", "via", "area", "item"]


@dataclass(frozen=True, slots=True)
class Mark:
    """What kind of hit it is, by class: how often each comes in a drift, and usually (mean-one likelihood ratio).

    The usual shares are the agent's own, from the late part of its reference, shrunk to `usual` with six pseudo-hits.
    """

    name: str
    drift: tuple[float, ...]
    usual: tuple[float, ...]

    def ratio(self, number: int, counts: list[float]) -> float:
        """Weight of a hit of this class for an agent whose hits fell into the classes so often."""
        total = sum(counts[: len(self.usual)])
        usual = (counts[number] + PSEUDO * self.usual[number]) / (total + PSEUDO)
        return self.drift[number] / usual


#: hits with which an agent's own shares of classes start
PSEUDO = 6.0
#: a first use that no peer, one or two, or three and more peers elsewhere know of; the engine finds the class
PEERS = Mark("peers", drift=(0.80, 0.15, 0.05), usual=(0.30, 0.20, 0.50))


@dataclass(frozen=True, slots=True)
class Family:
    """One counting process, or one score that the detector keeps itself (`hit` is None).

    `weight` is its part of the fused score. `gate`: its evidence may contain an agent. `hit`: what counts as a hit
    among the agent's actions. `prior`: hits and misses (Beta) that an agent starts with. `marks`: classes of hits that weigh differently; for gate families peers may raise
    a score and lower it to no less than half. `excite`: by how much each
    hit of the last hour raises the chance of the next one, in null and alternative alike. `rate_max`: an agent whose
    reference has hits more often than this is an explorer, whom a further hit does not make surprising.
    """

    name: str
    weight: float
    gate: bool = False
    hit: FirstUse | None = None
    prior: tuple[float, float] = (0.3, 1500.0)
    marks: tuple[Mark, ...] = ()
    excite: float = 0.1
    rate_max: float = 1.0


@dataclass(frozen=True, slots=True)
class Explanation:
    """One plain sentence with its numbers, for one detector and one agent."""

    reason: str
    since: float | None = None
    observed: float | None = None
    expected: float | None = None
