"""What the brake file says, as the directives that the ladder and the audit have to know of."""

from __future__ import annotations

from detectors.core.inputs import Disarm, Uncontain
from monitor.brake import Disarmed, Found, Released, Unreadable
from monitor.storage.store import Store


def directives_of(found: Found, store: Store, now: float) -> list[Disarm | Uncontain]:
    """A line of the brake: the executor has obeyed it already, from here it is recorded."""
    pull = found.pull
    if isinstance(pull, Disarmed):
        return [Disarm(time=now, by=pull.by, id="", reason=pull.reason, role=pull.role, tenant=pull.tenant)]
    if isinstance(pull, Unreadable):
        return [Disarm(time=now, by=pull.by or "brake file", reason="a line of the brake file cannot be read")]
    if isinstance(pull, Released):
        lines = [state.line for state in store.queries.containments(10_000, active=True)]
        held = dict.fromkeys((line.tenant, line.agent) for line in lines if line.executes is not None)
        return [Uncontain(time=now, by=pull.by, reason=pull.reason or "the brake", agent=agent, tenant=tenant)
                for tenant, agent in held]
    return []
