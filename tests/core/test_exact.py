"""exp and log: right to the last bits, and the same bits whatever the shape they come in."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.core import exact

EXPONENTS = np.concatenate([np.linspace(-708, 709, 4001), np.linspace(-1, 1, 4001)])
NUMBERS = np.concatenate([np.exp(np.linspace(-700, 700, 4001)), np.linspace(0.5, 2, 4001)])


def test_exp_is_right() -> None:
    for x in EXPONENTS.tolist():
        assert exact.exp(x) == pytest.approx(math.exp(x), rel=1e-15)


def test_log_is_right() -> None:
    for x in NUMBERS.tolist():
        assert exact.log(x) == pytest.approx(math.log(x), rel=1e-15, abs=1e-300)


def test_known_points_are_exact() -> None:
    assert exact.exp(0.0) == 1.0
    assert exact.log(1.0) == 0.0
    assert exact.exp(-1e9) > 0.0
    assert math.isfinite(exact.exp(1e9))


@pytest.mark.parametrize(("function", "inputs"), [(exact.exp, EXPONENTS), (exact.log, NUMBERS)])
def test_scalars_arrays_and_strides_agree_bit_for_bit(function: Callable[[Any], Any], inputs: exact.Floats) -> None:
    whole = function(inputs)
    assert whole.tolist() == [function(x) for x in inputs.tolist()]
    strided = np.repeat(inputs, 3)[::3]
    assert strided.strides != inputs.strides
    assert function(strided).tobytes() == whole.tobytes()
    assert function(inputs.reshape(-1, 2)).tobytes() == whole.tobytes()


@given(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=9))
def test_the_width_of_an_array_does_not_matter(numbers: list[float]) -> None:
    together = exact.log(np.array(numbers))
    alone = [exact.log(np.array([x]))[0] for x in numbers]
    assert together.tolist() == alone
    assert exact.exp(together).tolist() == [exact.exp(np.array([x]))[0] for x in alone]
