"""Silences mute notification, never evidence: who is muted, and until when."""

from __future__ import annotations

import msgspec

from detectors.core.inputs import Match, Silence
from monitor.directives import seconds_of
from monitor.findings import Alert, Incident


class Silences:
    """All silences in force."""

    def __init__(self) -> None:
        self.all: list[tuple[float, Match]] = []

    def add(self, silence: Silence) -> None:
        """A person silences what matches."""
        now = seconds_of(silence.time)
        self.all = [(until, match) for until, match in self.all if until > now]
        self.all.append((seconds_of(silence.until), silence.match))

    def mutes(self, line: Alert | Incident, clock: float) -> bool:
        """Whether nobody is to be notified of this line; `clock` is its agent's, who ends no silence for others."""
        return any(until > clock and _matches(match, line) for until, match in self.all)

    def dump(self) -> bytes:
        """Everything, for the snapshot."""
        return msgspec.json.encode(self.all)

    def load(self, dumped: bytes) -> None:
        """Put back what `dump` gave."""
        self.all = msgspec.json.decode(dumped, type=list[tuple[float, Match]])


def _role_of(incident: Incident) -> str | None:
    """The role that an incident is about, where its cause tells."""
    if incident.cause == "role":
        return incident.name
    return incident.name.rpartition(" ")[0] if incident.cause == "version" else None


def _matches(match: Match, line: Alert | Incident) -> bool:
    if isinstance(line, Incident):
        return match.agent is None and match.detector is None and match.level in (None, line.level) and (
            match.tenant in (None, line.tenant)) and (match.role is None or _role_of(line) == match.role)
    names = {share.name for share in line.detectors}
    return (
        match.tenant in (None, line.tenant)
        and match.agent in (None, line.agent)
        and match.role in (None, line.role)
        and match.level in (None, line.level)
        and (match.detector is None or match.detector in names)
    )
