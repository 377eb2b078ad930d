"""Sums over bins read eight bytes at a time must be the plain sums."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.core.rate_bins import BINS, firsts, sums


@pytest.mark.parametrize("top", [0, 1, 255])
def test_sums_are_the_plain_sums(top: int) -> None:
    counts = np.random.default_rng(1).integers(0, top, (7, 5, BINS), endpoint=True).astype(np.uint8)
    counts[0] = top
    assert (sums(counts) == counts.sum(axis=2, dtype=np.int64)).all()
    assert (firsts(counts) == counts[:, :, :4].sum(axis=2, dtype=np.int64)).all()


def test_sums_of_a_table_that_lies_otherwise_in_memory() -> None:
    counts = np.random.default_rng(2).integers(0, 256, (5, 7, BINS)).astype(np.uint8).transpose(1, 0, 2)
    assert not counts.flags.c_contiguous
    assert (sums(counts) == counts.sum(axis=2, dtype=np.int64)).all()
    assert (firsts(counts) == counts[:, :, :4].sum(axis=2, dtype=np.int64)).all()
