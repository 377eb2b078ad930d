"""How many steps may be carried out: the bounds that keep the switch from becoming the weapon. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec

MINUTES_10 = 600.0
DAY = 86_400.0


class Bounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds of a fleet. Settings may lower them and never raise them.

    `part` of `parts`: daemons share one fleet without asking each other, each with its own part of every bound.
    """

    steps_max: Annotated[int, msgspec.Meta(ge=1, le=3)] = 3
    fleet_share: Annotated[float, msgspec.Meta(gt=0, le=0.05)] = 0.05
    day_steps_max: Annotated[int, msgspec.Meta(ge=1, le=10)] = 10
    role_share: Annotated[float, msgspec.Meta(gt=0, le=0.5)] = 0.5
    part: Annotated[int, msgspec.Meta(ge=0)] = 0
    parts: Annotated[int, msgspec.Meta(ge=1)] = 1

    def in_10_minutes(self, ratified_agents: int) -> int:
        """Steps of this part in any ten minutes."""
        return self._mine(max(1, min(self.steps_max, int(self.fleet_share * ratified_agents))))

    def in_a_day(self) -> int:
        """Steps of this part in any 24 hours."""
        return self._mine(self.day_steps_max)

    def of_role(self, size: int) -> int:
        """Agents of one role that this part may hold at once."""
        return self._mine(max(1, int(self.role_share * size)))

    def _mine(self, bound: int) -> int:
        return bound // self.parts + (self.part < bound % self.parts)


class Spent(msgspec.Struct, array_like=True, frozen=True):
    """One executed step, and when it was counted (epoch seconds)."""

    id: str
    time: float


class Holding(msgspec.Struct, array_like=True, frozen=True):
    """An agent that is held at restrict or above."""

    tenant: str
    agent: str
    role: str


class Budget:
    """Counts executed steps of restrict or above. One budget may serve several ladders of a daemon."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self._spent: dict[str, float] = {}
        self._held: dict[tuple[str, str], str] = {}
        self._now = 0.0

    def refuses(self, time: float, held: Holding, role_size: int, ratified_agents: int) -> str | None:
        """The bound that one more step would break, in words; None when there is room."""
        now = self._advance(time)
        if (bound := self.bounds.in_a_day()) <= len(self._spent):
            return f"{bound} steps in 24 hours"
        bound = self.bounds.in_10_minutes(ratified_agents)
        if bound <= sum(at > now - MINUTES_10 for at in self._spent.values()):
            return f"{bound} in 10 minutes"
        others = sum(
            role == held.role and key[0] == held.tenant and key[1] != held.agent for key, role in self._held.items()
        )
        if (bound := self.bounds.of_role(role_size)) <= others:
            return f"{bound} agents of role {held.role} at once"
        return None

    def spend(self, id_: str, time: float, held: Holding) -> None:
        """Count a step before it is acted on; the same id counts once."""
        now = self._advance(time)
        self._spent.setdefault(id_, now)
        self._held[held.tenant, held.agent] = held.role

    def free(self, tenant: str, agent: str) -> None:
        """The agent is held no longer. What was spent stays spent."""
        self._held.pop((tenant, agent), None)

    def _advance(self, time: float) -> float:
        # agents have clocks of their own; a step is taken now, so that a late clock never opens a bound again
        self._now = max(self._now, time)
        self._spent = {id_: at for id_, at in self._spent.items() if at > self._now - DAY}
        return self._now

    def dump(self) -> bytes:
        """All of it, the same bytes for the same state."""
        spent = [Spent(id_, at) for id_, at in sorted(self._spent.items())]
        held = [Holding(tenant, agent, role) for (tenant, agent), role in sorted(self._held.items())]
        return msgspec.msgpack.encode((self._now, spent, held))

    def load(self, dumped: bytes) -> None:
        """Take over what was dumped, on top of what is there: a shared budget may be loaded from several dumps."""
        now, spent, held = msgspec.msgpack.decode(dumped, type=tuple[float, list[Spent], list[Holding]])
        self._now = max(self._now, now)
        for one in spent:
            self._spent.setdefault(one.id, one.time)
        for holding in held:
            self._held[holding.tenant, holding.agent] = holding.role
