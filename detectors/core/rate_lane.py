"""One time scale of the rate model: predicts the bin of an agent's next bucket and weighs the bin that came.

The prediction P is a mixture of what the agent did in this situation before, seen under several contexts. Every
alternative Q is a distribution too, so Q/P has mean one if the prediction is right, and so has the evidence: at a
bucket M <- (e^-h M + 1 - e^-h) Q/P with h the bucket's length over 30 days.
"""

from typing import Any

import numpy as np

from detectors.core import exact
from detectors.core.rate_bins import (
    BINS,
    CENTRES,
    CONTEXTS,
    DAY_SECONDS,
    HOUR_SECONDS,
    LEVEL,
    LEVELS,
    PREVIOUS,
    SLOT,
    Array,
    Ints,
    bins,
    firsts,
    hour_rows,
    level_rows,
    quarter_rows,
    sums,
    tails,
)

MONTH_SECONDS = 30 * DAY_SECONDS
UP, BUSY, DOWN = (1, 2, 4, 8, 13), (0, 3, 7), 3  # shifts in bins: of the prediction, of the active bins, downwards
N_UP, N_BUSY = len(UP), len(BUSY)
DOWNWARD, SILENT, ANYTHING = N_UP + N_BUSY, N_UP + N_BUSY + 1, N_UP + N_BUSY + 2
ALTERNATIVES = ANYTHING + 1
SILENCE, NOISE = 0.999, 0.001 / (BINS - 1)
EVIDENCE_MAX = 1e30
OPEN_SHARE = 0.25  # an open bucket may be weighed at several counts; this pays for taking the best
UNEXPECTED = 2e-3  # bins that the prediction holds for less likely than this (and above) are weighed at once
LEVEL_STEP = 0.2
TRUST_FLOOR, LEAN_BACK = 0.02, 0.02
RUN_DAYS = 7  # what is silent for longer is weighed for so long and then passed over
TAUGHT_NOT = 0x80  # mark on a pending bin: never to be learnt
BIN_MASK = 0x1F

_BIN = np.arange(BINS)
_UP_FROM = np.stack([np.where(_BIN == 0, 0, np.maximum(_BIN - u, 0)) for u in UP], 1)  # bin before the shift
_UP_MAY = np.stack([(_BIN == 0) | (u < _BIN) for u in UP], 1)
_BUSY_FROM = np.stack([np.maximum(_BIN - u, 0) for u in BUSY], 1)
_BUSY_MAY = np.stack([u < _BIN for u in BUSY], 1)
_PRIOR = tails() * 0.5
_FADE = np.cumprod(np.full(HOUR_SECONDS + 1, 1.0 - LEVEL_STEP)) / (1.0 - LEVEL_STEP)  # .8 to the power 0, 1, 2, ...


