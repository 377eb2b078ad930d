"""A detector that raises costs its own evidence alone, and it is said."""

from __future__ import annotations

from typing import NoReturn

import msgspec
import numpy as np

from detectors.core.batch import Batch
from detectors.core.columns import Columns, Rows
from detectors.core.conformance.case import Case, Failed, Listener, play
from detectors.core.conformance.witness import Witness
from detectors.core.detector import RAISED, Detector, Hit
from detectors.core.snapshot import Shard

#: verbs that may raise
VERBS = ("start", "stream", "wants", "judge", "classify", "tick", "blind", "learn", "freeze", "explain")


def raising(kind: type[Detector], verb: str) -> type[Detector]:
    """The detector, broken: this verb of it raises."""
    bases = (_Eager, kind) if verb in ("judge", "explain") else (kind,)
    return type(f"Broken{kind.__name__}", bases, {verb: _Raises(verb)})


class _Eager(Detector):
    """It judges whatever there is, so that it is sure to be asked."""

    def wants(self, batch: Batch) -> Rows:
        found: Rows = np.flatnonzero(batch.own)
        return found

    def judge(self, hit: Hit, mine: Columns) -> list[tuple[int, float]]:
        return [(0, 1e6)]


class _Raises:
    """A verb that raises, whatever it is given."""

    def __init__(self, verb: str) -> None:
        self.__name__ = verb

    def __call__(self, *args: object) -> NoReturn:
        raise KeyError(self.__name__)


def costs_itself(case: Case, seed: int, verb: str) -> None:
    """Beside a detector whose verb raises, another one judges as if it were alone."""
    kind = case.kinds[0]
    if verb == "classify" and not any(family.hit for family in kind.families):
        return
    records = case.stream(seed)
    run = Listener([raising(kind, verb)(), Witness()], case.settings)
    told, alone = play(run, records), play(Listener([Witness()], case.settings), records)
    state, failures = run.engine.state, run.engine.errors()
    if not any(failure.detector == kind.name and failure.verb == verb for failure in failures):
        raise Failed(f"{verb} raised and nobody was told: {failures}")
    if not state.counts[f"detector_errors:{kind.name}"]:
        raise Failed(f"{verb} raised and it was not counted")
    rows = state.agents.residents()
    blind = rows[state.blind[rows, 0] == RAISED]
    scores = [run.engine.judge.score(row, state.clock, float(state.common.n[row])) for row in blind.tolist()]
    if not len(blind) or any(0 in scored.parts for scored in scores):
        raise Failed(f"{verb} raised, and the agents that it was asked about are still judged by it")
    if (state.blind[rows, 1] != 0).any():
        raise Failed(f"{verb} raised, and another detector became blind")
    if verb != "explain" and _seen_by_witness(told.state) != _seen_by_witness(alone.state):
        raise Failed(f"{verb} raised, and another detector judges otherwise than by itself")


def _seen_by_witness(state: dict[str, bytes]) -> list[object]:
    parts = [msgspec.msgpack.decode(state[name], type=Shard) for name in sorted(state) if name.startswith("shard")]
    return [(part.who, part.memory[Witness.name], part.value[f"{Witness.name}.seen"]) for part in parts]
