"""Directives of people and receipts of hooks, applied at their position."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from detectors.core import evidence, guard
from detectors.core.agents import SHARDS, key_of
from detectors.core.detector import RAISED
from detectors.core.inputs import (
    Accept,
    AnyDirective,
    Calendar,
    Contain,
    Ratify,
    Receipt,
    Release,
    Uncontain,
)
from detectors.core.judging import Judge, borrowed
from detectors.core.scored import Scored
from detectors.core.state import State
from detectors.core.ticks import Ticks

DAY = 86_400.0
#: how long an announced release may take to bring what it brings
RELEASE_DAYS = 14


class Directing:
    """What people may do to the core; what they do to alerts and containment is decided there."""

    def __init__(self, state: State, judge: Judge, ticks: Ticks) -> None:
        self.state, self._judge, self._ticks = state, judge, ticks

    def apply(self, directive: AnyDirective, time: float) -> Iterator[Scored]:
        """Apply one directive at this time (epoch seconds)."""
        if isinstance(directive, Release):
            self._release(directive, time)
        elif isinstance(directive, Calendar):
            role = self.state.roles[key_of(directive.tenant, directive.role)]
            self.state.calendars.setdefault(role, []).append(directive.rule)
        elif isinstance(directive, Ratify):
            self._ratify(directive, time)
        elif isinstance(directive, Accept):
            yield from self._accept(directive, time)
        elif isinstance(directive, Uncontain):
            self.contain(directive.tenant, directive.agent, held=False, time=time)
        elif isinstance(directive, Contain):
            self.contain(directive.tenant, directive.agent, held=True, time=time)

    def receipt(self, receipt: Receipt) -> None:
        """A step was carried out or taken back: the evidence of a contained agent is frozen."""
        if receipt.step == "release" or receipt.outcome == "undone":
            self.contain(receipt.tenant, receipt.agent, held=False, time=receipt.time)
        elif receipt.step in ("quarantine", "kill") and receipt.outcome in ("confirmed", "acted"):
            self.contain(receipt.tenant, receipt.agent, held=True, time=receipt.time)

    def contain(self, tenant: str, agent: str, *, held: bool, time: float) -> None:
        """Freeze or free the evidence of an agent."""
        row = self.state.agents[key_of(tenant, agent)]
        if row:
            frozen = bool(self.state.common.contained[row])
            self.state.common.contained[row] = held
            self._touch(row)
            if frozen and not held:
                self.restart(row, time)

    def restart(self, row: int, time: float) -> None:
        """All evidence of an agent back to rest: a person resolved it."""
        state = self.state
        n = float(state.common.n[row])
        for number, column in state.evidence.items():
            evidence.restart(column, row, time, n)
            state.exemplars.pop((row, number), None)
        for d, (detector, mine) in enumerate(zip(state.detectors, state.mine, strict=True)):
            if state.blind[row, d] != RAISED:
                guard.call(state, d, np.array([row]), detector.restart, row, time, mine)
        state.value[row] = 0.0
        state.rebound(row)
        self._touch(row)

    def _touch(self, row: int) -> None:
        """The row's shard has to be in the next snapshot: the directive is not applied again after it."""
        self.state.dirty.add(int(self.state.common.identity[row]) % SHARDS)

    def _release(self, directive: Release, time: float) -> None:
        state = self.state
        role = state.roles[key_of(directive.tenant, directive.role)]
        brings, until = directive.brings, time + RELEASE_DAYS * DAY
        expected = state.expected.setdefault(role, {})
        for action in brings.actions:
            derived = state.rules.derive(action, None, None, None, directive.role)[0]
            expected |= dict.fromkeys(_scopes(state.scopes[derived]), until)
        for scope in brings.scopes:
            expected |= dict.fromkeys(_scopes(state.scopes[scope]), until)
        for target in brings.targets:
            expected[state.targets[target.rstrip("/") + "/"]] = until
            expected[state.targets[target]] = until

    def _ratify(self, directive: Ratify, time: float) -> None:
        state, common = self.state, self.state.common
        if directive.agent is not None:
            rows = [state.agents[key_of(directive.tenant, directive.agent)]]
        else:
            role = state.roles[key_of(directive.tenant, directive.role or "")]
            rows = [row for row in state.agents.residents().tolist() if int(common.role[row]) == role]
        taken = np.array([row for row in rows if row and common.frozen_at[row]], np.int64)
        common.ratified_at[taken] = time
        if len(taken) and state.settings.person_ratifies:
            self._ticks.contribute_all(taken)
        state.dirty.update((common.identity[taken] % np.uint64(64)).tolist())

    def _accept(self, directive: Accept, time: float) -> Iterator[Scored]:
        """This was fine: the thing is known from now on, and evidence that rests on it alone starts again."""
        state = self.state
        row = state.agents[key_of(directive.tenant, directive.agent)]
        if not row:
            return
        what = directive.what
        things = set()
        if what.scope is not None:
            things |= _scopes(state.scopes[what.scope])
        if what.action is not None:
            things |= _scopes(state.scopes[state.rules.derive(what.action, None, None, None, None)[0]])
        if what.target is not None:
            things |= {state.targets[what.target], state.targets[what.target.rstrip("/") + "/"]}
        accepted = [t for t in state.pending.get(row, ()) if t.thing in things]
        left = [t for t in state.pending.get(row, ()) if t.thing not in things]
        self._touch(row)
        for thing in things:
            state.seen.add(row, int(state.common.identity[row]), thing)
        for thing_met in accepted:
            state.evidence[thing_met.family]["hits"][row] += 1
        state.pending[row] = left
        for number in {t.family for t in accepted} - {t.family for t in left}:
            evidence.restart(state.evidence[number], row, time, float(state.common.n[row]))
            state.value[row, number] = 0.0
            state.exemplars.pop((row, number), None)
        state.rebound(row)
        yield self._judge.score(row, time, float(state.common.n[row]), cause="accepted")


def _scopes(scope: int) -> set[int]:
    """A permission as the agent uses it, and as it borrows it through a delegate."""
    return {scope, borrowed(scope)}
