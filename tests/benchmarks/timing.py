"""CPU seconds of this process, all threads; what runs inside a stage is not counted to the stage around it."""

from __future__ import annotations

import gc
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import process_time_ns
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
OUTSIDE = "(outside)"


class Cost(NamedTuple):
    """Microseconds of CPU for each event: the least and the median of all repeats."""

    least: float
    middle: float


class Costs(dict[str, list[float]]):
    """Repeats by name."""

    def note(self, name: str, nanoseconds: int, events: int) -> None:
        """One repeat."""
        self.setdefault(name, []).append(nanoseconds / 1000.0 / events)

    def of(self, name: str) -> Cost:
        """What the repeats say."""
        return Cost(min(self[name]), median(self[name]))


def timed(work: Callable[[], T]) -> tuple[int, T]:
    """CPU nanoseconds of this call, and what it gave."""
    began = process_time_ns()
    given = work()
    return process_time_ns() - began, given


@contextmanager
def no_collection() -> Iterator[None]:
    """What stands is frozen and nothing is collected: a collection costs by what lives, not by what is measured."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


class Stages:
    """CPU nanoseconds by stage, each without the stages called in it."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, int] = defaultdict(int)
        self._open: list[str] = [OUTSIDE]
        self._since = process_time_ns()

    def watch(self, owner: Any, method: str, stage: str) -> None:
        """Count what this object's method costs; its name must exist."""
        inner = getattr(owner, method)
        setattr(owner, method, self._generator(inner, stage) if inspect.isgeneratorfunction(inner) else
                self._call(inner, stage))

    def take(self) -> dict[str, int]:
        """What was spent since the last call."""
        self._book()
        taken, self.spent = dict(self.spent), defaultdict(int)
        taken.pop(OUTSIDE, None)
        return taken

    def _enter(self, stage: str) -> None:
        self._book()
        self._open.append(stage)

    def _leave(self) -> None:
        self._book()
        self._open.pop()

    def _book(self) -> None:
        now = process_time_ns()
        self.spent[self._open[-1]] += now - self._since
        self._since = now

    def _call(self, inner: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def watched(*given: Any, **named: Any) -> Any:
            self._enter(stage)
            try:
                return inner(*given, **named)
            finally:
                self._leave()

        return watched

    def _generator(self, inner: Callable[..., Iterator[Any]], stage: str) -> Callable[..., Iterator[Any]]:
        def watched(*given: Any, **named: Any) -> Iterator[Any]:
            steps = iter(inner(*given, **named))
            while True:
                self._enter(stage)
                try:
                    step = next(steps, self)
                finally:
                    self._leave()
                if step is self:
                    return
                yield step

        return watched
