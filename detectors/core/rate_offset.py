"""What a raw rate score is worth for this agent: a tail fitted to the daily maxima of its reference.

Contexts explain most of an agent's habits, never all of them, and what they miss comes again. Without a calibration
for each agent raw scores cry wolf seven times an agent-month. It only ever lowers a score.
"""

import math
from typing import Any

import numpy as np

from detectors.core import exact
from detectors.core.rate_bins import Array, Ints

PEAKS = 8  # highest daily maxima kept
DAY_BINS = 40  # days by their number of actions, in half octaves
DAY_EDGES = np.array([math.isqrt((1 << b) - 1) + 1 for b in range(DAY_BINS - 1)], np.int64)
DAYS_MIN = 3  # fewer watched days are no reference
SPREAD_NEW = 3.0  # more for a reference of few days
SPREAD_BURST = 0.7  # more for each half octave between the median day and the busiest one
K_MIN = 2  # daily maxima above the knee, at least
SPREAD_PRIOR, SPREAD_WEIGHT = 1.0, 6.0  # mean of the tail beyond the knee, in nats, and what it is worth in days
SCORE_MAX = 1e6
KNEE_MAX = 1e6  # an agent whose raw score comes here every week cannot be watched for its rate


def keep_peaks(mine: Any, rows: Ints) -> None:
    """Take the highest raw score of the day that ends among the highest ones."""
    pool = np.concatenate((mine.peaks[rows], mine.high[rows][:, :, None]), axis=2)
    mine.peaks[rows] = np.sort(pool, axis=2)[:, :, 1:]
    mine.days[rows] += 1


def keep_totals(mine: Any, rows: Ints) -> None:
    """Count the day that ends by its number of actions."""
    size = np.searchsorted(DAY_EDGES, mine.today[rows], side="right")
    mine.totals[rows, size] = np.minimum(mine.totals[rows, size].astype(np.int64) + 1, 255)
    mine.today[rows] = 0


def burst(mine: Any, rows: Ints) -> Ints:
    """Half octaves from the median day to the busiest one: what an agent does on a day may be far from its mean."""
    days = np.add.accumulate(mine.totals[rows].astype(np.int64), axis=1)
    median = (2 * days < days[:, -1:]).sum(axis=1)
    busiest = (days < days[:, -1:]).sum(axis=1)
    return busiest - median  # type: ignore[no-any-return]


def fit(mine: Any, rows: Ints) -> None:
    """Fix the calibration from the days watched."""
    days = mine.days[rows].astype(np.int64)
    k = np.minimum(np.maximum((days + 6) // 7, K_MIN), PEAKS - 1)
    peaks = exact.log(np.maximum(mine.peaks[rows].astype(np.float64), 1e-12))[:, :, ::-1]
    n = np.arange(len(rows))
    knee = peaks[n, :, k]
    excess = np.add.accumulate(np.concatenate((np.zeros_like(peaks[:, :, :1]), peaks), axis=2), axis=2)[n, :, k]
    excess = excess - k[:, None] * knee
    mine.knee[rows] = exact.exp(knee)
    prior = (SPREAD_PRIOR + SPREAD_NEW / np.maximum(days, 1) + SPREAD_BURST * burst(mine, rows))[:, None]
    mine.scale[rows] = prior * SPREAD_WEIGHT + excess
    mine.shape[rows] = (SPREAD_WEIGHT + k)[:, None]
    mine.promise[rows] = (days / (30.0 * k))[:, None]
    mine.noisy[rows] = (mine.knee[rows].max(axis=1) > KNEE_MAX) | (days < DAYS_MIN)
    mine.frozen[rows] = True


def calibrated(mine: Any, rows: Ints, j: int, raw: Array) -> Array:
    """Scores in agent-months per false alarm for raw ones; 0 until the reference is taken."""
    score = np.zeros(len(rows))
    ready = np.flatnonzero(mine.frozen[rows] & ~mine.noisy[rows])
    if len(ready):
        who, raw = rows[ready], raw[ready]
        promise = mine.promise[who, j].astype(np.float64)
        value = np.minimum(raw, promise)
        over = np.flatnonzero(raw > np.maximum(mine.knee[who, j], promise))
        if len(over):
            steps = exact.log(raw[over] / mine.knee[who[over], j]) / mine.scale[who[over], j]
            above = exact.exp(exact.log(1.0 + steps) * mine.shape[who[over], j])
            value[over] = np.minimum(raw[over], promise[over] * above)
        score[ready] = np.minimum(value, SCORE_MAX)
    return score
