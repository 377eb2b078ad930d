"""Judging is pure: no clock, file, network, environment or chance is asked, no input changed, nothing shared."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, NoReturn

from detectors.core.conformance.case import Case, Failed, Told, play, same, whole

#: what a detector may not ask, by module
ASKED = {
    "builtins": ("open", "input"),
    "io": ("open",),
    "os": ("getenv", "urandom", "open", "stat", "listdir", "environ"),
    "random": ("random", "randint", "choice", "Random", "getrandbits"),
    "secrets": ("token_bytes", "randbits"),
    "socket": ("socket", "create_connection", "getaddrinfo"),
    "time": ("time", "time_ns", "sleep", "localtime", "gmtime"),
    "uuid": ("uuid1", "uuid4"),
}
#: records of each stream that two engines take turns with
APART = 500
_NUMPY_CHANCE = ("default_rng", "random", "rand", "normal", "seed")


def pure(case: Case, seed: int) -> None:
    """Nothing outside is asked, and the records are as they were."""
    records, expected = case.stream(seed), whole(case, seed)
    before = deepcopy(records)
    run = case.run()
    with _forbidden():
        told = play(run, records, range(97, len(records), 97))
    same(told, expected, "with nothing outside to ask")
    if before != records:
        raise Failed("the records were changed by judging them")


def apart(case: Case, seed: int) -> None:
    """Two engines in one process, taking turns, tell what each tells alone."""
    streams = [case.stream(seed).part(0, APART), case.stream(seed + 1).part(0, APART)]
    runs = [case.run(), case.run()]
    told: list[list[Any]] = [[], []]
    step = 53
    for start in range(0, max(map(len, streams)), step):
        for run, records, lines in zip(runs, streams, told, strict=True):
            lines.extend(run.read(records.part(start, start + step)))
    for i, (run, records, lines) in enumerate(zip(runs, streams, told, strict=True)):
        lines.extend(run.finish(max(records.arrivals)))
        same(Told(lines, run.dump(everything=True)), play(case.run(), records), f"engine {i + 1} of two")


@contextmanager
def _forbidden() -> Iterator[None]:
    """Everything that would tell one run from the next raises."""
    kept: list[tuple[Any, str, Any]] = []
    places = [(sys.modules.get(name), names) for name, names in ASKED.items()]
    places.append((sys.modules.get("numpy.random"), _NUMPY_CHANCE))
    try:
        for module, names in places:
            for name in names:
                if module is not None and hasattr(module, name):
                    kept.append((module, name, getattr(module, name)))
                    setattr(module, name, _Forbidden(f"{module.__name__}.{name}"))
        yield
    finally:
        for module, name, value in kept:
            setattr(module, name, value)


class _Forbidden:
    """Whatever is done with it is impure."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        raise Failed(f"{self._name} was asked")

    def __getattr__(self, name: str) -> NoReturn:
        raise Failed(f"{self._name}.{name} was asked")

    def __getitem__(self, name: object) -> NoReturn:
        raise Failed(f"{self._name}[{name!r}] was asked")
