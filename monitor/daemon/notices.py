"""Alerts about driftd itself and its sources: a gap, a dead receiver, a blind detector. They page as agents' do."""

from __future__ import annotations

from typing import Literal

from monitor import ids
from monitor.findings import Alert, Level, Share, to_text

Entity = Literal["source", "daemon"]


class Notices:
    """One open alert for each (entity, name, problem); the same problem is said once until it is over."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str, str], Alert] = {}

    def raised(self, entity: Entity, name: str, problem: str, sentence: str, time: float,
               level: Level = "page") -> Alert | None:
        """The line that says so; None when it is said already."""
        key = (entity, name, problem)
        if key in self._open:
            return None
        line = _line("firing", ids.of_timer("notice", entity, name, time, problem).hex(), entity, name, problem,
                     sentence, time, level)
        self._open[key] = line
        return line

    def over(self, entity: Entity, name: str, problem: str, time: float) -> Alert | None:
        """The line that says that it is over; None when it was not said."""
        opened = self._open.pop((entity, name, problem), None)
        if opened is None:
            return None
        return _line("resolved", opened.id, entity, name, problem, "it is over", time, opened.level)

    def take_up(self, opened: Alert) -> None:
        """An alert that an earlier life left open."""
        if opened.detectors:
            self._open[opened.entity, opened.agent, opened.detectors[0].name] = opened


def _line(state: Literal["firing", "resolved"], identity: str, entity: Entity, name: str, problem: str, sentence: str,
          time: float, level: Level) -> Alert:
    share = Share(problem, None, None, sentence, None, None, None)
    return Alert(id=identity, state=state, time=to_text(time), event=None, entity=entity, agent=name, role=entity,
                 level=level, why=problem if state == "firing" else "over", score=None, breach=True, detectors=(share,))
