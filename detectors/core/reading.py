"""Records to entries: who acted, when by their own clock, which number of action it is; repeated ids drop out."""

from __future__ import annotations

from operator import attrgetter
from typing import NamedTuple
from zlib import crc32

import numpy as np

from detectors.core import guard
from detectors.core.agents import JUMP_MAX, WINDOW, Who, key_of
from detectors.core.batch import Batch
from detectors.core.columns import Array, Rows, by_row
from detectors.core.event import Event
from detectors.core.records import Records
from detectors.core.state import State

_agent, _tenant, _id, _count = attrgetter("agent"), attrgetter("tenant"), attrgetter("id"), attrgetter("count")
_target, _via = attrgetter("target"), attrgetter("via")


class Orphan(NamedTuple):
    """An event whose ancestor lives in another partition, or nowhere yet."""

    event: int
    ancestor: str


class Reader:
    """Turns records of a partition into a batch of entries."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.orphans: list[Orphan] = []
        self._names: dict[str, str] = {}
        #: who moved in within this batch, and with which of its events
        self._moved_in: dict[int, int] = {}

    def read(self, records: Records, start: int, stop: int) -> Batch:
        """The entries of records start to stop; newcomers are counted and give none."""
        events = records.events[start:stop]
        arrivals = np.array(records.arrivals[start:stop])
        entries, row, own = self._with_ancestors(events, self._rows(events, arrivals))
        kept = self._without_repeats(events, records.contents[start:stop], entries, row, own)
        counts = np.fromiter(map(_count, events), np.float64, len(events))
        self.state.counts["judged"] += len(events) - int(np.count_nonzero(own & ~kept))
        if not kept.all():
            entries, row, own = entries[kept], row[kept], own[kept]
        clock = self._clocks(row, arrivals[entries])
        weight = np.where(own, counts[entries], 0.0)
        return self._columns(records, start, events, entries, row, own, clock, weight)

    def read_delegated(self, records: Records) -> Batch:
        """Entries of the ancestors alone; whoever acted lives elsewhere."""
        events = records.events
        self._moved_in.clear()
        entries, row, own = self._with_ancestors(events, np.zeros(len(records), np.int64))
        self.orphans.clear()
        kept = self._without_repeats(events, records.contents, entries, row, own)
        entries, row, own = entries[kept], row[kept], own[kept]
        clock = self._clocks(row, np.array(records.arrivals)[entries])
        return self._columns(records, 0, events, entries, row, own, clock, np.zeros(len(entries)))

    def _columns(self, records: Records, start: int, events: list[Event], entries: Rows, row: Rows, own: Array,
                 clock: Array, weight: Array) -> Batch:
        state = self.state
        roles = list(map(self._role, events)) if state.rules.asks_role else None
        kind, kinds = state.kinds.number(events, roles)[entries], state.kinds.columns
        target = state.targets.all_of(list(map(_target, events)))[entries]
        offsets = np.array(records.offsets[start : start + len(events)], np.int64)[entries]
        indexes = np.array(records.indexes[start : start + len(events)], np.int64)[entries]
        times = np.array(records.times[start : start + len(events)])[entries]
        return Batch(events, entries, row, own, clock, times, self._numbered(row, weight), weight, kinds.scope[kind],
                     target, kinds.privileged[kind], kinds.denied[kind], kinds.destructive[kind], offsets, indexes)

    def _role(self, event: Event) -> str:
        """The role of whoever acted: its own where it is known, else what the rules make of the claim."""
        name = self.name_of(event.agent)
        who = self.state.agents.who[self.state.agents[key_of(event.tenant, name)]]
        return who.role if who is not None else self.state.rules.role_of(name, event.role)

    # -- who

    def name_of(self, raw: str) -> str:
        """The stable agent behind a raw name."""
        known = self._names.get(raw)
        if known is None:
            if len(self._names) >= 1 << 16:
                self._names.clear()
            known = self._names[raw] = self.state.rules.identify(raw)[0]
        return known

    def _rows(self, events: list[Event], arrivals: Array) -> Rows:
        agents = self.state.agents
        if self.state.rules.identifies:
            keys = [key_of(e.tenant, self.name_of(e.agent)) for e in events]
        elif any(map(_tenant, events)):
            keys = [key_of(e.tenant, e.agent) for e in events]
        else:
            keys = list(map(_agent, events))
        rows = np.fromiter(map(agents.__getitem__, keys), np.int64, len(keys))
        self._moved_in.clear()
        for i in np.flatnonzero(rows == 0).tolist():
            row = agents[keys[i]]
            if not row and agents.meet(keys[i], float(arrivals[i])):
                row = self._move_in(keys[i], events[i])
                self._moved_in[row] = i
            rows[i] = row
        return rows

    def _move_in(self, key: str, event: Event) -> int:
        state = self.state
        agent = self.name_of(event.agent)
        role = state.rules.role_of(agent, event.role)
        who = Who(event.tenant, agent, role)
        identity = state.identities.of(f"{key}\0{state.settings.attested:d}".encode())
        row = state.agents.move_in(key, who, identity, state.roles[key_of(event.tenant, role)])
        state.make_room()
        state.clear(row)
        rows = np.array([row])
        for d, (detector, mine) in enumerate(zip(state.detectors, state.mine, strict=True)):
            guard.call(state, d, rows, detector.start, rows, state.common.clock[rows], mine)
        return row

    # -- repeated ids

    def _without_repeats(self, events: list[Event], contents: list[bytes], entries: Rows, rows: Rows,
                         own: Array) -> Array:
        """False for entries that repeat an id of their agent with the same content.

        An ancestor has its own memory of what was done for it: it must not ask what else its delegates did.
        """
        kept = np.ones(len(entries), bool)
        ids = list(map(_id, events))
        told = np.arange(len(entries))
        if None in ids:
            told = told[[ids[i] is not None for i in entries.tolist()]]
        if not len(told):
            return kept
        event, row = entries[told], rows[told]
        number = event.tolist()
        short = np.fromiter((crc32(ids[i].encode()) for i in number), np.uint32, len(number))
        plain = self._never_repeated(row, short)
        self._remember(row[plain], short[plain], event[plain], contents)
        for i in np.flatnonzero(~plain).tolist():
            full = self.state.contents.of(contents[number[i]])
            kept[told[i]] = self._check(int(row[i]), int(short[i]), full, counted=bool(own[told[i]]))
        return kept

    def _never_repeated(self, row: Rows, short: Array) -> Array:
        """True for entries of agents none of whose ids came before, as far as their short digests tell."""
        pair = np.sort(row.astype(np.uint64) << np.uint64(32) | short)
        twice = (pair[1:][pair[1:] == pair[:-1]] >> np.uint64(32)).astype(np.int64)
        odd = row[(self.state.common.ids[row] == short[:, None]).any(axis=1)]
        suspects = np.concatenate((twice, odd))
        return np.isin(row, suspects, invert=True) if len(suspects) else np.ones(len(row), bool)

    def _remember(self, row: Rows, short: Array, event: Rows, contents: list[bytes]) -> None:
        common = self.state.common
        turn, total = _turns(row)
        recent = turn >= total - WINDOW  # the ring would overwrite the others anyway
        row, short, event, turn = row[recent], short[recent], event[recent], turn[recent]
        slot = (common.ring[row] + turn) % WINDOW
        common.ids[row, slot] = short
        common.contents[row, slot] = self.state.contents.of_all([contents[i] for i in event.tolist()])
        last = turn == total[recent] - 1
        common.ring[row[last]] += turn[last] + 1

    def _check(self, row: int, short: int, full: int, *, counted: bool) -> bool:
        common, counts = self.state.common, self.state.counts
        same = np.flatnonzero(common.ids[row] == short)
        if len(same) and short:
            if int(common.contents[row][same[-1]]) == full or full in common.contents[row][same].tolist():
                counts["duplicates"] += counted
                return False
            counts["id_reuse"] += counted
        slot = int(common.ring[row]) % WINDOW
        common.ids[row, slot], common.contents[row, slot] = short, full
        common.ring[row] += 1
        return True

    # -- ancestors, clocks, numbers

    def _with_ancestors(self, events: list[Event], rows: Rows) -> tuple[Rows, Rows, Array]:
        """Entries: each event for its agent if that has a row, and for each ancestor that lives here by then."""
        event = np.flatnonzero(rows)
        callers = [i for i, via in enumerate(map(_via, events)) if via]  # newcomers act for somebody, too
        if not callers:
            return event, rows[event], np.ones(len(event), bool)
        extra, extra_row = [], []
        for i in callers:
            for ancestor in dict.fromkeys(map(self.name_of, events[i].via)):
                home = self.state.agents[key_of(events[i].tenant, ancestor)]
                if not home or self._moved_in.get(home, 0) > i:
                    self.orphans.append(Orphan(i, ancestor))
                elif home != rows[i]:
                    extra.append(i)
                    extra_row.append(home)
        entries = np.concatenate([event, np.array(extra, np.int64)])
        row = np.concatenate([rows[event], np.array(extra_row, np.int64)])
        own = np.arange(len(entries)) < len(event)
        order = np.argsort(entries, kind="stable")
        return entries[order], row[order], own[order]

    def _clocks(self, row: Rows, arrivals: Array) -> Array:
        """Each agent's clock at its entries: the arrival, never backwards, never far ahead unconfirmed."""
        common = self.state.common
        clock = np.maximum(arrivals, common.read_clock[row])
        far = clock - common.read_clock[row] > JUMP_MAX
        sorted_already = not len(clock) or bool((np.diff(arrivals) >= 0).all())
        if far.any() or not sorted_already:
            known: dict[int, float] = {}
            for i, (r, arrival) in enumerate(zip(row.tolist(), arrivals.tolist(), strict=True)):
                clock[i] = known[r] = self._one_clock(r, arrival, known.get(r, float(common.read_clock[r])))
        common.read_clock[row] = clock  # entries are in log order: the last one of a row stays
        return clock

    def _one_clock(self, row: int, arrival: float, known: float) -> float:
        common = self.state.common
        if arrival - known <= JUMP_MAX:
            return max(arrival, known)
        ahead = float(common.ahead[row])
        common.ahead[row] = arrival
        if ahead and arrival >= ahead - 7 * 86_400.0:
            common.ahead[row] = 0.0
            return arrival
        self.state.counts["far_ahead"] += 1
        return known

    def _numbered(self, row: Rows, weight: Array) -> Array:
        """Actions of the agent up to and with each entry; counts are whole numbers, so the sums are exact."""
        order = by_row(row)
        total = np.cumsum(weight[order])
        start = np.flatnonzero(np.concatenate(([True], row[order][1:] != row[order][:-1]))) if len(row) else order
        before = np.repeat(total[start] - weight[order][start], np.diff(np.append(start, len(row))))
        n = np.empty(len(row))
        n[order] = total - before
        n += self.state.common.read_n[row]
        self.state.common.read_n[row[order]] = n[order]
        return n


def _turns(row: Rows) -> tuple[Rows, Rows]:
    """For each entry: how many entries of its row come before it, and how many there are in all."""
    order = by_row(row)
    start = np.flatnonzero(np.concatenate(([True], row[order][1:] != row[order][:-1]))) if len(row) else order
    size = np.diff(np.append(start, len(row)))
    turn, total = np.empty(len(row), np.int64), np.empty(len(row), np.int64)
    turn[order] = np.arange(len(row)) - np.repeat(start, size)
    total[order] = np.repeat(size, size)
    return turn, total
