"""What is checked: detectors in an engine, and somebody who listens to it as the daemon does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple, Protocol

from detectors.core.detector import Detector
from detectors.core.digests import mix_one
from detectors.core.engine import Engine
from detectors.core.inputs import CohortVersion
from detectors.core.records import Records
from detectors.core.scored import Scored
from detectors.core.state import EngineSettings

Stream = Callable[[int], Records]
#: scores from which the listener holds an alert open, and below which it closes it
NOTICE, RESOLVE = 10.0, 2.5
SETTINGS = EngineSettings(reference_days=10.5, interesting=1.0)


class Failed(AssertionError):
    """A detector, or the core, does not keep to its contract."""


class Line(NamedTuple):
    """One thing that was said of one agent."""

    tenant: str
    agent: str
    text: str


class Run(Protocol):
    """What is fed with records and says lines; the whole of a daemon's pipeline can stand behind it."""

    def read(self, records: Records) -> list[Line]:
        """Judge records."""

    def merge(self, version: CohortVersion) -> None:
        """Take in what peers know."""

    def sealed(self) -> list[CohortVersion]:
        """Cohort versions sealed since the last call."""

    def finish(self, clock: float) -> list[Line]:
        """Timers up to the end."""

    def dump(self, *, everything: bool) -> dict[str, bytes]:
        """State as parts."""

    def load(self, parts: dict[str, bytes]) -> None:
        """Put it back, into a fresh run."""


class Listener:
    """An engine and somebody who writes down all it says, and holds alerts open, which bears on what is learnt."""

    def __init__(self, detectors: Iterable[Detector], settings: EngineSettings) -> None:
        self.engine = Engine(list(detectors), None, settings)

    def read(self, records: Records) -> list[Line]:
        """Judge records."""
        return self._listen(self.engine.step(records))

    def finish(self, clock: float) -> list[Line]:
        """Timers up to the end."""
        return self._listen(self.engine.finish(clock))

    def merge(self, version: CohortVersion) -> None:
        """Take in what peers know."""
        self.engine.merge(version)

    def sealed(self) -> list[CohortVersion]:
        """Cohort versions sealed since the last call."""
        found, self.engine.sealed = self.engine.sealed, []
        return found

    def dump(self, *, everything: bool) -> dict[str, bytes]:
        """State as parts."""
        return self.engine.dump(everything=everything)

    def load(self, parts: dict[str, bytes]) -> None:
        """Put it back."""
        self.engine.load(parts)

    def _listen(self, said: Iterator[Scored]) -> list[Line]:
        heard = []
        for scored in said:
            level = self.engine.state.common.level
            level[scored.row] = 1 if scored.score >= NOTICE else level[scored.row] * (scored.score >= RESOLVE)
            reasons = {name: told.reason for name, told in self.engine.explain(scored).items()}
            text = f"{scored.clock!r} {scored.event} {scored.cause} {scored.score!r} {scored.gate!r} {reasons}"
            heard.append((scored.order, Line(scored.tenant, scored.agent, text)))
        heard.sort(key=lambda one: (one[0], one[1].tenant, one[1].agent))
        return [line for _, line in heard]


@dataclass(frozen=True)
class Case:
    """Detectors, how the engine is set, and where streams come from; `listen` may put more around the engine."""

    kinds: tuple[type[Detector], ...]
    stream: Stream
    settings: EngineSettings = SETTINGS
    listen: Callable[[list[Detector], EngineSettings], Run] = Listener

    def run(self, *, cohorts_given: bool = False) -> Run:
        """A fresh run."""
        return self.listen([kind() for kind in self.kinds], replace(self.settings, cohorts_given=cohorts_given))


class Told(NamedTuple):
    """All that a run said, and its state at the end."""

    lines: list[Line]
    state: dict[str, bytes]


def play(run: Run, records: Records, cuts: Iterable[int] = ()) -> Told:
    """All records, cut before these, then the timers up to the latest arrival."""
    lines: list[Line] = []
    before = 0
    for cut in (*cuts, len(records)):
        if cut > before:
            lines += run.read(records.part(before, cut))
            before = cut
    lines += run.finish(max(records.arrivals))
    return Told(lines, run.dump(everything=True))


@lru_cache(maxsize=8)
def whole(case: Case, seed: int) -> Told:
    """The run at once that all others are compared with; it has to say something."""
    told = play(case.run(), case.stream(seed))
    if not told.lines:
        raise Failed("the stream makes the detector say nothing: it shows nothing")
    return told


def numbers(seed: int, many: int, below: int) -> list[int]:
    """Numbers that look random, in ascending order, each at most once; the library itself knows no chance."""
    return sorted({mix_one(seed + 1, i) % below for i in range(many)}) if below else []


def same(found: Told, expected: Told, what: str) -> None:
    """Raise Failed with the first line, or the part of the state, that differs."""
    for i, (one, other) in enumerate(zip(found.lines, expected.lines, strict=False)):
        if one != other:
            raise Failed(f"{what}: line {i} differs:\n  {one}\n  {other}")
    if len(found.lines) != len(expected.lines):
        raise Failed(f"{what}: {len(found.lines)} lines, {len(expected.lines)} expected")
    parts = sorted(set(found.state) | set(expected.state))
    differing = [name for name in parts if found.state.get(name) != expected.state.get(name)]
    if differing:
        raise Failed(f"{what}: the state differs in {', '.join(differing)}")
