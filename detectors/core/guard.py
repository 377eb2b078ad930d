"""A detector that raises costs its own evidence: its agents become blind for it, the others go on judging.

What a verb leaves half done in the detector's memory is never read again, since nobody calls it for these agents any
more. A verb over many agents at once blinds all of them: which one it was cannot be told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

import numpy as np

from detectors.core.columns import Rows
from detectors.core.detector import RAISED

if TYPE_CHECKING:
    from detectors.core.state import State

#: failures kept until somebody asks for them; further ones are only counted
FAILURES_MAX = 64
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Failure(NamedTuple):
    """A detector raised: in which verb, what, where (file and line), and how many agents it is blind for since."""

    detector: str
    verb: str
    error: str
    place: str
    agents: int


def call(state: State, d: int, rows: Rows, verb: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
    """What a verb of detector `d` says about these agents (who may come several times); None when it raised."""
    if not len(rows):
        return None
    try:
        return verb(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - a detector may be wrong in any way, and the others must go on
        _blind(state, d, rows)
        _note(state, Failure(state.detectors[d].name, verb.__name__, f"{type(error).__name__}: {error}"[:200],
                             _place(error), len(np.unique(rows))))
        return None


def seeing(state: State, d: int, rows: Rows) -> Rows:
    """Which of these agents (by index) detector `d` may still be asked about."""
    return np.flatnonzero(state.blind[rows, d] != RAISED)


def _blind(state: State, d: int, rows: Rows) -> None:
    state.blind[rows, d] = RAISED
    state.value[rows, state.base[d] : state.base[d + 1]] = 0.0


def _note(state: State, failure: Failure) -> None:
    state.counts[f"detector_errors:{failure.detector}"] += 1
    if len(state.failures) < FAILURES_MAX:
        state.failures.append(failure)


def _place(error: Exception) -> str:
    """The innermost line of the detector's own file, or of what it called."""
    trace, found = error.__traceback__, ""
    while trace is not None:
        found = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
