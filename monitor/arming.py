"""Which roles a person armed, disarmed, or has to arm again after the budget ran out. Pure."""

from __future__ import annotations

import msgspec

from detectors.core.inputs import Arm, Disarm
from monitor.readiness import RoleFacts, readiness


class Armed(msgspec.Struct, kw_only=True):
    """A role whose steps may be executed. `unproven`: the days and the proof were waived."""

    tenant: str
    role: str
    by: str
    unproven: bool
    calendar: bool
    latched: bool = False


class _Dump(msgspec.Struct):
    armed: list[Armed]
    disarmed: list[tuple[str, str]]
    refused: list[tuple[str, str, tuple[str, ...]]]
    all_disarmed: bool


class Arming:
    """The armed roles."""

    def __init__(self) -> None:
        self._armed: dict[tuple[str, str], Armed] = {}
        self._disarmed: set[tuple[str, str]] = set()
        self._refused: dict[tuple[str, str], tuple[str, ...]] = {}
        self._all_disarmed = False

    def any_latched(self) -> bool:
        """The budget was used up for some role, and nobody armed it again."""
        return any(armed.latched for armed in self._armed.values())

    def find(self, tenant: str, role: str) -> Armed | None:
        """The role, if it is armed; it may be latched."""
        return self._armed.get((tenant, role))

    def why_not(self, tenant: str, role: str) -> str:
        """`disarmed` when a person disarmed it since it was armed last, else `not_armed`."""
        return "disarmed" if self._all_disarmed or (tenant, role) in self._disarmed else "not_armed"

    def refused(self, tenant: str, role: str) -> tuple[str, ...]:
        """What was missing when a person tried to arm it last, by name."""
        return self._refused.get((tenant, role), ())

    def arm(self, directive: Arm, facts: RoleFacts | None) -> bool:
        """Arm the role and lift its latch, unless it is not ready; then what is missing is kept to be shown."""
        key = (directive.tenant, directive.role)
        found = readiness(facts, accept_unproven=directive.accept_unproven)
        if facts is None or not found.ready:
            self._refused[key] = tuple(found.missing)
            return False
        self._refused.pop(key, None)
        self._disarmed.discard(key)
        self._armed[key] = Armed(
            tenant=directive.tenant, role=directive.role, by=directive.by, calendar=facts.calendar,
            unproven=not readiness(facts).ready,
        )  # fmt: skip
        return True

    def disarm(self, directive: Disarm) -> None:
        """No step is executed for this role, or for any role of any tenant when none is named."""
        if directive.role is None:
            self._all_disarmed = True
            self._armed.clear()
            return
        self._disarmed.add((directive.tenant, directive.role))
        self._armed.pop((directive.tenant, directive.role), None)

    def latch(self) -> None:
        """The budget was reached: every armed role only observes until a person arms it again."""
        for armed in self._armed.values():
            armed.latched = True

    def dump(self) -> bytes:
        """All of it, the same bytes for the same state."""
        refused = [(*key, names) for key, names in sorted(self._refused.items())]
        armed = [self._armed[key] for key in sorted(self._armed)]
        return msgspec.msgpack.encode(_Dump(armed, sorted(self._disarmed), refused, self._all_disarmed))

    def load(self, dumped: bytes) -> None:
        """Take over what was dumped."""
        state = msgspec.msgpack.decode(dumped, type=_Dump)
        self._armed = {(armed.tenant, armed.role): armed for armed in state.armed}
        self._disarmed = set(state.disarmed)
        self._refused = {(tenant, role): names for tenant, role, names in state.refused}
        self._all_disarmed = state.all_disarmed
