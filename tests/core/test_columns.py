"""Columns: the only memory for an agent, laid out, cleared, grown and dumped from a dtype alone."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.core.columns import Columns

LAYOUT = np.dtype([("n", "f8"), ("ids", "u4", (3,)), ("flag", "?")])


def filled(rows: int = 4) -> Columns:
    columns = Columns(LAYOUT, rows)
    columns.n[:] = np.arange(rows) + 0.5
    columns.ids[:] = np.arange(3 * rows).reshape(rows, 3)
    columns.flag[:] = True
    return columns


def test_fields_are_arrays_of_their_shape() -> None:
    columns = Columns(LAYOUT, 4)
    assert (columns.n.shape, columns.ids.shape, columns.flag.dtype) == ((4,), (4, 3), np.dtype("?"))
    assert columns.bytes_per_row == 8 + 12 + 1
    with pytest.raises(AttributeError):
        columns.other  # noqa: B018


def test_growing_keeps_what_is_there_and_adds_zeros() -> None:
    columns = filled()
    columns.grow(7)
    assert columns.rows == 7
    assert columns.n.tolist() == [0.5, 1.5, 2.5, 3.5, 0, 0, 0]
    assert columns.ids[3].tolist() == [9, 10, 11]
    assert not columns.ids[4:].any()
    assert not columns.flag[4:].any()


def test_clearing_touches_one_row() -> None:
    columns = filled()
    columns.clear(2)
    assert (columns.n[2], columns.ids[2].tolist(), bool(columns.flag[2])) == (0.0, [0, 0, 0], False)
    assert (columns.n[1], columns.ids[3].tolist(), bool(columns.flag[1])) == (1.5, [9, 10, 11], True)


def test_a_dump_put_back_elsewhere_is_the_same() -> None:
    columns, other = filled(), Columns(LAYOUT, 9)
    other.load(columns.dump(np.array([3, 1])), np.array([5, 8]))
    assert other.n[[5, 8]].tolist() == [3.5, 1.5]
    assert other.ids[5].tolist() == [9, 10, 11]
    assert other.flag.sum() == 2


def test_a_field_that_the_dump_lacks_stays_zero() -> None:
    columns, other = filled(), Columns(LAYOUT, 4)
    dumped = columns.dump(np.array([0]))
    del dumped["ids"]
    other.load(dumped, np.array([0]))
    assert other.n[0] == 0.5
    assert not other.ids.any()


def test_a_layout_without_fields_is_no_memory() -> None:
    columns = Columns(np.dtype([]), 4)
    columns.grow(8)
    columns.clear(7)
    assert columns.dump(np.array([1])) == {}
