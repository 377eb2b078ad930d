"""How a lane of the rate model learns: buckets at least a day old, a block of at most an hour at a time."""

from typing import Any

import numpy as np

from detectors.core.rate_bins import BINS, DAY_SECONDS, HOUR_SECONDS, ROWS, Array, Ints, falls, sums
from detectors.core.rate_lane import BIN_MASK, LEVEL_STEP, TAUGHT_NOT, Lane

LATE_HOURS = 26  # what has not been learnt by then never is
FORGET_SECONDS = 28 * DAY_SECONDS  # half-life of the counts without context
SHARE = 1e-4  # by which trust is evened out at each bucket, so that no context is lost for good
GROUP = 12  # buckets whose fit is multiplied before trust is normalised: short enough not to underflow
COUNT_MAX = 255  # a row of counts that reaches this is halved

LN2 = 0.6931471805599453


def learn(lane: Lane, mine: Any, rows: Ints, at: Ints) -> None:
    """Learn what is due at `at` (epoch seconds of each row) and not spoilt; the prediction follows."""
    j = lane.number
    end = np.minimum((at - DAY_SECONDS) // lane.seconds, mine.bucket[rows, j])
    window = min(LATE_HOURS * HOUR_SECONDS // lane.seconds, lane.size) - 1
    start = np.maximum(mine.learnt[rows, j], mine.bucket[rows, j] - window)
    block = max(1, HOUR_SECONDS // lane.seconds)
    while True:
        due = np.flatnonzero(start < end)
        if not len(due):
            mine.fall[rows, j] = falls(mine.overall[rows, j])
            return
        stop = np.minimum(start[due] + block, end[due])
        _learn_block(lane, mine, rows[due], start[due], stop)
        mine.learnt[rows[due], j] = start[due] = stop


def _learn_block(lane: Lane, mine: Any, rows: Ints, start: Ints, stop: Ints) -> None:
    j, width = lane.number, int((stop - start).max())
    bucket = start[:, None] + np.arange(width)
    held = mine.pending[rows[:, None], lane.ring.start + bucket % lane.size]
    b = (held & BIN_MASK).astype(np.int64)
    inside = bucket < stop[:, None]
    taught = inside & (held < TAUGHT_NOT)
    where = lane.rows_of(
        bucket,
        _held(lane, mine, rows, bucket - 1),
        _levels(lane, mine, rows, b, inside),
        _held(lane, mine, rows, bucket - lane.buckets_a_day),
    )
    base = lane.base(mine, rows)[np.arange(len(rows))[:, None], b]
    totals = sums(mine.counts[rows, j])[np.arange(len(rows))[:, None, None], where]
    seen = mine.counts[rows[:, None, None], j, where, b[:, :, None]]
    better = (seen / base[:, :, None] + 2) / (totals + 2)  # fit of each context over that of none
    _trust(lane, mine, rows, np.where(taught[:, :, None], better, 1.0))
    _count(lane, mine, rows, where, b, taught)
    mine.largest[rows, j] = np.maximum(mine.largest[rows, j], np.where(taught, b, 0).max(axis=1))


def _held(lane: Lane, mine: Any, rows: Ints, bucket: Ints) -> Ints:
    return mine.pending[rows[:, None], lane.ring.start + bucket % lane.size] & BIN_MASK  # type: ignore[no-any-return]


def _levels(lane: Lane, mine: Any, rows: Ints, b: Ints, inside: Array) -> Array:
    """Level before each bucket of the block; the one after it is kept."""
    level = mine.learnt_level[rows, lane.number].astype(np.float64)
    levels = np.empty(b.shape)
    for i in range(b.shape[1]):
        levels[:, i] = level
        level = np.where(inside[:, i], level + (b[:, i] - level) * LEVEL_STEP, level)
    mine.learnt_level[rows, lane.number] = level
    return levels


def _trust(lane: Lane, mine: Any, rows: Ints, better: Array) -> None:
    """Shift trust to the contexts that foresaw what came."""
    j, kinds = lane.number, 1 + lane.contexts
    trust = mine.trust[rows, j, :kinds].astype(np.float64)
    for first in range(0, better.shape[1], GROUP):
        group = better[:, first : first + GROUP]
        trust[:, 1:] *= np.multiply.accumulate(group, axis=1)[:, -1]
        trust /= np.add.accumulate(trust, axis=1)[:, -1:]
        evened = SHARE * group.shape[1]
        trust = trust * (1.0 - evened) + evened / kinds
    mine.trust[rows, j, :kinds] = trust


def _count(lane: Lane, mine: Any, rows: Ints, where: Ints, b: Ints, taught: Array) -> None:
    j = lane.number
    n = np.broadcast_to(np.arange(len(rows))[:, None], b.shape)
    fresh = np.bincount((n * BINS + b)[taught], minlength=len(rows) * BINS).reshape(-1, BINS)
    keep = 1.0 - fresh.sum(axis=1) * (LN2 * lane.seconds / FORGET_SECONDS)
    mine.overall[rows, j] = mine.overall[rows, j] * keep[:, None] + fresh
    keys = ((n[:, :, None] * ROWS + where) * BINS + b[:, :, None])[taught]
    keys, many = np.unique(keys, return_counts=True)
    row, place, bin_ = rows[keys // (ROWS * BINS)], keys // BINS % ROWS, keys % BINS
    grown = mine.counts[row, j, place, bin_] + many
    mine.counts[row, j, place, bin_] = np.minimum(grown, COUNT_MAX)
    full = np.unique((keys // BINS)[grown >= COUNT_MAX])
    mine.counts[rows[full // ROWS], j, full % ROWS] >>= 1
