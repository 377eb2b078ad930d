"""Several agents with one cause make one incident: it pages once, and they no longer page on their own.

At least three agents, and one in twenty of those that share the cause, at notice or above, with onsets within a day
of their clocks. This looks over agents: it is a decision, recorded with the alerts, not evidence.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from monitor import ids
from monitor.findings import LEVELS, Alert, Incident

AGENTS_MIN, SHARE_MIN, SPAN = 3, 0.05, 86_400.0
#: onsets remembered for one cause; an incident of more agents names the first
ONSETS_MAX = 4096
Cause = Literal["version", "model", "target", "role"]


class Onset(msgspec.Struct, frozen=True, array_like=True):
    """An agent's alert opened."""

    clock: float
    alert: str
    agent: str
    rank: int


class Open(msgspec.Struct, array_like=True):
    """A cause that several agents share: their onsets, and the incident once there is one."""

    cause: Cause
    name: str
    tenant: str
    onsets: list[Onset] = []
    incident: str | None = None
    rank: int = 0
    told: int = 0


class Incidents:
    """Joins alerts by cause. `causes` of an alert are given by the caller, the most specific first."""

    def __init__(self) -> None:
        self.open: dict[str, Open] = {}
        self.of_alert: dict[str, str] = {}
        #: incidents with an open alert, by id
        self.formed: dict[str, Open] = {}

    def note(self, alert: Alert, clock: float, causes: list[tuple[Cause, str, int]]) -> Incident | None:
        """An alert opened or rose; `causes` are (cause, name, number of agents that share it)."""
        rank, joined = LEVELS.index(alert.level) + 1, self.of_alert.get(alert.id)
        for cause, name, size in causes:
            entry = self._entry(cause, name, alert.tenant, clock)
            if joined is not None and joined != entry.incident:
                continue  # an alert belongs to one incident, the first that it joined
            entry.onsets = [o for o in entry.onsets if self.of_alert.get(o.alert) in (None, entry.incident)]
            self._add(entry, Onset(clock, alert.id, alert.agent, rank))
            if len({o.agent for o in entry.onsets}) >= max(AGENTS_MIN, SHARE_MIN * size):
                return self._say(entry, alert)
        return None

    def forget(self, alert: Alert) -> Incident | None:
        """An alert was resolved; the line that says so when it was the last one of its incident."""
        incident = self.of_alert.pop(alert.id, None)
        if incident is None or incident in self.of_alert.values():
            return None
        entry = self.formed.pop(incident)
        self.open = {key: other for key, other in self.open.items() if other.incident != incident}
        agents = tuple(dict.fromkeys(o.agent for o in entry.onsets))
        return Incident(id=incident, time=alert.time, state="resolved", cause=entry.cause, name=entry.name,
                        tenant=entry.tenant, level=LEVELS[entry.rank - 1], agents=agents[:20], agents_total=len(agents))

    def _entry(self, cause: Cause, name: str, tenant: str, clock: float) -> Open:
        key = f"{cause}\0{tenant}\0{name}"
        entry = self.open.get(key)
        if entry is not None and entry.onsets and clock - max(o.clock for o in entry.onsets) > SPAN:
            entry = None  # a day without a further one: it was another cause
        if entry is None:
            entry = self.open[key] = Open(cause, name, tenant)
        elif entry.incident is None:
            entry.onsets = [o for o in entry.onsets if clock - o.clock <= SPAN]
        return entry

    @staticmethod
    def _add(entry: Open, onset: Onset) -> None:
        for i, known in enumerate(entry.onsets):
            if known.alert == onset.alert:  # it rose: its onset stays when it was
                entry.onsets[i] = Onset(known.clock, known.alert, known.agent, max(known.rank, onset.rank))
                return
        if len(entry.onsets) < ONSETS_MAX:
            entry.onsets.append(onset)

    def _say(self, entry: Open, alert: Alert) -> Incident | None:
        """The first line when it forms; a further one when its level rises or its size doubles."""
        agents = list(dict.fromkeys(o.agent for o in entry.onsets))
        rank = max(o.rank for o in entry.onsets)
        first = entry.incident is None
        if entry.incident is None:
            entry.incident = ids.of_incident(entry.cause, entry.name, entry.onsets[0].alert)
        self.formed[entry.incident] = entry
        for onset in entry.onsets:
            self.of_alert.setdefault(onset.alert, entry.incident)
        if not first and rank <= entry.rank and len(agents) < 2 * entry.told:
            return None
        state: Literal["firing", "updated"] = "firing" if first or rank > entry.rank else "updated"
        entry.rank, entry.told = rank, len(agents)
        return Incident(id=entry.incident, time=alert.time, state=state, cause=entry.cause, name=entry.name,
                        tenant=entry.tenant, level=LEVELS[rank - 1], agents=tuple(agents[:20]),
                        agents_total=len(agents))

    def dump(self) -> bytes:
        """Everything, for the snapshot."""
        return msgspec.json.encode((self.open, self.of_alert, self.formed))

    def load(self, dumped: bytes) -> None:
        """Put back what `dump` gave."""
        kind = tuple[dict[str, Open], dict[str, str], dict[str, Open]]
        self.open, self.of_alert, self.formed = msgspec.json.decode(dumped, type=kind)
        for key, entry in self.open.items():  # one object, as it was
            if entry.incident in self.formed:
                self.open[key] = self.formed[entry.incident]
