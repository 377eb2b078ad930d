"""Everything beside records that can change a verdict: directives of people, cohort versions, receipts, changes.

An input has a position in a partition (it applies before the record at that offset) and is durable before it is
applied. Every directive has one command, one route and one line form; all three derive from the structs below.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Step = Literal["throttle", "restrict", "quarantine", "kill"]


class Directive(msgspec.Struct, frozen=True, kw_only=True, tag_field="directive", forbid_unknown_fields=True):
    """What a person told driftd: when (epoch seconds or RFC 3339), who, and under which id."""

    time: float | str
    by: str
    id: str = ""
    reason: str = ""


class Brings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a release is expected to bring: names as the events carry them; a target stands for all below it."""

    actions: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    digests: dict[str, str] = {}


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that a person accepts as fine; exactly one part is set."""

    scope: str | None = None
    target: str | None = None
    action: str | None = None


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which alerts a silence mutes: all parts that are set must match."""

    tenant: str | None = None
    agent: str | None = None
    role: str | None = None
    detector: str | None = None
    level: str | None = None


class Release(Directive, frozen=True, tag="release"):
    """A software release of a role, announced with what it brings."""

    role: str
    version: str | None = None
    brings: Brings = Brings()
    tenant: str = ""


class Accept(Directive, frozen=True, tag="accept"):
    """This behaviour of this agent was fine."""

    agent: str
    what: Behaviour
    tenant: str = ""


class Ratify(Directive, frozen=True, tag="ratify"):
    """The reference of a role or of one agent is right."""

    role: str | None = None
    agent: str | None = None
    tenant: str = ""


class Silence(Directive, frozen=True, tag="silence"):
    """No notification of what matches until then; evidence goes on."""

    match: Match
    until: float | str


class Calendar(Directive, frozen=True, tag="calendar"):
    """Recurring work of a role, as an RFC 5545 RRULE."""

    role: str
    rule: str
    tenant: str = ""


class Contain(Directive, frozen=True, tag="contain"):
    """A person contains an agent."""

    agent: str
    step: Step
    tenant: str = ""


class Uncontain(Directive, frozen=True, tag="uncontain"):
    """A person ends a containment (all steps of the agent when none is named)."""

    agent: str
    step: Step | None = None
    tenant: str = ""


class Resolve(Directive, frozen=True, tag="resolve"):
    """A person closes an alert; the evidence behind it starts again from rest."""

    alert: str


class Arm(Directive, frozen=True, tag="arm"):
    """Steps decided for this role may be executed."""

    role: str
    accept_unproven: bool = False
    tenant: str = ""


class Disarm(Directive, frozen=True, tag="disarm"):
    """No step is executed for this role, or for any role when none is named."""

    role: str | None = None
    tenant: str = ""


class Confirm(Directive, frozen=True, tag="confirm"):
    """A second person confirms a widening directive by its id."""

    confirms: str


AnyDirective = (
    Release | Accept | Ratify | Silence | Calendar | Contain | Uncontain | Resolve | Arm | Disarm | Confirm
)
#: directives that widen what goes unnoticed: in the daemon each waits for a second person
WIDENING = (Release, Accept, Ratify, Silence, Calendar)


class Adoption(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A ratified, unsuspected agent of a role uses a thing: what a peer may know. All are keyed digests.

    `place` is of the agent's principal and host: peers of one place are one peer.
    """

    role: int
    thing: int
    agent: int
    place: int


class Pooled(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Sums over agents of a role for one family at their freeze: the pooled prior of their peers."""

    role: int
    family: str
    sums: tuple[float, ...]


class CohortVersion(msgspec.Struct, frozen=True, tag_field="input", tag="cohort"):
    """What the agents of all partitions contributed in one hour; used from hour + 2 on."""

    hour: int
    adoptions: tuple[Adoption, ...] = ()
    pooled: tuple[Pooled, ...] = ()
    left_out: tuple[str, ...] = ()


class Delegation(msgspec.Struct, frozen=True, tag_field="input", tag="delegation"):
    """A record of another partition in which agents of this one stand in `via`: the record and its arrival."""

    content: bytes
    arrival: float
    source: str
    offset: int
    index: int
    attested: bool


class Tick(msgspec.Struct, frozen=True, tag_field="input", tag="tick"):
    """The partition's clock has reached this time: timers of silent agents up to it are due."""

    time: float


class Receipt(msgspec.Struct, frozen=True, tag_field="input", tag="receipt"):
    """What became of a containment step that was executed."""

    containment: str
    time: float
    tenant: str
    agent: str
    step: Step | Literal["release"]
    outcome: Literal["confirmed", "acted", "failed", "undone", "skipped"]
    detail: str = ""


class Change(msgspec.Struct, frozen=True, tag_field="input", tag="change"):
    """From here on other settings or another program decide."""

    settings: str
    program: str


class Directed(msgspec.Struct, frozen=True, tag_field="input", tag="directive"):
    """A directive at its position. Every partition hears it; in the one that leads it also moves the ladder."""

    directive: AnyDirective
    leads: bool = True


Input = CohortVersion | Delegation | Tick | Receipt | Change | Directed
