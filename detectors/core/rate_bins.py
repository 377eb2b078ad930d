"""How counts become bins, and the circumstances (contexts) under which a bucket's bin is predicted."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Ints = NDArray[np.int64]

BINS = 24  # counts 0, 1, 2, 3, then half octaves; the last holds 2897 and more
EDGES = np.array([0, 1, 2, 3, *(math.isqrt((1 << b) - 1) + 1 for b in range(4, BINS))], np.int64)
CENTRES = np.append((EDGES[:-1] + EDGES[1:] - 1) / 2, EDGES[-1] * 1.2)  # a typical count of each bin

HOUR_SECONDS, DAY_SECONDS = 3600, 86400
HOURS_OF_WEEK = 48  # hour of day, on working days and at weekends (UTC)
LEVELS = 16  # the recent level, in steps of one and a half bins
SLOTS = 60  # minute of the hour; lanes of an hour or more: bin a day ago, then the quarters of the week's days
WEEK_QUARTERS = 28

PREVIOUS = 0  # first row of each context in an agent's table of counts
HOUR = PREVIOUS + BINS
LEVEL = HOUR + HOURS_OF_WEEK
SLOT = LEVEL + LEVELS
QUARTER = SLOT + BINS
ROWS = SLOT + SLOTS
CONTEXTS = 5  # previous bin, hour, level, slot or yesterday, quarter of the week (lanes of an hour or more)


def bins(counts: Ints) -> Ints:
    """The bin of each count."""
    return np.searchsorted(EDGES, counts, side="right") - 1


def hour_rows(seconds: Ints) -> Ints:
    """Row of the hour context at these epoch seconds; 1970 began on a Thursday."""
    hours = seconds // HOUR_SECONDS
    weekend = (hours // 24 + 3) % 7 >= 5
    return HOUR + 24 * weekend + hours % 24


def level_rows(level: Array) -> Ints:
    """Row of the level context for these smoothed bins."""
    return LEVEL + np.minimum(level * (2.0 / 3.0), LEVELS - 1).astype(np.int64)


def quarter_rows(seconds: Ints) -> Ints:
    """Row of the context of six hours of the week at these epoch seconds."""
    return QUARTER + (seconds // (DAY_SECONDS // 4) + 12) % WEEK_QUARTERS


def tails(width: int = BINS) -> Array:
    """Prior over bins for each largest bin seen: flat up to it, a quarter with every bin beyond (a Pareto 4 tail)."""
    prior = np.zeros((width, width))
    for largest in range(width):
        weights = [1.0 / (1 << 2 * max(b - largest, 0)) for b in range(width)]
        prior[largest] = np.array(weights) / math.fsum(weights)
    return prior