class Lane:
    """The arithmetic of one time scale, for any number of agents at once; the numbers live in the agents' columns."""

    def __init__(self, number: int, seconds: int, ring: slice) -> None:
        if HOUR_SECONDS % seconds and seconds % HOUR_SECONDS:
            raise ValueError(f"a bucket of {seconds} s neither divides an hour nor is made of hours")
        self.number, self.seconds, self.ring = number, seconds, ring
        self.hourly = seconds >= HOUR_SECONDS
        self.size = ring.stop - ring.start
        self.buckets_a_day = DAY_SECONDS // seconds
        self.restart = 1.0 - exact.exp(-seconds / MONTH_SECONDS)
        self.contexts = CONTEXTS if self.hourly else CONTEXTS - 1
        weights = np.ones(ALTERNATIVES)
        if not self.hourly:  # a minute that is missing is no news; hours that are missing are
            weights[[DOWNWARD, SILENT]] = 0.0
        self.weights = weights / weights.sum()
        self._stay = np.cumprod(np.full(HOUR_SECONDS + 1, 1.0 - self.restart)) / (1.0 - self.restart)

    def rows_of(self, bucket: Ints, previous: Ints, level: Array, yesterday: Ints) -> Ints:
        """Rows [..., contexts] of the table of counts that speak about these buckets."""
        at = bucket * self.seconds
        rows = np.empty((*bucket.shape, self.contexts), np.int64)
        rows[..., 0] = PREVIOUS + previous
        rows[..., 1] = hour_rows(at)
        rows[..., 2] = level_rows(level)
        if self.hourly:
            rows[..., 3] = SLOT + yesterday
            rows[..., 4] = quarter_rows(at)
        else:
            rows[..., 3] = SLOT + at % HOUR_SECONDS // self.seconds
        return rows

    def base(self, mine: Any, rows: Ints) -> Array:
        """Prediction [n, bins] without any context."""
        overall = mine.overall[rows, self.number].astype(np.float64)
        total = np.add.accumulate(overall, axis=1)[:, -1:]
        return (overall + _PRIOR[mine.fall[rows, self.number], mine.largest[rows, self.number]]) / (total + 0.5)  # type: ignore[no-any-return]

    def predict(self, mine: Any, rows: Ints) -> None:
        """Store what is expected of the open buckets, and from which bin on the tripwire lies."""
        j = self.number
        counts = mine.counts[rows[:, None], j, self._open_rows(mine, rows)]
        totals = sums(counts)
        trust = mine.lean[rows, j].astype(np.float64)
        share = trust[:, 1 : 1 + self.contexts] / (totals + 2)
        alone = trust[:, :1].copy()
        for e in range(self.contexts):
            alone += 2 * share[:, e : e + 1]
        expected = self.base(mine, rows) * alone
        for e in range(self.contexts):
            expected += share[:, e : e + 1] * counts[:, e]
        mine.expected[rows, j] = expected
        reached = _tail(expected) >= UNEXPECTED
        mine.trip[rows, j] = np.maximum(reached.sum(axis=1), 2)

    def _open_rows(self, mine: Any, rows: Ints) -> Ints:
        j = self.number
        bucket = mine.bucket[rows, j]
        yesterday = mine.pending[rows, self.ring.start + (bucket - self.buckets_a_day) % self.size] & BIN_MASK
        return self.rows_of(bucket, mine.previous[rows, j], mine.level[rows, j], yesterday)

    def floored(self, mine: Any, rows: Ints) -> Array:
        """Learnt trust [n, 1 + contexts], with a floor for every context."""
        trust = mine.trust[rows, self.number, : 1 + self.contexts].astype(np.float64)
        return trust * (1.0 - TRUST_FLOOR) + TRUST_FLOOR / (1 + self.contexts)  # type: ignore[no-any-return]

    def _lean_on(self, mine: Any, rows: Ints, b: Ints, base: Array) -> None:
        """Lean on the contexts that foresaw this bucket; the learnt trust draws back."""
        j, where = self.number, self._open_rows(mine, rows)
        tables = mine.counts[rows[:, None], j, where]
        totals = sums(tables)
        lean = mine.lean[rows, j, : 1 + self.contexts].astype(np.float64)
        lean[:, 1:] *= (tables[np.arange(len(rows)), :, b] / base[:, None] + 2) / (totals + 2)
        lean /= np.add.accumulate(lean, axis=1)[:, -1:]
        mine.lean[rows, j, : 1 + self.contexts] = lean + (self.floored(mine, rows) - lean) * LEAN_BACK

    def close(self, mine: Any, rows: Ints) -> None:
        """Weigh the open buckets at their present counts, and open the next ones without predicting them."""
        j, n = self.number, np.arange(len(rows))
        count = mine.count[rows, j]
        b = bins(count)
        p = mine.expected[rows, j].astype(np.float64)
        base = self.base(mine, rows)
        odds = np.empty((len(rows), ALTERNATIVES))
        odds[:, :N_UP] = p[n[:, None], _UP_FROM[b]] * _UP_MAY[b]
        odds[:, N_UP:DOWNWARD] = base[n[:, None], _BUSY_FROM[b]] * _BUSY_MAY[b] / (1.0 - base[:, :1] + 1e-9)
        least = ((p[:, 0] + p[:, 1]) + p[:, 2]) + p[:, 3]
        lower = np.where(b + DOWN < BINS, p[n, np.minimum(b + DOWN, BINS - 1)], 0.0)
        odds[:, DOWNWARD] = np.where(b == 0, least, lower)
        odds[:, SILENT] = np.where(b == 0, SILENCE, NOISE)
        odds[:, ANYTHING] = 1.0 / BINS
        odds /= p[n, b][:, None]
        odds[mine.bucket[rows, j] == mine.excused[rows, j]] = 1.0
        evidence = self._relaxed(mine, rows) * odds
        mine.evidence[rows, j] = np.minimum(evidence, EVIDENCE_MAX)
        self.note(mine, rows, mine.bucket[rows, j], b)
        self._lean_on(mine, rows, b, base[n, b])
        mine.bucket[rows, j] += 1
        mine.count[rows, j] = 0
        mine.previous[rows, j] = b
        level = mine.level[rows, j].astype(np.float64)
        mine.level[rows, j] = level + (b - level) * LEVEL_STEP

    def note(self, mine: Any, rows: Ints, bucket: Ints, b: Ints) -> None:
        """Remember a closed bucket until it is old enough to teach; the start's part of a bucket never is."""
        mark = np.where(bucket < mine.taught_from[rows, self.number], TAUGHT_NOT, 0)
        mine.pending[rows, self.ring.start + bucket % self.size] = b | mark

    def pass_empty(self, mine: Any, rows: Ints, many: Ints) -> None:
        """Close `many` empty buckets of each row at once, within one hour: products in place of a loop."""
        j, width = self.number, int(many.max())
        p0, least = self._empty_chances(mine, rows, width)
        ratio = np.empty((len(rows), 3, width))
        ratio[:, 0] = least / p0
        ratio[:, 1] = SILENCE / p0
        ratio[:, 2] = 1.0 / BINS / p0
        ratio = np.minimum(ratio, 1e4) * (1.0 - self.restart)
        product = np.multiply.accumulate(ratio, axis=2)
        inverse = np.ones_like(product)
        inverse[:, :, 1:] = 1.0 / product[:, :, :-1]
        summed = np.add.accumulate(inverse, axis=2)
        n = np.arange(len(rows))
        last = many - 1
        before = mine.evidence[rows, j]
        after = np.zeros_like(before)
        stay = self._stay[many][:, None]
        after[:, :N_UP] = 1.0 - stay * (1.0 - before[:, :N_UP])
        gain = summed[n, :, last] * (self.restart / (1.0 - self.restart))
        after[:, DOWNWARD:] = np.minimum(product[n, :, last] * (before[:, DOWNWARD:] + gain), EVIDENCE_MAX)
        mine.evidence[rows, j] = after
        who, step = np.nonzero(np.arange(width) < many[:, None])
        self.note(mine, rows[who], mine.bucket[rows[who], j] + step, np.zeros(len(who), np.int64))
        mine.bucket[rows, j] += many
        mine.previous[rows, j] = 0
        mine.lean[rows, j, : 1 + self.contexts] = self.floored(mine, rows)
        mine.level[rows, j] = mine.level[rows, j] * _FADE[many]

    def _empty_chances(self, mine: Any, rows: Ints, width: int) -> tuple[Array, Array]:
        """Chances [n, width] that the next buckets, all before them empty, hold nothing, and at most three events."""
        j, step = self.number, np.arange(width)
        base, trust = self.base(mine, rows), self.floored(mine, rows)
        least_base = ((base[:, 0] + base[:, 1]) + base[:, 2]) + base[:, 3]
        start = mine.bucket[rows, j] * self.seconds
        slot = start % HOUR_SECONDS // self.seconds
        slots = np.minimum(slot[:, None] + step, HOUR_SECONDS // self.seconds - 1)
        fading = mine.level[rows, j].astype(np.float64)[:, None] * _FADE[:width]
        none = np.zeros((len(rows), width), np.int64)
        own, one = rows[:, None], np.stack([mine.previous[rows, j], none[:, 0]], 1)
        tables = (  # of each context: the rows that come into question, and which of them each bucket asks
            (mine.counts[own, j, PREVIOUS + one], none + np.minimum(step, 1)),
            (mine.counts[own, j, hour_rows(start)[:, None]], none),
            (mine.counts[rows, j, LEVEL : LEVEL + LEVELS], level_rows(fading) - LEVEL),
            (mine.counts[rows, j, SLOT : SLOT + HOUR_SECONDS // self.seconds], slots),
        )
        p0 = trust[:, :1] * base[:, :1] + np.zeros((1, width))
        least = trust[:, :1] * least_base[:, None] + np.zeros((1, width))
        n = np.arange(len(rows))[:, None]
        for e, (counts, pick) in enumerate(tables):
            weight = trust[:, 1 + e : 2 + e] / (sums(counts) + 2)
            p0 += (weight * (counts[:, :, 0] + 2 * base[:, :1]))[n, pick]
            few = firsts(counts)
            least += (weight * (few + 2 * least_base[:, None]))[n, pick]
        expected = mine.expected[rows, j]  # of the open bucket, the first of them
        p0[:, 0], least[:, 0] = expected[:, 0], ((expected[:, 0] + expected[:, 1]) + expected[:, 2]) + expected[:, 3]
        return p0, least

    def _relaxed(self, mine: Any, rows: Ints) -> Array:
        return (1.0 - self.restart) * mine.evidence[rows, self.number] + self.restart  # type: ignore[no-any-return]

    def closed(self, mine: Any, rows: Ints) -> Array:
        """Raw evidence of the closed buckets: the mean over alternatives."""
        return np.add.accumulate(mine.evidence[rows, self.number] * self.weights, axis=1)[:, -1]

    def opened(self, mine: Any, rows: Ints, b: Ints) -> Array:
        """Raw evidence if the open bucket, already in bin `b`, closed now; counts only grow, so tails are weighed."""
        j, n = self.number, np.arange(len(rows))
        tail = _tail(mine.expected[rows, j].astype(np.float64))
        base = self.base(mine, rows)
        active = _tail(base) / (1.0 - base[:, :1] + 1e-9)
        evidence = self._relaxed(mine, rows)
        evidence *= self.weights
        total = evidence[:, ANYTHING] * (BINS - b) / BINS
        for i, shift in enumerate(UP):
            total += evidence[:, i] * tail[n, np.maximum(b - shift, 1)]
        for i, shift in enumerate(BUSY, N_UP):
            total += evidence[:, i] * active[n, np.maximum(b - shift, 1)]
        return np.minimum(total / tail[n, b] * OPEN_SHARE, EVIDENCE_MAX)

    def mean_count(self, mine: Any, rows: Ints) -> Array:
        """Events expected in the open bucket."""
        return np.add.accumulate(mine.expected[rows, self.number] * CENTRES, axis=1)[:, -1]


def _tail(p: Array) -> Array:
    """Chance of each bin or a higher one."""
    return np.add.accumulate(p[:, ::-1], axis=1)[:, ::-1]
