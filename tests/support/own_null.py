"""The null of detectors that keep evidence of their own, with the reference given: counts drawn from their prediction."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from detectors import blast_radius
from detectors.blast_radius import GROWTH, WINDOWS, BlastRadius
from detectors.core.columns import Array, Columns, Rows
from detectors.core.conformance.null import Crossings, Measured
from detectors.core.evidence import MONTH, SCORE_MAX
from detectors.core.exact import exp, log
from detectors.core.rate_bins import EDGES
from detectors.core.rate_model import RateModel

HOUR = 3600.0


def weighed(mine: Columns, rows: Rows, w: int, count: Array) -> None:
    """`BlastRadius._weigh` for many agents at once: the reading at this count of the running window."""
    limit, shape = mine.limit[rows, w], mine.shape[rows, w]
    base, lapse = log(shape + limit), WINDOWS[w] / MONTH
    for k, growth in enumerate(GROWTH):
        ratio = count * blast_radius._LOG_GROWTH[k] + (shape + count) * (base - log(shape + growth * limit))
        rested = (1.0 - lapse) * mine.start[rows, w, k] + lapse
        mine.now[rows, w, k] = np.minimum(rested * exp(np.minimum(ratio, 60.0)), SCORE_MAX)


def deletions(paths: int, mean: float, shape: float, seed: int, hours: int = 720) -> Iterator[Measured]:
    """Agent-months of deletions by the hour, negative binomial with exactly the limit as their mean."""
    rng, detector, rows = np.random.default_rng(seed), BlastRadius(), np.arange(paths)
    mine = Columns(detector.memory, paths)
    detector.start(rows, np.zeros(paths), mine)
    for w, hours_long in enumerate((1.0, 24.0)):  # a day is the sum of its hours, and negative binomial as they are
        mine.limit[rows, w], mine.shape[rows, w] = mean * hours_long, shape * hours_long
    crossings = Crossings(paths)
    for hour in range(1, hours + 1):
        count = rng.negative_binomial(shape, shape / (shape + mean), paths).astype(np.float64)
        mine.count[:] += count[:, None]
        for w in range(len(WINDOWS)):
            weighed(mine, rows, w, mine.count[rows, w])
        score = mine.now.reshape(paths, -1).mean(axis=1)
        crossings.see(rows, score)
        if hour == hours:
            yield Measured.of(f"destructive, {mean:g} an hour: mean evidence after a month", score, 1.0)
        crossings.see(rows, detector.tick(rows, np.full(paths, hour * HOUR), mine)[:, 0])  # type: ignore[index]
    for x, counts in crossings.counts.items():
        yield Measured.of(f"destructive, {mean:g} an hour: crossings of {x:g}", counts, 1.0 / (x - 2.5))


def rates(paths: int, buckets: int, seconds: int, seed: int) -> Iterator[Measured]:
    """Agents whose buckets come just as the model predicts them: raw evidence, before any calibration."""
    rng, model, rows = np.random.default_rng(seed), RateModel((seconds,)), np.arange(paths)
    mine, lane = Columns(model.memory, paths), model.lanes[0]
    start = 20_000.0 * 86_400.0
    model.start(mine, rows, np.full(paths, start))
    for _ in range(48 if seconds >= HOUR else 400):  # a past of their own, so that contexts differ
        mine.count[rows, 0] = rng.poisson(rng.choice([0.2, 3.0, 20.0], paths))
        lane.close(mine, rows)
        lane.predict(mine, rows)
    model.learn(mine, rows, mine.bucket[rows, 0] * seconds + 86_400.0)
    mine.evidence[:] = 0.0
    for _ in range(buckets):
        expected = mine.expected[rows, 0].astype(np.float64)
        chosen = (np.cumsum(expected, axis=1) / expected.sum(axis=1)[:, None] < rng.random(paths)[:, None]).sum(axis=1)
        mine.count[rows, 0] = EDGES[np.minimum(chosen, len(EDGES) - 1)]
        lane.close(mine, rows)
        lane.predict(mine, rows)
    kind = f"rate by {seconds} s: mean raw evidence after {buckets} buckets"
    yield Measured.of(kind, lane.closed(mine, rows), 1.0)
