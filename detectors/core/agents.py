"""Who is known: (tenant, agent) to a row. Newcomers are counted only; residents have a row of every table.

An agent moves in with its fifth record and leaves after a long silence, never under pressure. When all rows are
taken, further names are strangers: their records are counted, nobody known is touched, and driftd says so.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from detectors.core.columns import Columns, Rows

#: records before an agent gets a row
MOVE_IN = 5
#: repeated ids are found among this many last ids of an agent
WINDOW = 64
SHARDS = 64
DAY = 86_400.0
#: a jump of an agent's clock by more than this needs a second record that says so
JUMP_MAX = 45 * DAY

AGENT = np.dtype([
    ("identity", "u8"),
    ("role", "u8"),  # digest of (tenant, role)
    ("place", "u8"),  # digest of (principal, host) at its last first use
    ("first", "f8"),  # clock at the first record
    ("clock", "f8"),
    ("last", "f8"),  # clock at the last own record
    ("ahead", "f8"),  # a record's time far ahead of the clock, which another has to confirm
    ("next_tick", "f8"),
    ("day", "f8"),  # day of the last daily learning
    ("n", "f8"),  # actions so far
    ("read_n", "f8"),  # the same as far as records were read, ahead of judging
    ("read_clock", "f8"),
    ("third", "f8"),  # actions when a third of the reference window was over
    ("frozen_at", "f8"),  # 0: still learning
    ("ratified_at", "f8"),  # by a person; 0: not
    ("bound", "f8"),  # the fused score is at most this
    ("suspected", "?"),
    ("contained", "?"),
    ("level", "u1"),  # of the open alert: 0 none, 1 notice, 2 page, 3 critical
    ("alert", "u1", (16,)),
    ("highest", "u1"),
    ("listed", "u4"),  # detectors that the open alert names, one bit each
    ("opened", "f8"),
    ("step", "u1"),  # highest containment step that was decided
    ("ids", "u4", (WINDOW,)),
    ("contents", "u8", (WINDOW,)),
    ("ring", "i8"),
])


class Who(NamedTuple):
    """The names of a resident, for people."""

    tenant: str
    agent: str
    role: str


def key_of(tenant: str, agent: str) -> str:
    """One string for (tenant, agent); neither can hold the separator."""
    return f"{tenant}\0{agent}" if tenant else agent


class Agents(dict[str, int]):
    """Residents by key, 0 for all others; `newcomers` holds [records, first, last clock] of those without a row.

    A newcomer that was away for a whole day starts again, and so does one whose time so far was far ahead.
    """

    def __init__(self, rows_max: int, newcomers_max: int) -> None:
        super().__init__()
        self.rows_max, self.newcomers_max = rows_max, newcomers_max
        self.newcomers: dict[str, list[float]] = {}
        self.columns = Columns(AGENT, 64)
        self.who: list[Who | None] = [None]
        self.free: list[int] = []
        self.by_identity: dict[int, int] = {}
        self.strangers = 0

    def __missing__(self, key: str) -> int:
        return 0

    def meet(self, key: str, clock: float) -> bool:
        """A record of somebody without a row; True when it is time to move in."""
        known = self.newcomers.get(key)
        if known is not None and (known[2] < clock // DAY * DAY - DAY or known[2] - clock > JUMP_MAX):
            known[:] = [0.0, clock, clock]
        if known is None:
            if len(self.newcomers) >= self.newcomers_max:
                self.strangers += 1
                return False
            known = self.newcomers[key] = [0.0, clock, clock]
        known[0] += 1
        known[2] = max(known[2], clock)
        if known[0] < MOVE_IN:
            return False
        if len(self) >= self.rows_max:
            self.strangers += 1
            return False
        return True

    def forget_newcomers(self, midnight: float) -> None:
        """Free the places of those who would start again anyway, by their own clock, whenever they came back."""
        for key in [key for key, known in self.newcomers.items() if known[2] < midnight - 2 * DAY]:
            del self.newcomers[key]

    def move_in(self, key: str, who: Who, identity: int, role: int) -> int:
        """Give a newcomer its row."""
        count, first, last = self.newcomers.pop(key)
        row = self.free.pop() if self.free else self._append()
        self.who[row] = who
        self[key] = row
        self.by_identity[identity] = row
        columns = self.columns
        columns.clear(row)
        columns.identity[row], columns.role[row], columns.place[row] = identity, role, identity
        columns.first[row] = first
        columns.clock[row] = columns.last[row] = last
        columns.read_clock[row] = last
        columns.n[row] = columns.read_n[row] = count - 1
        phase = identity % 3600
        columns.next_tick[row] = ((last - phase) // 3600.0 + 1) * 3600.0 + phase
        columns.day[row] = last // 86_400.0
        return row

    def _append(self) -> int:
        self.who.append(None)
        if len(self.who) > self.columns.rows:
            self.columns.grow(2 * self.columns.rows)
        return len(self.who) - 1

    def move_out(self, row: int) -> None:
        """The resident leaves; its row is free."""
        who = self.who[row]
        if who is None:
            return
        del self[key_of(who.tenant, who.agent)]
        del self.by_identity[int(self.columns.identity[row])]
        self.who[row] = None
        self.columns.clear(row)
        self.free.append(row)

    def residents(self) -> Rows:
        """All rows in use, ascending."""
        identity: Any = self.columns.identity[: len(self.who)]
        found: Rows = np.flatnonzero(identity)
        return found
