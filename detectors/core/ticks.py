"""Ticks: once an hour of an agent's own clock everything is settled, and only here baselines move.

The order is fixed: evidence up to the tick, the fused score and what people hear of it, then learning of what is at
least a day old, if the agent is not suspected; last the life of the baseline.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from detectors.core import evidence, guard
from detectors.core.cohort import PRESENT
from detectors.core.columns import Array, Rows
from detectors.core.detector import FULL, RAISED
from detectors.core.family import PEERS
from detectors.core.inputs import Adoption
from detectors.core.judging import Judge
from detectors.core.scored import Scored
from detectors.core.state import SUSPECTED, State, Waiting

HOUR, DAY = 3600.0, 86_400.0
#: a silent agent is ticked for so long; then it sleeps until its next record
AWAKE = 45 * DAY
#: after the freeze, until what peers contributed at theirs can be read
KNOWN = 4 * HOUR


class Ticks:
    """Runs the ticks that are due."""

    def __init__(self, state: State, judge: Judge) -> None:
        self.state, self._judge = state, judge

    def run(self, rows: Rows, until: Array, *, timers: bool = False) -> Iterator[Scored]:
        """All ticks of these agents up to `until` (one time for each), oldest first for each agent.

        `timers`: it is the partition's clock that asks, which wakes nobody; a record of the agent does.
        """
        common = self.state.common
        while len(rows):
            due = common.next_tick[rows] <= until
            if timers:
                due &= ~self._asleep(rows)
            else:
                self._wake(rows, until)
            rows, until = rows[due], until[due]
            if len(rows):
                yield from self._tick(rows, common.next_tick[rows])
                common.next_tick[rows] += HOUR

    def _wake(self, rows: Rows, until: Array) -> None:
        """Skip the ticks that an agent slept through."""
        common = self.state.common
        late = self._asleep(rows) & (until - common.next_tick[rows] >= HOUR)
        if late.any():
            rows, until = rows[late], until[late]
            skipped = np.floor((until - common.next_tick[rows]) / HOUR)
            common.next_tick[rows] += skipped * HOUR

    def _asleep(self, rows: Rows) -> Array:
        common = self.state.common
        asleep: Array = common.next_tick[rows] > common.last[rows] + AWAKE
        return asleep

    def _tick(self, rows: Rows, at: Array) -> Iterator[Scored]:
        state, common = self.state, self.state.common
        state.soil(rows)
        common.clock[rows] = np.maximum(common.clock[rows], at)
        held = rows[common.contained[rows]]
        frozen = state.value[held]
        for d, (detector, mine) in enumerate(zip(state.detectors, state.mine, strict=True)):
            seeing = guard.seeing(state, d, rows)
            some = rows[seeing]
            scores = guard.call(state, d, some, detector.tick, some, at[seeing], mine)
            if scores is not None:
                state.value[some, state.base[d] : state.base[d + 1]] = scores
            blind = guard.call(state, d, some, detector.blind, some, mine)
            if blind is not None:
                known = state.blind[some, d]
                state.blind[some, d] = np.where((known == RAISED) | (known == FULL), known, blind)
        working = self._at_announced_work(rows, at)
        state.value[held] = frozen
        self._settle(rows, at)
        yield from self._say(rows)
        self._learn(rows, at, working)
        self._live(rows, at)

    # -- evidence

    def _at_announced_work(self, rows: Rows, at: Array) -> Array:
        """Which agents did announced work in the last hour; what would only page about it is put back to rest."""
        state = self.state
        working = np.zeros(len(rows), bool)
        if not state.calendars:
            return working
        for i, (row, time) in enumerate(zip(rows.tolist(), at.tolist(), strict=True)):
            working[i] = state.announced_work(row, time - HOUR) or state.announced_work(row, time)
            if working[i]:
                self._rest(row, time)
        return working

    def _rest(self, row: int, time: float) -> None:
        state = self.state
        for d, (detector, mine) in enumerate(zip(state.detectors, state.mine, strict=True)):
            if any(family.gate or family.hit for family in detector.families) or state.blind[row, d] == RAISED:
                continue
            guard.call(state, d, np.array([row]), detector.restart, row, time, mine)
            state.value[row, state.base[d] : state.base[d + 1]] = 0.0

    def _settle(self, rows: Rows, at: Array) -> None:
        """Store settled evidence where it could matter or where q is about to move (once a day)."""
        state, common = self.state, self.state.common
        self._bound(rows)
        daily = np.floor(at / DAY) > common.day[rows]
        common.day[rows] = np.floor(at / DAY)
        held = common.contained[rows]
        todo = (daily | (common.bound[rows] >= SUSPECTED)) & ~held
        which, times = rows[todo], at[todo]
        teaching = ~common.suspected[which] & (common.level[which] == 0)
        for number, column in state.evidence.items():
            evidence.hold(column, rows[held], at[held], common.n[rows[held]])
            due = np.maximum(common.n[which] - column["n"][which], 0.0) * column["q"][which]
            state.expect(number, float(due.sum()))
            state.value[which, number] = evidence.settle(column, which, times, common.n[which], teaching)
            evidence.relearn(column, rows[daily])
        self._bound(which)
        seeing = state.blind[which] == 0
        detector = np.array([d for d, _ in state.families])
        fused = np.zeros(len(which))
        for number in range(len(state.families)):
            fused = fused + state.weights[number] * state.value[which, number] * seeing[:, detector[number]]
        common.suspected[rows] = False
        common.suspected[which] = fused >= SUSPECTED

    def _bound(self, rows: Rows) -> None:
        state = self.state
        total = np.zeros(len(rows))
        for number in range(len(state.families)):
            total = total + state.weights[number] * np.maximum(state.value[rows, number], 1.0)
        state.common.bound[rows] = total

    def _say(self, rows: Rows) -> Iterator[Scored]:
        state, common = self.state, self.state.common
        loud = rows[(common.bound[rows] >= state.settings.interesting) | (common.level[rows] > 0)]
        for row in loud[np.argsort(common.identity[loud], kind="stable")].tolist():
            at = float(common.next_tick[row])
            scored = self._judge.score(row, at, float(common.n[row]), cause="decay")
            scored.tick = at
            yield scored

    # -- learning

    def _learn(self, rows: Rows, at: Array, working: Array) -> None:
        state, common = self.state, self.state.common
        alerted = common.level[rows] > 0
        held = alerted | common.contained[rows] | working
        if held.any():
            self._spoil(rows[held], at[held])
        calm = ~held & ~common.suspected[rows]
        calm_rows, calm_at = rows[calm], at[calm]
        for d, (detector, mine) in enumerate(zip(state.detectors, state.mine, strict=True)):
            seeing = guard.seeing(state, d, calm_rows)
            some = calm_rows[seeing]
            guard.call(state, d, some, detector.learn, some, calm_at[seeing], mine)
        if state.pending:
            for row, time in zip(calm_rows.tolist(), calm_at.tolist(), strict=True):
                if row in state.pending:
                    self._learn_things(row, time)

    def _spoil(self, rows: Rows, at: Array) -> None:
        """What an alerted or contained agent did in the last hour never teaches."""
        state = self.state
        for d, (detector, mine) in enumerate(zip(state.detectors, state.mine, strict=True)):
            seeing = guard.seeing(state, d, rows)
            some, until = rows[seeing], at[seeing]
            guard.call(state, d, some, detector.spoil, some, until - HOUR, until, mine)
        for row in rows.tolist():
            for thing in state.pending.get(row, ()):
                thing.spoiled = True

    def _learn_things(self, row: int, at: float) -> None:
        """First uses that are a day old become part of the baseline, and known to peers."""
        state = self.state
        left = []
        for thing in state.pending[row]:
            if thing.clock > at - (KNOWN if thing.late else DAY) or (thing.late and not self._peers_told(row, at)):
                left.append(thing)
            elif thing.late:
                self._count_classes(row, thing, at)
            elif thing.spoiled:
                self._unlearn(row, thing)
            else:
                state.evidence[thing.family]["hits"][row] += 1
                self._count_classes(row, thing, at)
                self._contribute(row, thing.thing)
        if left:
            state.pending[row] = left
        else:
            del state.pending[row]

    def _unlearn(self, row: int, waiting: Waiting) -> None:
        """What was denied, alerted on or contained was never met: used again, it is new again."""
        identity = int(self.state.common.identity[row])
        for thing in (waiting.thing, *waiting.also):
            self.state.seen.remove(row, identity, thing)

    def _peers_told(self, row: int, at: float) -> bool:
        """What peers knew at the freeze has reached the agent."""
        frozen = float(self.state.common.frozen_at[row])
        return frozen > 0 and at >= frozen + KNOWN

    def _count_classes(self, row: int, thing: Waiting, at: float) -> None:
        state = self.state
        counts = state.evidence[thing.family]["classes"][row]
        for mark, number in thing.classes.items():
            counts[mark, number] += 1
        marks = state.families[thing.family][1].marks
        if PEERS in marks:
            # as of a day ago for what was learnt: the agent itself may have brought it to its peers since
            hour = int((at if thing.late else thing.clock) // HOUR)
            peers = state.peers(row, thing.thing, thing.place, hour)
            if peers is not None:
                counts[marks.index(PEERS), peers] += 1

    def _contribute(self, row: int, thing: int) -> None:
        """Let peers know of it; where a person ratifies, only what a ratified agent uses."""
        common = self.state.common
        if self.state.settings.person_ratifies and not common.ratified_at[row]:
            return
        self.state.contributions.append(
            Adoption(int(common.role[row]), thing, int(common.identity[row]), int(common.place[row])))

    # -- the life of a baseline

    def _live(self, rows: Rows, at: Array) -> None:
        state, common = self.state, self.state.common
        window = state.settings.reference_days * DAY
        learning = common.frozen_at[rows] == 0
        age = at - common.first[rows]
        thirds = rows[learning & (common.third[rows] == 0) & (age >= window / 3)]
        common.third[thirds] = common.n[thirds]
        due = learning & (age >= window)
        if due.any():
            self.freeze(rows[due], at[due])

    def freeze(self, rows: Rows, at: Array) -> None:
        """What these agents did until now is their reference."""
        state, common = self.state, self.state.common
        counted = np.maximum(common.n[rows] - common.third[rows], 0.0)
        for number, column in state.evidence.items():
            prior = state.families[number][1].prior
            evidence.freeze(column, rows, at, common.n[rows], state.late_hits[rows, number], counted, prior)
            state.value[rows, number] = 0.0
        for d, (detector, mine) in enumerate(zip(state.detectors, state.mine, strict=True)):
            seeing = guard.seeing(state, d, rows)
            some = rows[seeing]
            guard.call(state, d, some, detector.freeze, some, at[seeing], mine)
        common.frozen_at[rows] = at
        self.contribute_all(rows)

    def contribute_all(self, rows: Rows) -> None:
        """Let peers know of everything that these agents use."""
        for row in rows.tolist():
            self._contribute(row, PRESENT)
        owners, things = self.state.seen.things_of(rows)
        for row, thing in zip(owners.tolist(), things.tolist(), strict=True):
            self._contribute(row, thing)
