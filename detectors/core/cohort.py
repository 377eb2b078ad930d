"""What the peers of a role know, by the hour: a table in time, so that every agent can read it as of its own clock.

Version h holds what was contributed in hour h and is used by an agent whose clock stands at hour h + 2 or later.
Entries carry their hour, so one table answers for agents at different clocks.
"""

from __future__ import annotations

from collections.abc import Iterable

from detectors.core.inputs import Adoption, CohortVersion

#: hours between a contribution and its use
DELAY = 2
#: peers of one thing that are told apart, each elsewhere: three are left without the asker and those at its place
PEERS_MAX = 5
#: things remembered for each role; beyond them a role learns from peers no more, which is counted
THINGS_MAX = 50_000
#: the thing that every ratified agent of a role adopts: being there
PRESENT = 1


def adoption_order(adoption: Adoption) -> tuple[int, int, int, int]:
    """Adoptions of one hour have no order of their own; this is theirs in a version."""
    return adoption.role, adoption.thing, adoption.agent, adoption.place


class Cohorts:
    """Adopters of things by role, and how many of them an agent may know of."""

    def __init__(self) -> None:
        self.adopters: dict[tuple[int, int], tuple[tuple[int, int, int], ...]] = {}
        self.things: dict[int, int] = {}
        self.refused = 0
        self.version = -1

    def merge(self, version: CohortVersion) -> None:
        """Take in a version; merging one twice changes nothing."""
        if version.hour <= self.version:
            return
        self.version = version.hour
        for adoption in version.adoptions:
            self._adopt(adoption, version.hour)

    def _adopt(self, adoption: Adoption, hour: int) -> None:
        key = (adoption.role, adoption.thing)
        known = self.adopters.get(key)
        if known is None:
            if self.things.get(adoption.role, 0) >= THINGS_MAX:
                self.refused += 1
                return
            self.things[adoption.role] = self.things.get(adoption.role, 0) + 1
            known = ()
        # a host full of agents is one peer, and must not keep out those who come from elsewhere
        if len(known) < PEERS_MAX and all(adoption.agent != who and adoption.place != where for _, who, where in known):
            self.adopters[key] = (*known, (hour, adoption.agent, adoption.place))

    def peers(self, role: int, thing: int, agent: int, place: int, hour: int) -> int:
        """Peers elsewhere that use the thing, as an agent whose clock is in `hour` may know: 0 to 3."""
        known = self.adopters.get((role, thing), ())
        places = {where for when, who, where in known if when + DELAY <= hour and who != agent and where != place}
        return min(len(places), 3)

    def dump(self) -> list[tuple[int, int, tuple[tuple[int, int, int], ...]]]:
        """All entries, in order."""
        return [(role, thing, self.adopters[role, thing]) for role, thing in sorted(self.adopters)]

    def load(self, entries: Iterable[tuple[int, int, Iterable[tuple[int, int, int]]]], version: int) -> None:
        """Put back what `dump` gave."""
        self.version = version
        for role, thing, known in entries:
            self.adopters[role, thing] = tuple((hour, agent, place) for hour, agent, place in known)
            self.things[role] = self.things.get(role, 0) + 1
