"""The promise of the score, with the reference given: hits come just as the null says, clustering and marks included.

Then the mean evidence is at most 1 at every fixed time, and it comes up from below r to x at most 1 / (x - r) times an
agent-month. A check fails when the lower 99 % limit over many simulated agent-months exceeds that: chance alone fails
one in a hundred of those that sit on the bound, and the drawn numbers are the same in every run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import sqrt
from typing import NamedTuple

import numpy as np

from detectors.core import evidence
from detectors.core.columns import Array, Rows
from detectors.core.conformance.case import Failed
from detectors.core.evidence import EVIDENCE, HOUR, MONTH, RATES, SCORE_MAX
from detectors.core.exact import exp
from detectors.core.family import PEERS, Family, Mark

#: gives that many uniform random numbers within [0, 1)
Draw = Callable[[int], Array]
#: of an agent-month
OPPORTUNITIES = 1440
#: chances of a hit at one opportunity, from a careful agent to an explorer
CHANCES = (0.001, 0.02, 0.2)
RESOLVE, LEVELS = 2.5, (10.0, 100.0)
#: 99 % quantile of a standard normal
Z99 = 2.3263478740408408


class Measured(NamedTuple):
    """A mean over agent-months beside what it may be at most, and its 99 % limits."""

    what: str
    mean: float
    low: float
    high: float
    bound: float

    @classmethod
    def of(cls, what: str, values: Array, bound: float) -> Measured:
        """Mean of these values, one for each agent-month."""
        mean, wide = float(values.mean()), Z99 * float(values.std()) / sqrt(len(values))
        return cls(what, mean, mean - wide, mean + wide, bound)

    def check(self) -> None:
        """Raise Failed when even the lower limit exceeds the bound."""
        if self.low > self.bound:
            raise Failed(f"{self.what}: {self.mean:.4g}, at least {self.low:.4g}, and at most {self.bound:.4g} is promised")


class Crossings:
    """How often each path came up to a level after it had been below the resolve level."""

    def __init__(self, paths: int) -> None:
        self.counts = {x: np.zeros(paths) for x in LEVELS}
        self._below = {x: np.ones(paths, bool) for x in LEVELS}

    def see(self, rows: Rows, scores: Array) -> None:
        """These paths stand at these scores."""
        for x, count in self.counts.items():
            below = self._below[x]
            up = rows[below[rows] & (scores >= x)]
            count[up] += 1.0
            below[up] = False
            below[rows[scores < RESOLVE]] = True


def hits(column: Array, rows: Rows, times: Array, n: Array, mark: Array, peers: Array, excite: float) -> Array:
    """`evidence.hit` for many agents at once, but for what is only there for people; returns the scores."""
    evidence.settle(column, rows, times, n, np.ones(len(rows), bool))
    e = column[rows]
    null = np.minimum(e["q"] + excite * e["heat"], 0.98)
    low = np.minimum(e["q"], 0.3)
    top = np.maximum(0.5, np.minimum(0.95, 3 * low))
    root = np.sqrt(np.sqrt(top / low))
    rates = (low * root, low * root * root, low * root * root * root, top)
    total = np.zeros(len(rows))
    for i in range(2 * RATES):
        odds = np.maximum(np.minimum(rates[i % RATES] + excite * e["heat"], 0.98), null) / null
        e["m"][:, i] = np.minimum(e["m"][:, i] * odds * (mark if i < RATES else mark * peers), SCORE_MAX)
        total = total + e["m"][:, i]
    e["heat"] += 1.0
    column[rows] = e
    return total / (2 * RATES)


def given(chance: float, paths: int) -> Array:
    """Evidence of agents whose reference is exactly right."""
    column = np.zeros(paths, EVIDENCE)
    column["q"] = chance
    return column


def of_family(family: Family, chance: float, paths: int, draw: Draw, column: Array | None = None) -> Iterator[Measured]:
    """What that many agent-months of the null come to, at this chance of a hit; `column` may hold other references."""
    column = given(chance, paths) if column is None else column
    rows, heat = np.arange(paths), np.zeros(paths)
    lapse = MONTH / OPPORTUNITIES
    cooled = exp(-lapse / HOUR)
    crossings, half = Crossings(paths), np.zeros(0)
    for step in range(1, OPPORTUNITIES + 1):
        heat *= cooled
        hit = rows[draw(paths) < np.minimum(chance + family.excite * heat, 0.98)]
        if len(hit):
            heat[hit] += 1.0
            times, n = np.full(len(hit), step * lapse), np.full(len(hit), float(step))
            crossings.see(hit, evidence.settle(column, hit, times, n, np.ones(len(hit), bool)))
            crossings.see(hit, hits(column, hit, times, n, *_weights(family, len(hit), draw), family.excite))
        if step == OPPORTUNITIES // 2:
            half = _settled(column, rows, step * lapse, step)
    what = f"{family.name} at chance {chance:g}"
    yield Measured.of(f"{what}: mean evidence after half a month", half, 1.0)
    yield Measured.of(f"{what}: mean evidence after a month", _settled(column, rows, MONTH, OPPORTUNITIES), 1.0)
    for x, count in crossings.counts.items():
        yield Measured.of(f"{what}: crossings of {x:g}", count, 1.0 / (x - RESOLVE))


def keeps_its_promise(family: Family, paths: int, draw: Draw) -> None:
    """Check a counting family at all chances at which it judges."""
    for chance in CHANCES:
        if chance <= family.rate_max:
            for measured in of_family(family, chance, paths, draw):
                measured.check()


def _settled(column: Array, rows: Rows, time: float, n: int) -> Array:
    view = column.copy()
    return evidence.settle(view, rows, np.full(len(rows), time), np.full(len(rows), float(n)), np.ones(len(rows), bool))


def _weights(family: Family, many: int, draw: Draw) -> tuple[Array, Array]:
    """Weight of hits by their own classes, and by what peers know, when classes come as usual."""
    own, known = np.ones(many), np.ones(many)
    for mark in family.marks:
        weight = _ratios(mark)[_classes(mark, draw(many))]
        if mark is PEERS and family.gate:
            known = weight
        else:
            own = own * weight
    return own, known


def _ratios(mark: Mark) -> Array:
    return np.array([mark.ratio(i, [0.0] * len(mark.usual)) for i in range(len(mark.usual))])


def _classes(mark: Mark, uniform: Array) -> Rows:
    edges = np.cumsum(np.array(mark.usual))[:-1]
    found: Rows = np.searchsorted(edges, uniform, side="right")
    return found
