"""The steps of the ladder, what may be set about them, who they are decided for, and what is kept of an agent."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, get_args

import msgspec

from detectors.core.inputs import Step
from monitor import ids
from monitor.budget import Bounds

STEPS: tuple[Step, ...] = get_args(Step)
RESTRICT, QUARANTINE = 2, 3
Mode = Literal["observe", "approve", "enforce"]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Gate scores, in agent-months per false alarm, from which a step is decided."""

    throttle: Positive = 30.0
    restrict: Positive = 100.0
    quarantine: Positive = 300.0
    kill: Positive = 1000.0

    def rank(self, gate_score: float) -> int:
        """The highest step that this score reaches: 0 for none, 1 to 4 for throttle to kill."""
        return max((rank for rank, step in enumerate(STEPS, 1) if gate_score >= getattr(self, step)), default=0)


class Expiry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds after which an executed step ends by itself; None: never."""

    throttle: Positive | None = None
    restrict: Positive | None = None
    quarantine: Positive | None = None
    kill: Positive | None = None


class ContainmentSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What driftd may do. `protected` are patterns of agents and roles; `hooked` the steps that have a hook."""

    mode: Mode = "observe"
    thresholds: Thresholds = Thresholds()
    kill: bool = False
    protected: tuple[str, ...] = ()
    age_seconds_max: Positive = 300.0
    expiry_seconds: Expiry = Expiry()
    bounds: Bounds = Bounds()
    hooked: tuple[Step, ...] = STEPS


class Subject(NamedTuple):
    """An agent at a deciding instant. `id` is of the deciding event or timer; `age_seconds` how old the evidence is.

    `ratified` and `reference_days` are of its own reference, `ratified_agents` counts the fleet's. `signed_breach`: a
    signed charter was broken, which opts in to kill.
    """

    id: str
    time: float
    event: str | None
    tenant: str
    agent: str
    role: str
    attested: bool
    gate_score: float
    alert: str | None
    ratified: bool
    reference_days: float
    age_seconds: float
    role_size: int
    ratified_agents: int
    trusted_time: bool = True
    signed_breach: bool = False


class Held(msgspec.Struct, kw_only=True):
    """A decided step that has not ended; `executes` is None when nothing was carried out."""

    id: str
    step: Step
    executes: Step | None
    since: float
    by_person: bool = False

    def stays(self) -> bool:
        """It ends only by a person's directive or a declared expiry."""
        return self.executes is not None and (self.by_person or rank_of(self.executes) >= QUARANTINE)


class AgentState(msgspec.Struct, kw_only=True):
    """`rank` is the highest step reached and not left since; `held` the steps that have not ended."""

    tenant: str
    agent: str
    role: str
    rank: int = 0
    gate_score: float = 0.0
    alert: str | None = None
    held: list[Held] = []

    def in_force(self) -> int:
        """Rank of the hardest executed step, 0 when there is none."""
        return max((rank_of(held.executes) for held in self.held if held.executes), default=0)


def rank_of(step: Step) -> int:
    """1 to 4 for throttle to kill."""
    return STEPS.index(step) + 1


def id_of(decider: str, step: str) -> str:
    """Id of a containment line: of what decided it and the step."""
    return ids.of_timer("containment", decider, step, 0.0, "line").hex()
