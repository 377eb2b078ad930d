"""exp and log made of + - * / alone: the same bits for a Python float and an array, at every width, on every CPU.

NumPy's and libm's own differ in the last bit between builds and instruction sets, and `**` takes short cuts for
single exponents; a score that is replayed must not. Relative error is below 1e-15. A call on an array costs about
25 microseconds however small the array, so scalars are for judging loops and arrays for ticks.
"""

import math
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # their sum is ln 2, to 86 bits
INVERSE_LN2 = 1.44269504088896338700
ROUNDING = 6755399441055744.0  # 1.5 * 2**52: adding and subtracting it rounds to the nearest integer
EXPONENT_MIN, EXPONENT_MAX = -708.0, 709.0  # beyond these exp would leave the range of normal numbers
SQUARE_ROOT_HALF = 0.7071067811865476
FACTORIALS = [1.0 / math.factorial(n) for n in range(13, -1, -1)]
ODD_SHARES = [1.0 / n for n in range(27, 0, -2)]


@overload
def exp(x: float) -> float: ...
@overload
def exp(x: Floats) -> Floats: ...
def exp(x: Any) -> Any:
    """Euler's number to the power x; x is taken as at least -708 and at most 709."""
    wide = isinstance(x, np.ndarray)
    x = np.minimum(np.maximum(x, EXPONENT_MIN), EXPONENT_MAX) if wide else min(max(x, EXPONENT_MIN), EXPONENT_MAX)
    octaves = (x * INVERSE_LN2 + ROUNDING) - ROUNDING
    rest = (x - octaves * LN2_HIGH) - octaves * LN2_LOW
    series = FACTORIALS[0]
    for share in FACTORIALS[1:]:
        series = series * rest + share
    return np.ldexp(series, octaves.astype(np.int32)) if wide else math.ldexp(series, int(octaves))


@overload
def log(x: float) -> float: ...
@overload
def log(x: Floats) -> Floats: ...
def log(x: Any) -> Any:
    """Natural logarithm of x > 0; a logarithm of anything else is a bug of the caller and undefined."""
    mantissa: Any
    octaves: Any
    mantissa, octaves = _split_array(x) if isinstance(x, np.ndarray) else _split(x)
    ratio = (mantissa - 1.0) / (mantissa + 1.0)
    square = ratio * ratio
    series: Any = ODD_SHARES[0]
    for share in ODD_SHARES[1:]:
        series = series * square + share
    return octaves * LN2_HIGH + (2.0 * ratio * series + octaves * LN2_LOW)


def _split(x: float) -> tuple[float, float]:
    """A number as mantissa within [sqrt(1/2), sqrt(2)) and power of two."""
    mantissa, octaves = math.frexp(x)
    if mantissa < SQUARE_ROOT_HALF:
        return mantissa * 2.0, octaves - 1.0
    return mantissa, float(octaves)


def _split_array(x: Floats) -> tuple[Floats, Floats]:
    mantissa, octaves = np.frexp(x)
    small = mantissa < SQUARE_ROOT_HALF
    return np.where(small, mantissa * 2.0, mantissa), (octaves - small).astype(np.float64)
