"""What a role lacks before it may be armed, and what its past weeks would have done. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from monitor.findings import Containment

#: a month's work, its end included, has been seen
REFERENCE_DAYS_MIN = 35.0
#: people have watched what would have been done
OBSERVED_DAYS_MIN = 14.0


class RoleFacts(NamedTuple):
    """What is known of a role when somebody asks to arm it.

    `ratified` are its agents whose reference a person ratified, `ratified_agents` those of the whole fleet;
    `reference_days` is the shortest of their references, `observed_days` the time since decisions are on record.
    `calendar`: its recurring work is declared. `trusted_time`: its records carry the broker's append time.
    """

    role: str
    tenant: str = ""
    agents: int = 0
    ratified: int = 0
    ratified_agents: int = 0
    attested: bool = False
    trusted_time: bool = True
    reference_days: float = 0.0
    observed_days: float = 0.0
    calendar: bool = False


class Readiness(NamedTuple):
    """Whether a role may be armed; the sentences of what is missing, by their named reasons."""

    missing: dict[str, str]

    @property
    def ready(self) -> bool:
        """Nothing is missing."""
        return not self.missing


def readiness(facts: RoleFacts | None, *, accept_unproven: bool = False) -> Readiness:
    """What is missing. `accept_unproven` waives the days and the proof, never attestation or ratification."""
    if facts is None or not facts.agents:
        return Readiness({"unknown_role": "no agent of this role has a reference yet"})
    missing: dict[str, str] = {}
    if not facts.attested:
        missing["unattested"] = "its records are not attested by their source"
    if not facts.trusted_time:
        missing["untrusted_time"] = "its records carry the producer's time; see trust_time of the source"
    if not facts.ratified:
        missing["not_ratified"] = f"no person ratified its reference: driftd ratify --role {facts.role}"
    if accept_unproven:
        return Readiness(missing)
    if facts.reference_days < REFERENCE_DAYS_MIN and not facts.calendar:
        missing["short_reference"] = (
            f"its reference is of {facts.reference_days:.1f} days and not of {REFERENCE_DAYS_MIN:g}, "
            "and no calendar of its recurring work was declared"
        )
    if facts.observed_days < OBSERVED_DAYS_MIN:
        missing["unproven"] = f"{facts.observed_days:.1f} of {OBSERVED_DAYS_MIN:g} days of observe mode are on record"
    return Readiness(missing)


def would_have(lines: Iterable[Containment]) -> dict[str, int]:
    """How often each step was decided on these lines, which are those of a role since a time."""
    return dict(Counter(line.step for line in lines if line.step != "release"))
