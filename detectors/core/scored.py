"""What the engine says: how surprising one agent is at one instant, and which detectors say so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Scored:
    """An agent's fused evidence, decided by an event or by a timer (`tick`)."""

    row: int
    tenant: str
    agent: str
    role: str
    clock: float
    #: position of the deciding event, and its id; None when a timer decided
    offset: int | None
    index: int | None
    event: str | None
    #: time of the deciding timer
    tick: float | None
    score: float
    gate: float
    #: detector number to its weighted contribution
    parts: dict[int, float]
    #: actions of the agent up to then
    n: float = 0.0
    #: order of decisions in one step: number of the record, timers before its event, their time or whose event it is
    order: tuple[int, int, float] = (0, 0, 0.0)
    #: position of the record at which it was decided (for a timer: the first one that was not before it)
    place: tuple[int, int] = (0, 0)
    #: what made this reading: evidence, decay, or a directive by name
    cause: str = "evidence"
    #: source of the deciding event, where it is not the partition's own
    source: str | None = None
    version: str | None = None
    target: str | None = None
