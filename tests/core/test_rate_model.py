"""The rate model against a plain one, and what it promises whatever the log is cut into."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.core.columns import Columns
from detectors.core.rate_bins import BINS, FALLS, bins, falls, tails
from detectors.core.rate_model import RateModel

MONDAY = 1_699_833_600  # 2023-11-13 00:00 UTC
HOUR, DAY = 3600, 86400
Array = np.ndarray[Any, Any]


class PlainLane:
    """The minute lane of one agent, a bucket at a time, with lists and math; learns an hour at each learn()."""

    def __init__(self) -> None:
        self.first = self.learnt = MONDAY // 60
        self.seen: list[int] = []  # bin of every closed bucket
        self.counts: dict[tuple[str, int], list[int]] = {}
        self.overall, self.trust, self.evidence = [0.0] * BINS, [0.2] * 5, [0.0] * 11
        self.largest, self.stay = 0, math.exp(-60 / (30 * DAY))
        self.fall, self.lean = 1, [0.2] * 5

    def level(self, bucket: int) -> float:
        level = 0.0
        for b in self.seen[max(0, bucket - self.first - 200) : bucket - self.first]:
            level += (b - level) * 0.2
        return level

    def contexts(self, bucket: int) -> list[list[int]]:
        hour = bucket // 60
        previous = self.seen[bucket - self.first - 1] if bucket > self.first else 0
        keys = (
            ("previous", previous),
            ("hour", hour % 24 if (hour // 24 + 3) % 7 < 5 else 24 + hour % 24 // 3),
            ("level", min(int(self.level(bucket) * 2), 31)),
            ("slot", bucket % 60),
        )
        return [self.counts.setdefault(key, [0] * BINS) for key in keys]

    def base(self) -> list[float]:
        prior = (tails()[self.fall, self.largest] * 0.5).tolist()
        return [(c + p) / (sum(self.overall) + 0.5) for c, p in zip(self.overall, prior, strict=True)]

    def predict(self, bucket: int) -> list[float]:
        base, rows = self.base(), self.contexts(bucket)
        return [
            self.lean[0] * base[b]
            + sum(w * (row[b] + 2 * base[b]) / (sum(row) + 2) for w, row in zip(self.lean[1:], rows, strict=True))
            for b in range(BINS)
        ]

    def close(self, count: int) -> None:
        b, p, base = int(bins(np.array([count]))[0]), self.predict(self.first + len(self.seen)), self.base()
        chances = [p[0] if b == 0 else p[b - u] if b > u else 0 for u in (1, 2, 4, 8, 13)]
        chances += [base[b - u] / (1 - base[0]) if b > u else 0 for u in (0, 3, 7)]
        chances += [sum(p[:4]) if b == 0 else p[b + 3] if b + 3 < BINS else 0]
        chances += [0.999 if b == 0 else 0.001 / 23, 1 / BINS]
        relaxed = [self.stay * m + 1 - self.stay for m in self.evidence]
        self.evidence = [min(m * q / p[b], 1e30) for m, q in zip(relaxed, chances, strict=True)]
        rows = self.contexts(self.first + len(self.seen))
        back = [0.98 * w + 0.02 / 5 for w in self.trust]
        lean = [
            w * f for w, f in zip(self.lean, [1.0, *((r[b] / base[b] + 2) / (sum(r) + 2) for r in rows)], strict=True)
        ]
        self.lean = [w / sum(lean) * 0.98 + 0.02 * t for w, t in zip(lean, back, strict=True)] if b else back
        self.seen.append(b)

    def learn(self, bucket: int) -> None:
        """An hour: how well each context did by the counts so far, then the counts."""
        base, taught = self.base(), [i for i in range(self.learnt, bucket) if i > self.first]
        fits = []
        for i in taught:
            b = self.seen[i - self.first]
            fits.append((b, [((row[b] / base[b]) + 2) / (sum(row) + 2) for row in self.contexts(i)], self.contexts(i)))
        for group in range(self.learnt, bucket, 12):
            for i in range(max(group, self.first + 1), group + 12):
                self.trust = [w * f for w, f in zip(self.trust, [1.0, *fits[i - taught[0]][1]], strict=True)]
            total, width = sum(self.trust), 12
            self.trust = [w / total * (1 - 1e-4 * width) + 1e-4 * width / 5 for w in self.trust]
        fade = 1 - len(taught) * math.log(2) * 60 / (28 * DAY)
        self.overall = [c * fade for c in self.overall]
        for b, _, rows in fits:
            self.overall[b] += 1
            for row in rows:
                row[b] += 1
            self.largest = max(self.largest, b)
        for row in self.counts.values():
            if max(row) >= 255:
                row[:] = [min(c, 255) // 2 for c in row]
        self.fall = int(falls(np.array([self.overall]))[0])
        self.learnt = bucket


def agents(n: int, at: int = MONDAY, seconds: tuple[int, ...] = (60, 3600)) -> tuple[RateModel, Columns]:
    model = RateModel(seconds)
    mine = Columns(model.memory, n)
    model.start(mine, np.arange(n), np.full(n, at))
    return model, mine


def one(x: float) -> Array:
    return np.array([x])


def state(mine: Columns) -> bytes:
    return b"".join(mine.dump(np.arange(mine.rows)).values())


def tick(model: RateModel, mine: Columns, rows: Array, at: int) -> None:
    when = np.full(len(rows), at)
    model.advance(mine, rows, when)
    model.learn(mine, rows, when)


def test_agrees_with_the_plain_model() -> None:
    rng, row = np.random.default_rng(7), np.array([0])
    model = RateModel((60,))
    fields = ((name, model.memory[name]) for name in model.memory.names or ())
    wide = np.dtype([(n, np.dtype("f8") if f.base == np.dtype("f4") else f.base, f.shape) for n, f in fields])
    mine = Columns(wide, 1)  # in double precision throughout, so that nothing but the arithmetic is compared
    model.start(mine, row, one(MONDAY))
    plain = PlainLane()
    for minute in range(4 * 24 * 60):
        busy = minute % 60 == 17 or minute // 60 % 24 in (9, 10)
        count = int(rng.poisson(9.0 if busy else 0.02))
        if count:
            model.feed(mine, row, one(MONDAY + 60 * minute + 30), one(count))
        plain.close(count)
        if minute % 60 == 59:
            model.advance(mine, row, one(MONDAY + 60 * minute + 60))
            if minute % 1440 == 1439:
                plain.evidence = [0.0] * 11  # while an agent is new its evidence begins anew each day
            if minute >= 2 * 1440:
                assert mine.evidence[0, 0] == pytest.approx(plain.evidence, rel=1e-5, abs=1e-12)
            model.learn(mine, row, one(MONDAY + 60 * minute + 60))
            if minute >= DAY // 60:
                plain.learn(MONDAY // 60 + minute + 1 - DAY // 60)
    assert mine.trust[0, 0, :5] == pytest.approx(plain.trust, rel=1e-6, abs=1e-9)
    assert mine.overall[0, 0] == pytest.approx(plain.overall, rel=1e-8)
    assert mine.expected[0, 0] == pytest.approx(plain.predict(plain.first + len(plain.seen)), rel=1e-8)
    assert mine.trust[0, 0].argmax() in (1, 2, 3, 4)  # something was learnt beyond the overall habit


def random_log(rng: np.random.Generator, n: int, hours: int) -> list[tuple[Array, Array, Array]]:
    """For each hour: rows, times and counts in log order; clumps, silences and storms."""
    log = []
    for hour in range(hours):
        calm = rng.exponential(300, size=12).cumsum()
        storm = np.sort(rng.uniform(0, HOUR, size=90 * int(hour > 150 and rng.random() < 0.4)))
        rows = np.concatenate((rng.integers(0, n, len(calm)), np.full(len(storm), rng.integers(0, n))))
        times = MONDAY + HOUR * hour + np.concatenate((calm % HOUR, storm))
        order = np.argsort(times, kind="stable")
        log.append((rows[order], times[order], rng.geometric(0.5, len(rows))[order]))
    return log


def play(log: list[tuple[Array, Array, Array]], n: int, cuts: np.random.Generator | None, width: int = 0) -> Any:
    """Moves and state when every hour is fed whole (no cuts), in pieces of a width, or in random pieces."""
    model, mine = agents(n)
    mine.warm[:] = mine.day + 2
    moves = []
    for hour, (rows, times, counts) in enumerate(log):
        if hour == 6 * 24:
            model.freeze(mine, np.arange(n), np.full(n, MONDAY + hour * HOUR))
        if width:
            at = list(range(width, len(rows), width))
        else:
            at = sorted(cuts.integers(0, len(rows), 4).tolist()) if cuts else []
        for low, high in zip([0, *at], [*at, len(rows)], strict=True):
            found = model.feed(mine, rows[low:high], times[low:high], counts[low:high])
            moves += [(hour, i + low, r, s) for i, r, s in zip(*(x.tolist() for x in found[:3]), strict=True)]
        tick(model, mine, np.arange(n), MONDAY + (hour + 1) * HOUR)
    return moves, state(mine)


def test_cuts_and_company_change_nothing() -> None:
    rng = np.random.default_rng(3)
    log = random_log(rng, 5, 7 * 24)
    whole = play(log, 5, None)
    assert len(whole[0]) > 20  # there is something to differ in
    assert play(log, 5, None, width=1) == whole
    for seed in range(3):
        assert play(log, 5, np.random.default_rng(seed)) == whole
    for agent in range(5):  # alone in the log: the same moves
        mine = [(rows == agent).nonzero()[0] for rows, _, _ in log]
        alone = play([(0 * r[i], t[i], c[i]) for (r, t, c), i in zip(log, mine, strict=True)], 1, None)
        expected = [(hour, i, s) for hour, i, r, s in whole[0] if r == agent]
        assert [(hour, mine[hour][i], s) for hour, i, _, s in alone[0]] == expected


def known(n: int = 1, rate: float = 6.0, days: int = 10, seed: int = 1) -> tuple[RateModel, Columns, int]:
    """Agents with a frozen reference of a steady rate per minute, and the time it ends."""
    rng, rows = np.random.default_rng(seed), np.arange(n)
    model, mine = agents(n)
    for minute in range(days * 1440):
        counts = rng.poisson(rate, n)
        active = np.flatnonzero(counts)
        model.feed(mine, active, np.full(len(active), MONDAY + 60 * minute + 20), counts[active])
        if minute % 60 == 59:
            tick(model, mine, rows, MONDAY + 60 * minute + 60)
    end = MONDAY + days * DAY
    model.freeze(mine, rows, np.full(n, end))
    return model, mine, end


@pytest.fixture(scope="module")
def steady() -> tuple[RateModel, Columns, int]:
    return known(n=3, days=10)


def copy(mine: Columns, model: RateModel) -> Columns:
    other, rows = Columns(model.memory, mine.rows), np.arange(mine.rows)
    other.load(mine.dump(rows), rows)
    return other


def test_a_hundredfold_is_seen_within_the_minute_and_told_in_words(steady: tuple[RateModel, Columns, int]) -> None:
    model, mine, end = steady[0], copy(steady[1], steady[0]), steady[2]
    storm = np.arange(600)
    moves = model.feed(mine, storm * 0, end + storm * 0.1, storm * 0 + 1)
    assert moves.score.max() > 300
    assert moves.event[np.argmax(moves.score > 100)] < 200
    told = model.explain(mine, 0, end + 60)
    assert told.direction == "up"
    assert told.bucket_seconds == 60
    assert told.observed > 100
    assert told.expected == pytest.approx(6, rel=0.3)
    assert told.since == end
    model.restart(mine, np.array([0]))
    assert model.score(mine, np.array([0]), one(end + 61))[0] < 1  # nor does the bucket it was in bring it back


def test_silence_of_a_steady_agent_is_told_as_silence(steady: tuple[RateModel, Columns, int]) -> None:
    model, mine, end = steady[0], copy(steady[1], steady[0]), steady[2]
    for hour in range(1, 5):
        model.advance(mine, np.arange(3), np.full(3, end + hour * HOUR))
    assert model.score(mine, np.array([0]), one(end + 4 * HOUR))[0] > 100
    told = model.explain(mine, 0, end + 4 * HOUR)
    assert told.direction == "silence"
    assert told.observed == 0
    assert told.expected > 4


def test_reading_a_score_changes_nothing_and_foretells_the_tick(steady: tuple[RateModel, Columns, int]) -> None:
    model, mine, end = steady[0], copy(steady[1], steady[0]), steady[2]
    before = state(mine)
    rows, at = np.arange(3), np.full(3, end + 2 * HOUR + 59)
    foretold = model.score(mine, rows, at)
    assert state(mine) == before
    assert model.advance(mine, rows, at).tolist() == foretold.tolist()
    assert state(mine) != before


def test_judging_moves_no_baseline_and_learning_no_evidence(steady: tuple[RateModel, Columns, int]) -> None:
    model, mine, end = steady[0], copy(steady[1], steady[0]), steady[2]
    rows = np.arange(3)

    def taken(*names: str) -> list[bytes]:
        return [getattr(mine, name).tobytes() for name in names]

    baseline, judged = ("counts", "overall", "trust", "largest"), ("evidence", "shown", "bucket", "previous", "level")
    before = taken(*baseline)
    model.feed(mine, rows, np.full(3, end + 100), np.array([5, 500, 50]))
    model.advance(mine, rows, np.full(3, end + 2 * HOUR))
    assert taken(*baseline) == before
    before = taken(*judged)
    model.learn(mine, rows, np.full(3, end + 2 * HOUR))
    assert taken(*judged) == before


def test_a_bucket_teaches_after_a_day_unless_spoilt() -> None:
    def taught(*, spoilt: bool, late: int = 25) -> float:
        model, mine = agents(1, seconds=(60,))
        row = np.array([0])
        model.feed(mine, row, one(MONDAY + 90), one(50))
        model.advance(mine, row, one(MONDAY + HOUR))
        model.learn(mine, row, one(MONDAY + DAY))
        assert mine.overall.sum() == 0  # not yet a day old, or the part of a bucket it was met in
        if spoilt:
            model.spoil(mine, row, one(MONDAY + 60), one(MONDAY + 100))
        for hour in range(2, late + 1):
            model.advance(mine, row, one(MONDAY + hour * HOUR))
        model.learn(mine, row, one(MONDAY + late * HOUR))
        return float(mine.overall[0, 0, bins(one(50))[0]])

    assert taught(spoilt=False) == 1
    assert taught(spoilt=True) == 0
    assert taught(spoilt=False, late=27) == 0  # fell out of the ring


def test_a_silence_of_years_costs_no_loop_over_its_buckets() -> None:
    model, mine = agents(1)
    model.advance(mine, np.array([0]), one(MONDAY + 20 * 365 * DAY))
    assert mine.bucket[0].tolist() == [(MONDAY + 20 * 365 * DAY) // s for s in (60, HOUR)]
    assert np.isfinite(mine.evidence).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 3000)), max_size=12), st.integers(2, 10**6))
def test_evidence_is_finite_and_predictions_are_distributions(steps: list[tuple[int, int]], far: int) -> None:
    model, mine = agents(1)
    row, at = np.array([0]), MONDAY
    for gap, count in steps:
        at += gap
        model.feed(mine, row, one(at), one(count))
    model.advance(mine, row, one(at + far))
    assert np.isfinite(mine.evidence).all()
    assert (mine.evidence >= 0).all()
    assert mine.expected.sum(axis=2) == pytest.approx(np.ones((1, 2)), rel=1e-5)


def test_a_row_that_is_used_again_starts_afresh() -> None:
    model, mine, end = known(n=1, days=2)
    model.start(mine, np.array([0]), one(end))
    fresh = Columns(model.memory, 1)
    model.start(fresh, np.array([0]), one(end))
    assert state(mine) == state(fresh)


def test_memory_is_bounded() -> None:
    assert RateModel().memory.itemsize < 10_000


def test_the_tail_beyond_what_was_seen_follows_the_tail_of_what_was_seen() -> None:
    rng = np.random.default_rng(0)
    light, heavy = rng.poisson(6, 20_000), rng.poisson(np.exp(rng.normal(0, 1.3, 20_000)))
    found = falls(
        np.stack([np.bincount(bins(counts), minlength=BINS) for counts in (light, heavy, np.zeros(9, np.int64))])
    )
    assert [FALLS[i] for i in found] == [FALLS[-1], FALLS[0], 0.5]  # who has done nothing yet gets the cautious one


def test_an_agent_of_uneven_days_needs_more_evidence() -> None:
    def spread(days: list[int]) -> float:
        model, mine = agents(1)
        for day, count in enumerate(days):
            model.feed(mine, np.array([0]), one(MONDAY + DAY * day + 90), one(count))
            for hour in range(1, 25):
                tick(model, mine, np.array([0]), MONDAY + DAY * day + HOUR * hour)
        model.freeze(mine, np.array([0]), one(MONDAY + DAY * len(days)))
        return float(mine.scale[0, 0])

    assert spread([20] * 12) + 10 < spread([20, 1] * 5 + [20, 400])


def test_an_agent_whose_days_were_not_watched_is_noisy_not_silent_about_it() -> None:
    _, mine, _ = known(n=1, days=3)
    assert mine.noisy.tolist() == [True]
    _, mine, _ = known(n=1, days=10)
    assert mine.noisy.tolist() == [False]


def test_a_bucket_that_does_not_fit_hours_is_refused() -> None:
    with pytest.raises(ValueError, match="neither divides an hour"):
        RateModel((7000,))
