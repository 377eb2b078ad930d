"""Small example streams that a detector carries with it: those it must fire on, and those it must stay quiet on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Act:
    """Something done again and again: every so many seconds an event with these fields.

    `{k}` in a name stands for how often the act was done before, so that `crm/{k}` is another target each time.
    """

    every: float
    fields: Mapping[str, Any]


def act(every: float, action: str, **fields: Any) -> Act:
    """An act of the story's agent (`crm/anna`), or of another one that the fields name."""
    return Act(every, {"agent": "crm/anna", "action": action, **fields})


@dataclass(frozen=True, slots=True)
class Story:
    """`usual` goes on for the whole reference and after it; then `drift` comes on top for some days.

    A story fires when the detector by itself, weight included, reaches the notice level; it is quiet when it never
    gets above the level at which an alert is resolved.
    """

    name: str
    fires: bool
    usual: tuple[Act, ...]
    drift: tuple[Act, ...]
    days: float = 1.0
