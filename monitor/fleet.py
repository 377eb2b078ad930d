"""What looks over agents: incidents, silences, the ladder with its budget, and how many agents a role has.

These are decisions, not evidence: they are recorded with the alerts that they belong to, and after a crash they are
read back and not decided again. One fleet is shared by all partitions of a daemon.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np

from detectors.core.agents import key_of
from detectors.core.engine import Engine
from monitor.containment import Ladder, RoleFacts
from monitor.incidents import Incidents
from monitor.silences import Silences


class Size(NamedTuple):
    """Agents with a reference, those whose reference a person ratified, and the shortest reference in days."""

    agents: int = 0
    ratified: int = 0
    reference_days: float = 0.0


class Fleet:
    """Decisions over agents, and the sizes that they rest on: as of the last full hour of each partition."""

    def __init__(self, ladder: Ladder) -> None:
        self.ladder, self.incidents, self.silences = ladder, Incidents(), Silences()
        self._sizes: dict[str, dict[str, Size]] = {}
        self.observed_since: float | None = None

    def count(self, partition: str, engine: Engine) -> None:
        """Take down how many agents of each role a partition has."""
        state, common = engine.state, engine.state.common
        rows = state.agents.residents()
        rows = rows[common.frozen_at[rows] > 0]
        days = (common.frozen_at[rows] - common.first[rows]) / 86_400.0
        sizes: dict[str, Size] = {}
        roles = common.role[rows]
        for role in np.unique(roles):
            of_role = roles == role
            who = state.agents.who[int(rows[of_role][0])]
            if who is not None:
                ratified = int((common.ratified_at[rows[of_role]] > 0).sum())
                sizes[key_of(who.tenant, who.role)] = Size(int(of_role.sum()), ratified, float(days[of_role].min()))
        self._sizes[partition] = sizes

    def adopt(self, partition: str, other: Fleet) -> None:
        """Take over what another fleet counted in a partition."""
        self._sizes[partition] = other._sizes.get(partition, {})

    def size(self, tenant: str, role: str) -> Size:
        """A role over all partitions."""
        found = [sizes[key_of(tenant, role)] for sizes in self._sizes.values() if key_of(tenant, role) in sizes]
        if not found:
            return Size()
        return Size(sum(s.agents for s in found), sum(s.ratified for s in found), min(s.reference_days for s in found))

    def agents(self) -> int:
        """All agents with a reference."""
        return sum(size.agents for sizes in self._sizes.values() for size in sizes.values())

    def ratified(self) -> int:
        """All agents whose reference a person ratified."""
        return sum(size.ratified for sizes in self._sizes.values() for size in sizes.values())

    def facts(self, tenant: str, role: str, time: float, *, attested: bool, trusted_time: bool,
              calendar: bool) -> RoleFacts:
        """What is known of a role when somebody asks to arm it."""
        size = self.size(tenant, role)
        observed = (time - self.observed_since) / 86_400.0 if self.observed_since is not None else 0.0
        return RoleFacts(role, tenant, size.agents, size.ratified, self.ratified(), attested, trusted_time,
                         size.reference_days, observed, calendar)

    def dump(self) -> bytes:
        """All decisions, for the store."""
        return msgspec.msgpack.encode((self.ladder.dump(), self.incidents.dump(), self.silences.dump(),
                                       self.observed_since))

    def load(self, dumped: bytes) -> None:
        """Put back what `dump` gave."""
        ladder, incidents, silences, self.observed_since = msgspec.msgpack.decode(
            dumped, type=tuple[bytes, bytes, bytes, float | None])
        self.ladder.load(ladder)
        self.incidents.load(incidents)
        self.silences.load(silences)
