"""When an agent's score becomes an alert, rises, gains a detector, and closes; every silence has a named reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from detectors.core.columns import Columns
from detectors.core.family import Explanation
from detectors.core.scored import Scored
from monitor import ids
from monitor.findings import LEVELS, Alert, Level, Share, rounded, to_text

#: an alert resolves below this, or below a quarter of the notice level where that is lower
RESOLVE = 2.5
#: parts of a score that are not worth a sentence
SHARE_MIN = 0.005


class Why(StrEnum):
    """The named reason of a line, or of none."""

    OPENED = "opened"
    ROSE = "rose"
    JOINED = "joined"
    DECAYED = "decayed"
    ACCEPTED = "accepted"
    RESOLVED = "resolved"
    BELOW_NOTICE = "below_notice"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores of the levels."""

    notice: float = 10.0
    page: float = 100.0
    critical: float = 1000.0

    def of(self, score: float) -> int:
        """0 for none, 1 to 3 for notice, page and critical."""
        return (score >= self.notice) + (score >= self.page) + (score >= self.critical)

    @property
    def resolve(self) -> float:
        """An open alert closes below this."""
        return min(RESOLVE, self.notice / 4)


class Decision(NamedTuple):
    """What was decided, and the line that says so, if any."""

    why: Why
    line: Alert | None


Explain = Callable[[Scored], Mapping[str, Explanation]]


class AlertBook:
    """One open alert for each agent; its state lives in the agent's row and is snapshot with it."""

    def __init__(self, source: str, thresholds: Thresholds, names: list[str], common: Columns, *,
                 attested: bool = True) -> None:
        self.source, self.thresholds, self.names, self.common = source, thresholds, names, common
        self.attested = attested

    def decide(self, scored: Scored, explain: Explain) -> Decision:
        """What this score means for its agent's alert."""
        common, row, score = self.common, scored.row, rounded(scored.score)
        level, now = int(common.level[row]), self.thresholds.of(score)
        if not level:
            return self._open(scored, now, explain) if now else Decision(Why.BELOW_NOTICE, None)
        if now > level:
            common.level[row] = now
            common.highest[row] = max(int(common.highest[row]), now)
            self._list(scored)
            return Decision(Why.ROSE, self._line(scored, "firing", Why.ROSE, explain))
        if score < self.thresholds.resolve:
            why = Why.ACCEPTED if scored.cause == "accepted" else Why.DECAYED
            return Decision(why, self.close(scored, why, explain))
        joined = self._list(scored)
        if joined is not None:
            return Decision(Why.JOINED, self._line(scored, "updated", Why.JOINED, explain, joined))
        return Decision(Why.UNCHANGED, None)

    def close(self, scored: Scored, why: Why, explain: Explain) -> Alert:
        """Resolve the open alert of a row."""
        line = self._line(scored, "resolved", why, explain)
        common, row = self.common, scored.row
        common.level[row] = common.highest[row] = common.listed[row] = 0
        common.alert[row] = 0
        return line

    def alert_id(self, row: int) -> str | None:
        """Id of the open alert of a row."""
        return bytes(self.common.alert[row]).hex() if self.common.level[row] else None

    def _open(self, scored: Scored, level: int, explain: Explain) -> Decision:
        common, row = self.common, scored.row
        if scored.offset is not None and scored.index is not None:
            identity = ids.of_event("alert", scored.source or self.source, scored.offset, scored.index, scored.tenant, scored.agent)
        else:
            identity = ids.of_timer("alert", scored.tenant, scored.agent, scored.tick or scored.clock, "score")
        common.alert[row] = np.frombuffer(identity, np.uint8)
        common.level[row] = common.highest[row] = level
        common.opened[row] = scored.clock
        common.listed[row] = 0
        self._list(scored)
        return Decision(Why.OPENED, self._line(scored, "firing", Why.OPENED, explain))

    def _list(self, scored: Scored) -> str | None:
        """List the detectors that reach the notice level by themselves; the strongest one that is new."""
        listed, joined = int(self.common.listed[scored.row]), None
        for d, part in sorted(scored.parts.items(), key=lambda item: (-item[1], item[0])):
            if rounded(part) >= self.thresholds.notice and not listed >> d & 1:
                listed |= 1 << d
                joined = joined or self.names[d]
        self.common.listed[scored.row] = listed
        return joined

    def _line(self, scored: Scored, state: str, why: Why, explain: Explain, joined: str | None = None) -> Alert:
        row = scored.row
        rank = int(self.common.highest[row]) if state == "resolved" else int(self.common.level[row])
        level: Level = LEVELS[max(rank, 1) - 1]
        return Alert(
            id=bytes(self.common.alert[row]).hex(), state=state, time=to_text(scored.clock),  # type: ignore[arg-type]
            event=scored.event, agent=scored.agent, role=scored.role, tenant=scored.tenant, level=level, why=why.value,
            score=rounded(scored.score), joined=joined, detectors=self._shares(scored, explain), attested=self.attested,
        )

    def _shares(self, scored: Scored, explain: Explain) -> tuple[Share, ...]:
        told, total = explain(scored), max(scored.score, 1e-12)
        shares = []
        for d, part in sorted(scored.parts.items(), key=lambda item: (-item[1], item[0])):
            name = self.names[d]
            if name not in told or (part / total < SHARE_MIN and rounded(part) < self.thresholds.notice):
                continue
            said = told[name]
            since = to_text(said.since) if said.since else None
            shares.append(Share(name, rounded(part), round(part / total, 4), said.reason, since, said.observed,
                                said.expected))
        return tuple(shares)
