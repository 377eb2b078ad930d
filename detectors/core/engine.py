"""The engine: records and inputs in, scores out, the same whatever the cuts.

Records of a partition are cut where its clock passes an hour: there silent agents get their ticks and a cohort
version is sealed. Between two such cuts agents stand alone, so each one's events are judged in rounds between its own
ticks: `step` yields what each round says, and whoever consumes it may note an open alert (`common.level`) before the
next tick decides what is learnt.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from detectors.core import guard, snapshot
from detectors.core.agents import SHARDS
from detectors.core.batch import Batch
from detectors.core.cohort import adoption_order
from detectors.core.columns import Array, Rows, by_row
from detectors.core.detector import Detector, Standing
from detectors.core.directing import Directing
from detectors.core.family import Explanation
from detectors.core.guard import Failure
from detectors.core.inputs import CohortVersion
from detectors.core.judging import Judge
from detectors.core.reading import Orphan, Reader
from detectors.core.records import Records
from detectors.core.rules import Rules
from detectors.core.scored import Scored
from detectors.core.state import EngineSettings, State
from detectors.core.ticks import Ticks

HOUR, DAY = 3600.0, 86_400.0
#: a silent agent's tick is due when the partition's clock is this far past it: late records still find it open
GRACE = HOUR
#: the partition's clock follows one record by at most this; two in a row that are further ahead are believed
STRIDE = 2 * DAY


class Engine:
    """One partition: its agents, its clock, its detectors."""

    def __init__(self, detectors: list[Detector], rules: Rules | None = None,
                 settings: EngineSettings | None = None) -> None:
        self.state = State(detectors, rules or Rules(), settings or EngineSettings())
        self._reader = Reader(self.state)
        self.judge = Judge(self.state)
        self.ticks = Ticks(self.state, self.judge)
        self.directing = Directing(self.state, self.judge, self.ticks)
        self.sealed: list[CohortVersion] = []

    # -- records

    def step(self, records: Records) -> Iterator[Scored]:
        """Judge these records; yields the scores that somebody wants to hear of."""
        if not len(records):
            return
        clocks = self._partition_clock(np.array(records.arrivals))
        hours = np.floor(clocks / HOUR).astype(np.int64)
        cuts = np.flatnonzero(np.diff(hours)) + 1
        start = 0
        for stop in [*cuts.tolist(), len(records)]:
            for scored in self.advance(float(clocks[start])):
                scored.order = (start, 0, scored.clock)
                scored.place = (records.offsets[start], records.indexes[start])
                yield scored
            batch = self._reader.read(records, start, stop)
            for scored in self._rounds(batch):
                scored.order = (start + scored.order[0], *scored.order[1:])
                yield scored
            self.state.clock = float(clocks[stop - 1])
            start = stop

    def delegated(self, records: Records) -> Iterator[Scored]:
        """Records of another partition: they are entries of their ancestors here, and of nobody else."""
        yield from self._rounds(self._reader.read_delegated(records))

    def orphans(self) -> list[Orphan]:
        """Delegated events whose ancestor has no row here, since the last call."""
        found, self._reader.orphans = self._reader.orphans, []
        return found

    def errors(self) -> list[Failure]:
        """Detectors that raised, and for how many agents they are blind since, since the last call."""
        found, self.state.failures = self.state.failures, []
        return found

    def _partition_clock(self, arrivals: Array) -> Array:
        state = self.state
        clock = state.clock = state.clock or float(arrivals[0])
        running: Array = np.maximum.accumulate(np.maximum(arrivals, clock))
        if not (np.diff(np.concatenate(([clock], running))) > STRIDE).any():
            state.ahead = False
            return running
        for i, arrival in enumerate(arrivals.tolist()):
            ahead = arrival > clock + STRIDE
            if not ahead or state.ahead:
                clock = max(clock, arrival)
            state.ahead = ahead
            running[i] = clock
        return running

    def _rounds(self, batch: Batch) -> Iterator[Scored]:
        """Events of one agent between two of its ticks make a round."""
        common = self.state.common
        if (common.next_tick[batch.row] > batch.clock).all():
            if len(batch):
                yield from self.judge.judge(batch)
            return
        phase = (common.identity[batch.row] % np.uint64(3600)).astype(np.float64)
        period = np.floor((batch.clock - phase) / HOUR)
        number = _changes(batch.row, period)
        for turn in range(int(number.max()) + 1):
            at = np.flatnonzero(number == turn) if turn or number.any() else np.arange(len(batch))
            part = batch.take(at) if len(at) < len(batch) else batch
            rows, first = np.unique(part.row, return_index=True)
            for scored in self.ticks.run(rows, part.clock[first]):
                i = int(first[np.searchsorted(rows, scored.row)])
                scored.order = (int(part.event[i]), 1, scored.clock)
                scored.place = (int(part.offset[i]), int(part.index[i]))
                yield scored
            yield from self.judge.judge(part)

    # -- time

    def advance(self, clock: float) -> Iterator[Scored]:
        """The partition's clock reached this time: seal the hour, tick the silent, let the long idle leave."""
        state = self.state
        hour = int(clock // HOUR)
        if hour <= state.hour:
            return
        if state.hour >= 0:
            rows = state.agents.residents()
            yield from self.ticks.run(rows, np.full(len(rows), clock - GRACE), timers=True)
            self._seal(state.hour)
            if hour // 24 > state.hour // 24:
                self._leave(clock // DAY * DAY)
        state.hour = hour

    def finish(self, clock: float) -> Iterator[Scored]:
        """The end of a replay: timers fire up to this time and not beyond."""
        rows = self.state.agents.residents()
        yield from self.ticks.run(rows, np.full(len(rows), clock), timers=True)

    def _seal(self, hour: int) -> None:
        state = self.state
        if not state.contributions:
            return
        # sorted: within an hour agents are judged in an order that depends on how the log was cut
        version = CohortVersion(hour=hour, adoptions=tuple(sorted(set(state.contributions), key=adoption_order)))
        state.contributions = []
        self.sealed.append(version)
        if not state.settings.cohorts_given:
            state.cohorts.merge(version)

    def merge(self, version: CohortVersion) -> None:
        """A cohort version from outside."""
        self.state.cohorts.merge(version)

    def _leave(self, midnight: float) -> None:
        state, common = self.state, self.state.common
        for role, things in list(state.expected.items()):
            state.expected[role] = {thing: until for thing, until in things.items() if until >= midnight - DAY}
        oldest = midnight - state.settings.idle_days_max * DAY
        rows = state.agents.residents()
        gone = rows[(common.last[rows] < oldest) & (common.level[rows] == 0) & ~common.contained[rows]]
        state.dirty.update((common.identity[gone] % np.uint64(SHARDS)).tolist())
        for row in gone.tolist():
            state.clear(row)
            state.agents.move_out(row)
        if len(gone):
            state.seen.forget(gone)
        state.agents.forget_newcomers(midnight)

    # -- snapshots

    def dump(self, *, everything: bool = False) -> dict[str, bytes]:
        """The state as parts: those that changed since the last dump, or all."""
        return snapshot.dump(self.state, everything=everything)

    def load(self, parts: dict[str, bytes]) -> None:
        """Put back what `dump` gave, into a fresh engine."""
        snapshot.load(self.state, parts)

    # -- for people

    def explain(self, scored: Scored) -> dict[str, Explanation]:
        """One sentence for each detector that has a part in the score."""
        state, row = self.state, scored.row
        told: dict[str, Explanation] = {}
        for d, part in scored.parts.items():
            if part <= 0:
                continue
            detector = state.detectors[d]
            said = guard.call(state, d, np.array([row]), detector.explain, row, scored.clock, state.mine[d],
                              self._standings(d, row, scored.n))
            told[detector.name] = said or Explanation(f"{detector.name} raised an error when asked why")
        return told

    def _standings(self, d: int, row: int, n: float) -> dict[str, Standing]:
        state, standings = self.state, {}
        for number, (owner, family) in enumerate(state.families):
            if owner != d:
                continue
            exemplars, score = state.exemplars.get((row, number), []), float(state.value[row, number])
            column = state.evidence.get(number)
            if column is None:
                standings[family.name] = Standing(0.0, 0.0, 0.0, 0.0, exemplars, score)
                continue
            e = column[row]
            chances = max(n - float(e["n"]), 0.0)
            standings[family.name] = Standing(float(e["since"]), float(e["seen"]),
                                              float(e["due"]) + chances * float(e["q"]), float(e["q"]), exemplars, score)
        return standings


def _changes(row: Rows, period: Array) -> Rows:
    """For each entry: how often its row's period changed before it, in order of entries."""
    order = by_row(row)
    sorted_row, sorted_period = row[order], np.copy(period[order])
    fresh = np.concatenate(([True], sorted_row[1:] != sorted_row[:-1]))
    changed = np.concatenate(([False], sorted_period[1:] != sorted_period[:-1])) & ~fresh
    total = np.cumsum(changed)
    start = np.flatnonzero(fresh)
    base = np.repeat(total[start], np.diff(np.append(start, len(row))))
    number = np.empty(len(row), np.int64)
    number[order] = total - base
    return number
