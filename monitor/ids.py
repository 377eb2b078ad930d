"""Ids that are the same for the same input: of what decided, never of settings or scores."""

from __future__ import annotations

from hashlib import blake2b


def of_event(kind: str, source: str, offset: int, index: int, tenant: str, agent: str) -> bytes:
    """Id of a finding that an event decided (16 bytes)."""
    return _digest(kind, source, str(offset), str(index), tenant, agent)


def of_timer(kind: str, tenant: str, agent: str, tick: float, name: str) -> bytes:
    """Id of a finding that a timer decided (16 bytes)."""
    return _digest(kind, tenant, agent, f"{tick:.3f}", name)


def of_incident(cause: str, name: str, first_alert: str) -> str:
    """Id of an incident."""
    return _digest("incident", cause, name, first_alert).hex()


def _digest(*parts: str) -> bytes:
    return blake2b("\0".join(parts).encode(), digest_size=16, person=b"driftd finding").digest()
