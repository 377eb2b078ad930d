"""Judging: a plain loop in log order over the few entries that matter; columns decide which those are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from detectors.core import evidence, guard
from detectors.core.agents import Who
from detectors.core.batch import Batch
from detectors.core.columns import Array, Rows
from detectors.core.detector import EMPTY, NO_MOVES, RAISED, Exemplar, Hit, Moves
from detectors.core.digests import mix_one
from detectors.core.family import PEERS, FirstUse
from detectors.core.scored import Scored
from detectors.core.state import EXEMPLARS_MAX, PENDING_MAX, State, Waiting

_VIA = 0x5649410000000000
_CALLEE = 0x43414C4C00000000
Candidate = tuple[str, int, float, Array | None]


def borrowed(scope: int) -> int:
    """Digest of a permission that an agent uses through a delegate."""
    return mix_one(scope, _VIA)


class Judge:
    """Finds the candidates of a batch and judges them one by one."""

    def __init__(self, state: State) -> None:
        self.state = state

    def judge(self, batch: Batch) -> Iterator[Scored]:
        """Judge the entries of one round: no agent has a tick among them."""
        state, common = self.state, self.state.common
        state.soil(batch.row)
        for entry, candidates in sorted(self._candidates(batch).items()):
            yield from self._one(batch, entry, candidates)
        common.clock[batch.row] = np.maximum(batch.clock, common.clock[batch.row])
        common.n[batch.row] = batch.n
        own = np.flatnonzero(batch.own)
        common.last[batch.row[own]] = batch.clock[own]

    # -- which entries matter

    def _candidates(self, batch: Batch) -> dict[int, list[Candidate]]:
        state, found = self.state, defaultdict[int, list[Candidate]](list)
        for d in range(len(state.detectors)):
            moves = self._stream(d, batch)
            told = moves.told if moves.told is not None else [None] * len(moves.entry)
            for entry, family, score, one in zip(moves.entry.tolist(), moves.family.tolist(), moves.score.tolist(), told,
                                                 strict=True):
                found[entry].append(("moved", state.base[d] + family, score, one))
            for entry in self._wants(d, batch).tolist():
                found[entry].append(("judge", d, 0.0, None))
        for kind, entries in self._first_uses(batch):
            for entry in entries.tolist():
                found[entry].append((kind, state.hits[kind], 0.0, None))
        return found

    def _stream(self, d: int, batch: Batch) -> Moves:
        state = self.state
        seeing = guard.seeing(state, d, batch.row)
        part = batch if len(seeing) == len(batch) else batch.take(seeing)
        moves = guard.call(state, d, part.row, state.detectors[d].stream, part, state.mine[d])
        if moves is None:
            return NO_MOVES
        return moves if part is batch else moves._replace(entry=seeing[moves.entry])

    def _wants(self, d: int, batch: Batch) -> Rows:
        state = self.state
        wanted = guard.call(state, d, batch.row, state.detectors[d].wants, batch)
        return EMPTY if wanted is None else wanted

    def _first_uses(self, batch: Batch) -> Iterator[tuple[FirstUse, Rows]]:
        state = self.state
        own = np.flatnonzero(batch.own)
        identity = state.common.identity[batch.row[own]]
        if "scope" in state.hits:
            yield "scope", own[state.seen.missing(identity, batch.scope[own])]
        if "item" in state.hits:
            told = np.flatnonzero(batch.target[own])
            yield "item", own[told[state.seen.missing(identity[told], batch.target[own[told]])]]
        if "via" in state.hits:
            yield "via", np.flatnonzero(~batch.own)

    # -- one entry

    def _one(self, batch: Batch, entry: int, candidates: list[Candidate]) -> Iterator[Scored]:
        state = self.state
        row = int(batch.row[entry])
        hit = Hit(batch.events[batch.event[entry]], row, float(batch.clock[entry]), float(batch.n[entry]),
                  bool(batch.privileged[entry]), bool(batch.denied[entry]), float(batch.count[entry]))
        if state.common.contained[row]:
            return
        candidates = [one for one in candidates if self._is_news(batch, entry, one[0])]
        if not candidates:
            return
        calm = state.announced_work(row, hit.clock)
        for kind, number, score, told in candidates:
            if kind == "moved":
                excused = calm and not state.families[number][1].gate
                state.value[row, number] = 0.0 if excused else score
                if told is not None:
                    self._keep(row, state.families[number][0], told)
            elif kind == "judge":
                self._judge_own(number, hit)
            elif kind == "scope":
                self._use_of_scope(hit, int(batch.scope[entry]), number)
            elif kind == "via":
                self._use_through(hit, int(batch.scope[entry]), number)
            else:
                self._use_of_target(hit, int(batch.target[entry]))
        state.rebound(row)
        if state.common.bound[row] >= state.settings.interesting or state.common.level[row]:
            yield self.score(row, hit.clock, hit.n, batch, entry)

    def _keep(self, row: int, d: int, told: Array) -> None:
        state = self.state
        guard.call(state, d, np.array([row]), state.detectors[d].moved, row, told, state.mine[d])

    def _is_news(self, batch: Batch, entry: int, kind: str) -> bool:
        """Whether a first use still is one: an entry before it in the batch may have been the first."""
        if kind not in ("scope", "item"):
            return True
        identity = int(self.state.common.identity[batch.row[entry]])
        return not self.state.seen.has(identity, int((batch.scope if kind == "scope" else batch.target)[entry]))

    def _judge_own(self, d: int, hit: Hit) -> None:
        state = self.state
        if state.blind[hit.row, d]:
            return
        judged = guard.call(state, d, np.array([hit.row]), state.detectors[d].judge, hit, state.mine[d])
        for family, score in judged or ():
            number = state.base[d] + family
            if score > state.value[hit.row, number]:
                self._example(hit, number)
            state.value[hit.row, number] = score

    def _example(self, hit: Hit, number: int) -> None:
        known = self.state.exemplars.setdefault((hit.row, number), [])
        known.append(Exemplar(hit.clock, hit.event.id or "", hit.thing or hit.event.action))
        del known[:-EXEMPLARS_MAX]

    # -- first uses

    def _use_of_scope(self, hit: Hit, scope: int, number: int) -> None:
        hit.thing = self._scope_name(hit)
        if self._met(hit, scope, number):
            self._hit(hit, scope, number)

    def _scope_name(self, hit: Hit) -> str:
        """The permission as the rules call it: what counts, and what a person may accept."""
        event = hit.event
        who = self.state.agents.who[hit.row]
        role = who.role if who is not None else event.role
        return self.state.rules.derive(event.action, event.scope, event.effect, event.privileged, role)[0]

    def _use_through(self, hit: Hit, scope: int, number: int) -> None:
        """A delegate acted for this agent: a new delegate is one first use, a permission foreign to both another."""
        state, identity = self.state, int(self.state.common.identity[hit.row])
        callee = mix_one(state.identities[hit.event.agent], _CALLEE)
        if not state.seen.has(identity, callee):
            hit.thing = f"delegate {hit.event.agent}"
            if self._met(hit, callee, number):
                self._hit(hit, callee, number)
        through = borrowed(scope)
        if not state.seen.has(identity, scope) and not state.seen.has(identity, through):
            hit.thing = f"{self._scope_name(hit)} through {hit.event.agent}"
            if self._met(hit, through, number):
                self._hit(hit, through, number)

    def _use_of_target(self, hit: Hit, item: int) -> None:
        """Only the first new level counts: a new area is one surprise, and what lies in it is free."""
        state, identity = self.state, int(self.state.common.identity[hit.row])
        target = hit.event.target or ""
        parts = target.split("/")
        counted = self._brought(hit, parts)
        met: list[int] = []
        for depth in range(1, len(parts)):
            area = "/".join(parts[:depth])
            digest = state.targets[area + "/"]
            if state.seen.has(identity, digest):
                continue
            hit.thing = area
            fresh = self._met(hit, digest, state.hits["area"])
            met += [digest] * fresh
            if fresh and not counted:
                self._hit(hit, digest, state.hits["area"])
            counted = True
        hit.thing = target
        if self._met(hit, item, state.hits["item"]):
            met.append(item)
            if not counted:
                self._hit(hit, item, state.hits["item"])
        waiting = state.pending.get(hit.row)
        if waiting and waiting[-1].thing in met and len(met) > 1:
            waiting[-1].also = tuple(thing for thing in met if thing != waiting[-1].thing)

    def _brought(self, hit: Hit, parts: list[str]) -> bool:
        """A release announced the target, or something above it."""
        if self.state.role_of(hit.row) not in self.state.expected:
            return False
        targets = self.state.targets
        areas = (targets["/".join(parts[:depth]) + "/"] for depth in range(1, len(parts)))
        return any(self._announced(hit, thing) for thing in (targets["/".join(parts)], *areas))

    def _met(self, hit: Hit, thing: int, number: int) -> bool:
        """Remember it; False when it was met before or when the agent's memory is full (it is blind then)."""
        state = self.state
        identity = int(state.common.identity[hit.row])
        if state.seen.has(identity, thing) or (hit.denied and not state.common.frozen_at[hit.row]):
            return False  # what was denied is no part of a reference
        if not state.seen.add(hit.row, identity, thing):
            state.blind[hit.row, state.families[number][0]] = 2
            return False
        return True

    def _announced(self, hit: Hit, thing: int) -> bool:
        until = self.state.expected.get(self.state.role_of(hit.row), {}).get(thing, 0.0)
        return until >= hit.clock

    def _hit(self, hit: Hit, thing: int, number: int) -> None:
        state, common, row = self.state, self.state.common, hit.row
        d, family = state.families[number]
        place = self._place(hit)
        classes = self._classes(hit, number)
        if classes is None:
            return
        frozen = bool(common.frozen_at[row])
        if frozen or common.third[row]:
            waiting = state.pending.setdefault(row, [])
            if len(waiting) < PENDING_MAX:
                waiting.append(Waiting(number, thing, hit.clock, place, hit.denied, classes, late=not frozen))
        if not frozen:
            state.late_hits[row, number] += bool(common.third[row])
            return
        if state.blind[row, d] or self._announced(hit, thing):
            return
        column = state.evidence[number]
        if column["q"][row] > family.rate_max or (not hit.privileged and state.announced_work(row, hit.clock)):
            return
        own, known = self._weight(row, number, classes, thing, place, int(hit.clock // 3600))
        state.counts[f"hits:{state.family_name(number)}"] += 1
        state.expect(number, max(hit.n - float(column["n"][row]), 0.0) * float(column["q"][row]))
        state.value[row, number] = evidence.hit(column, row, hit.clock, hit.n, own, known, family.excite)
        self._example(hit, number)

    def _classes(self, hit: Hit, number: int) -> dict[int, int] | None:
        d, family = self.state.families[number]
        state = self.state
        if state.blind[hit.row, d] == RAISED:
            return None
        told = guard.call(state, d, np.array([hit.row]), state.detectors[d].classify, family, hit)
        if told is None:
            return None
        return {i: told[mark.name] for i, mark in enumerate(family.marks) if mark.name in told}

    def _weight(self, row: int, number: int, classes: dict[int, int], thing: int, place: int,
                hour: int) -> tuple[float, float]:
        """Weight of a hit by its classes, and by what peers know of the thing."""
        family, counts = self.state.families[number][1], self.state.evidence[number]["classes"][row].tolist()
        own, known = 1.0, 1.0
        for i, mark in enumerate(family.marks):
            if mark is not PEERS:
                own *= mark.ratio(classes[i], counts[i]) if i in classes else 1.0
                continue
            peers = self.state.peers(row, thing, place, hour)
            if peers is not None:
                known = mark.ratio(peers, counts[i])
        return (own, known) if family.gate else (own * known, 1.0)

    def _place(self, hit: Hit) -> int:
        """Digest of where and for whom the agent acts; the agent itself when neither is told."""
        event, common = hit.event, self.state.common
        if event.principal is None and event.host is None:
            return int(common.identity[hit.row])
        place = self.state.places[f"{event.principal}\0{event.host}"]
        common.place[hit.row] = place
        return place

    # -- fusing

    def score(self, row: int, clock: float, n: float, batch: Batch | None = None, entry: int = 0,
              cause: str = "evidence") -> Scored:
        """All families of a row settled to one instant, as a view, and fused."""
        state = self.state
        parts: dict[int, float] = {}
        gate = 0.0
        for number, (d, family) in enumerate(state.families):
            column = state.evidence.get(number)
            value = evidence.view(column, row, clock, n) if column is not None else float(state.value[row, number])
            if state.blind[row, d]:
                continue
            parts[d] = parts.get(d, 0.0) + family.weight * value
            if family.gate:
                gate += family.weight * value
        who = state.agents.who[row] or Who("", "", "")
        scored = Scored(row, who.tenant, who.agent, who.role, clock, None, None, None, None,
                        sum(parts.values()), gate, parts, n, cause=cause)
        if batch is not None:
            event = batch.events[batch.event[entry]]
            scored.offset, scored.index = int(batch.offset[entry]), int(batch.index[entry])
            scored.order = (int(batch.event[entry]), 2, 0.0 if batch.own[entry] else 1.0)
            scored.place = (scored.offset, scored.index)
            scored.event = event.id if event.id is not None else f"{scored.offset}/{scored.index}"
            scored.version, scored.target = event.version, event.target
        return scored
