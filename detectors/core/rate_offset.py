"""What a raw rate score is worth for this agent: a tail fitted to the daily maxima of its reference.

Contexts explain most of an agent's habits, never all of them, and what they miss comes again. Without a calibration
for each agent raw scores cry wolf seven times an agent-month. It only ever lowers a score.
"""

from typing import Any

import numpy as np

from detectors.core import exact
from detectors.core.rate_bins import Array, Ints

PEAKS = 8  # highest daily maxima kept
DAYS_MIN = 3  # fewer watched days are no reference
SPREAD_PRIOR, SPREAD_WEIGHT = 1.0, 2.0  # an exponential tail of e-values has spread one
SCORE_MAX = 1e6
KNEE_MAX = 1e6  # an agent whose raw score comes here every week cannot be watched for its rate


def keep_peaks(mine: Any, rows: Ints) -> None:
    """Take the highest raw score of the day that ends among the highest ones."""
    pool = np.concatenate((mine.peaks[rows], mine.high[rows][:, :, None]), axis=2)
    mine.peaks[rows] = np.sort(pool, axis=2)[:, :, 1:]
    mine.days[rows] += 1


def fit(mine: Any, rows: Ints) -> None:
    """Fix the calibration from the days watched."""
    days = mine.days[rows].astype(np.int64)
    k = np.minimum(np.maximum((days + 6) // 7, 1), PEAKS - 1)
    peaks = exact.log(np.maximum(mine.peaks[rows].astype(np.float64), 1e-12))[:, :, ::-1]
    n = np.arange(len(rows))
    knee = peaks[n, :, k]
    excess = np.add.accumulate(np.concatenate((np.zeros_like(peaks[:, :, :1]), peaks), axis=2), axis=2)[n, :, k]
    excess = excess - k[:, None] * knee
    spread = (excess + SPREAD_PRIOR * SPREAD_WEIGHT) / (k[:, None] + SPREAD_WEIGHT)
    mine.knee[rows] = exact.exp(knee)
    mine.spread[rows] = np.maximum(spread, 1.0)
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
            above = exact.log(raw[over] / mine.knee[who[over], j]) / mine.spread[who[over], j]
            value[over] = np.minimum(raw[over], promise[over] * exact.exp(above))
        score[ready] = np.minimum(value, SCORE_MAX)
    return score
