"""A hook carries out a containment step, checks that it worked, and can take it back."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple, Protocol

StepName = Literal["throttle", "restrict", "quarantine", "kill"]


class Order(NamedTuple):
    """A step to carry out: the containment's id is the idempotency key."""

    id: str
    time: float
    tenant: str
    agent: str
    role: str
    step: StepName
    gate_score: float
    reason: str


class Plan(NamedTuple):
    """What would be touched. `exclusive` are things of this agent alone, `shared` is never touched unasked."""

    text: str
    exclusive: tuple[str, ...]
    shared: tuple[str, ...] = ()
    #: what `apply` and `undo` need to know, JSON
    state: dict[str, Any] = {}  # noqa: RUF012 - the default of a tuple, which nobody changes


class HookError(Exception):
    """The hook failed; `problem` says at what."""


class Hook(Protocol):
    """One way to contain an agent. Every verb has a deadline and may be called again with the same order."""

    kind: ClassVar[str]
    name: str
    steps: tuple[StepName, ...]
    #: longest time that one verb takes
    deadline_seconds: float

    def plan(self, order: Order) -> Plan:
        """What `apply` would do; changes nothing."""

    def apply(self, order: Order, plan: Plan) -> dict[str, Any]:
        """Do it; returns what `undo` needs. Raises HookError."""

    def verify(self, order: Order, plan: Plan) -> bool | None:
        """True when the hook's own check says that it worked, False when it did not, None when it cannot know."""

    def undo(self, order: Order, plan: Plan, done: dict[str, Any]) -> None:
        """Take it back. Raises HookError."""
