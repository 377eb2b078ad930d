"""Detectors that keep evidence of their own keep the promise, too, when counts come as their reference predicts."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.blast_radius import WINDOWS, BlastRadius
from detectors.core.columns import Columns
from detectors.core.conformance import Failed
from detectors.core.conformance.null import Measured
from detectors.core.evidence import MONTH
from tests.support import own_null


@pytest.mark.parametrize(("mean", "shape"), [(0.02, 0.3), (0.5, 1.0), (6.0, 2.0)])
def test_destructive_counts_as_predicted_seldom_page(mean: float, shape: float) -> None:
    found = list(own_null.deletions(10_000, mean, shape, seed=3))
    assert len(found) == 3
    for measured in found:
        measured.check()


@pytest.mark.parametrize(("seconds", "buckets"), [(3600, 240), (60, 720)])
def test_rates_as_predicted_are_no_evidence(seconds: int, buckets: int) -> None:
    for measured in own_null.rates(1000, buckets, seconds, seed=3):
        measured.check()


def test_more_than_predicted_is_found() -> None:
    """A test of the test: the mean of the counts is five times what the reference says."""
    detector, rows = BlastRadius(), np.arange(2000)
    mine = Columns(detector.memory, 2000)
    mine.limit[:], mine.shape[:] = 1.0, 5.0
    own_null.weighed(mine, rows, 1, np.random.default_rng(1).negative_binomial(5, 5 / 10.0, 2000).astype(np.float64))
    ratio = mine.now[:, 1].mean(axis=1) / (WINDOWS[1] / MONTH)
    with pytest.raises(Failed):
        Measured.of("five times", np.minimum(ratio, 20.0), 1.0).check()


def test_the_reading_of_many_agents_is_that_of_each() -> None:
    detector, rows = BlastRadius(), np.arange(20)
    one, many = Columns(detector.memory, 20), Columns(detector.memory, 20)
    rng = np.random.default_rng(5)
    for mine in (one, many):
        mine.limit[:], mine.shape[:], mine.start[:] = 2.0, 0.7, 0.4
    count = rng.integers(0, 60, 20).astype(np.float64)
    for w, seconds in enumerate(WINDOWS):
        own_null.weighed(many, rows, w, count)
        for row in rows.tolist():
            detector._weigh(row, w, float(count[row]), seconds, one)
    assert one.now.tobytes() == many.now.tobytes()
