"""The lines that driftd says, exactly as the contract has them; `encode` gives one JSON line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec

Level = Literal["notice", "page", "critical"]
LEVELS: tuple[Level, ...] = ("notice", "page", "critical")


class Share(msgspec.Struct, frozen=True):
    """One detector's part of an alert; `score` has its weight included, `share` is the same as a fraction."""

    name: str
    score: float | None
    share: float | None
    reason: str
    since: str | None
    observed: float | None
    expected: float | None


class Alert(msgspec.Struct, frozen=True, tag_field="kind", tag="alert", kw_only=True):
    """A line about an alert: it opened, rose, gained a detector or closed."""

    id: str
    state: Literal["firing", "updated", "resolved"]
    time: str
    event: str | None
    entity: Literal["agent", "role", "approver", "source", "daemon"] = "agent"
    agent: str
    role: str
    tenant: str = ""
    level: Level
    why: str
    score: float | None
    joined: str | None = None
    breach: bool = False
    detectors: tuple[Share, ...] = ()
    tags: tuple[str, ...] = ()
    pattern: str | None = None
    incident: str | None = None
    attested: bool = True


class Containment(msgspec.Struct, frozen=True, tag_field="kind", tag="containment", kw_only=True):
    """A step of the ladder was decided."""

    id: str
    time: str
    event: str | None
    agent: str
    role: str
    tenant: str = ""
    step: Literal["throttle", "restrict", "quarantine", "kill", "release"]
    executes: Literal["throttle", "restrict", "quarantine", "kill", "release"] | None = None
    mode: Literal["observe", "approve", "enforce"]
    gate_score: float
    armed: bool
    not_armed_because: str | None
    reason: str
    alert: str | None = None
    unproven: bool = False


class Incident(msgspec.Struct, frozen=True, tag_field="kind", tag="incident", kw_only=True):
    """Several agents with one cause."""

    id: str
    time: str
    state: Literal["firing", "updated", "resolved"]
    cause: Literal["version", "model", "target", "role"]
    name: str
    tenant: str = ""
    level: Level
    agents: tuple[str, ...]
    agents_total: int


class Summary(msgspec.Struct, frozen=True, tag_field="kind", tag="summary", kw_only=True):
    """The last line of a replay."""

    events: int
    duplicates: int
    id_reuse: int
    dead_letters: int
    agents: int
    first_time: str | None
    last_time: str | None
    seconds: float
    levels: dict[str, float]
    settings: str
    unknown_fields: dict[str, int] = {}
    clipped: int = 0


Finding = Alert | Containment | Incident | Summary
_encoder = msgspec.json.Encoder()


def encode(finding: Finding) -> bytes:
    """One line, without the line feed."""
    return _encoder.encode(finding)


def to_text(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    whole = datetime.fromtimestamp(round(seconds * 1000) // 1000, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{round(seconds * 1000) % 1000:03d}Z"


def rounded(score: float) -> float:
    """A score as it is printed: four significant digits, so that no rounding of the last bit is ever seen."""
    return float(f"{score:.4g}")
