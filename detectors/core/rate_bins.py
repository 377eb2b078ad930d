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
HOURS_OF_WEEK = 32  # hour of a working day, three hours of a weekend day (UTC)
LEVELS = 32  # the recent level, in steps of half a bin
SLOTS = 60  # minute of the hour; lanes of an hour or more: bin a day ago, then the quarters of the week's days
WEEK_QUARTERS = 28

FALLS = (0.7, 0.5, 0.25, 0.125, 0.0625, 0.03125)  # share of one bin's chance that the next one has, beyond all seen

_BYTE, _TOP_LANE = np.uint64(8), np.uint64(48)
_EVEN_BYTES, _ALL_LANES = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0001000100010001)

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
    hour = hours % 24
    return HOUR + np.where(weekend, 24 + hour // 3, hour)


def level_rows(level: Array) -> Ints:
    """Row of the level context for these smoothed bins."""
    return LEVEL + np.minimum(level * 2.0, LEVELS - 1).astype(np.int64)


def quarter_rows(seconds: Ints) -> Ints:
    """Row of the context of six hours of the week at these epoch seconds."""
    return QUARTER + (seconds // (DAY_SECONDS // 4) + 12) % WEEK_QUARTERS


def sums(counts: Array) -> Ints:
    """Sums over the bins of counts [n, rows, bins] of a byte each: eight bytes at a time, five times as quick."""
    words = np.ascontiguousarray(counts).view(np.uint64)
    pairs = (words & _EVEN_BYTES) + (words >> _BYTE & _EVEN_BYTES)  # sums of two bytes, each in two
    lanes = pairs[..., 0] + pairs[..., 1] + pairs[..., 2]
    return (lanes * _ALL_LANES >> _TOP_LANE).astype(np.int64)


def firsts(counts: Array) -> Ints:
    """Sums over the first four bins of counts [n, rows, bins] of a byte each."""
    words = np.ascontiguousarray(counts).view(np.uint32)[..., 0].astype(np.uint64)
    pairs = (words & _EVEN_BYTES) + (words >> _BYTE & _EVEN_BYTES)
    return (pairs * _ALL_LANES >> _TOP_LANE).astype(np.int64)


def tails(width: int = BINS) -> Array:
    """Prior over bins [fall, largest bin seen, bin]: flat up to the largest, then shrinking by the fall."""
    prior = np.zeros((len(FALLS), width, width))
    for i, fall in enumerate(FALLS):
        for largest in range(width):
            weights = [1.0]
            for b in range(1, width):
                weights.append(weights[-1] * (fall if b > largest else 1.0))
            prior[i, largest] = np.array(weights) / math.fsum(weights)
    return prior


def falls(overall: Array) -> Ints:
    """How fast the upper tail of these counts [n, bins] falls, as an index into FALLS; heavier when in doubt."""
    active = overall[:, 1:].astype(np.float64)
    tail = np.add.accumulate(active[:, ::-1], axis=1)[:, ::-1]
    upper = tail <= 0.2 * tail[:, :1]
    beyond = np.where(upper, tail, 0.0)
    excess = np.add.accumulate(beyond, axis=1)[:, -1]  # sum of steps above the bin before the upper tail
    first = np.add.accumulate(upper, axis=1) == 1
    reached = np.add.accumulate(np.where(first & upper, tail, 0.0), axis=1)[:, -1]
    fall = (excess - reached + 1.0) / (excess + 2.0)  # geometric steps: of all steps taken, those beyond the first
    return len(FALLS) - 1 - np.searchsorted(np.array(FALLS[::-1]), fall, side="left").clip(0, len(FALLS) - 1)
