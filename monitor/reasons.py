"""Why a decided step may not be executed, by name, and the sentence that says so. Pure."""

from __future__ import annotations

from detectors.core.globs import Glob
from detectors.core.inputs import Step
from monitor.arming import Arming
from monitor.findings import rounded
from monitor.readiness import REFERENCE_DAYS_MIN
from monitor.steps import ContainmentSettings, Mode, Subject

#: every `not_armed_because`, as it is explained in a line's reason
BECAUSE = {
    "unattested": "its evidence is not attested by its source",
    "untrusted_time": "its records carry the producer's time",
    "protected": "it is on the protected list",
    "not_ratified": "no person ratified its reference",
    "not_armed": "its role is not armed (driftd containment readiness says what is missing); the proof of what "
    "enforce does there is still to come",
    "disarmed": "a person disarmed its role",
    "latched": "the budget was reached and the switch observes until a person arms the role again",
    "short_reference": f"its reference is shorter than {REFERENCE_DAYS_MIN:g} days",
    "stale": "the evidence is too old to act on without a person",
    "no_hook": "no hook is attached to this step",
    "budget": "the budget of steps is used up",
    "kill_not_opted_in": "kill is not opted in to, quarantine stands in its place",
    "observe_mode": "the mode is observe",
}


class Reasons:
    """What the settings and the armed roles forbid."""

    def __init__(self, settings: ContainmentSettings, arming: Arming) -> None:
        self._settings, self._arming = settings, arming
        self._protected = tuple(Glob(pattern) for pattern in settings.protected)

    def mode(self, subject: Subject) -> Mode:
        """The mode of this decision: a latched role only observes, stale evidence waits for a person."""
        if self._settings.mode != "enforce":
            return self._settings.mode
        armed = self._arming.find(subject.tenant, subject.role)
        if armed is not None and armed.latched:
            return "observe"
        return "approve" if self._stale(subject) else "enforce"

    def of_subject(self, subject: Subject, executes: Step) -> str | None:
        """The first reason that forbids acting by itself, whatever the mode; None when there is none."""
        armed = self._arming.find(subject.tenant, subject.role)
        short = subject.reference_days < REFERENCE_DAYS_MIN
        tests = (
            ("unattested", not subject.attested),
            ("untrusted_time", not subject.trusted_time),
            ("protected", self._is_protected(subject.agent, subject.role)),
            ("not_ratified", not subject.ratified),
            (self._arming.why_not(subject.tenant, subject.role), armed is None),
            ("latched", armed is not None and armed.latched),
            ("short_reference", armed is not None and short and not (armed.unproven or armed.calendar)),
            ("stale", self._stale(subject)),
            ("no_hook", executes not in self._settings.hooked),
        )
        return next((name for name, forbids in tests if forbids), None)

    def of_person(self, agent: str, role: str, executes: Step) -> str | None:
        """The first reason that forbids what a person asks for: a person needs no arming, mode or evidence."""
        if self._is_protected(agent, role):
            return "protected"
        return None if executes in self._settings.hooked else "no_hook"

    def sentence(self, subject: Subject, step: Step, because: str | None, bound: str) -> str:
        """What was decided on which evidence, and why it is not armed; `bound` is that of the budget, if it was hit."""
        threshold = getattr(self._settings.thresholds, step)
        said = f"The gate score {rounded(subject.gate_score):g} reached {threshold:g}, the threshold of {step}"
        if because is not None:
            said += f"; not armed: {BECAUSE[because]}" + (f" ({bound})" if bound else "")
        refused = self._arming.refused(subject.tenant, subject.role)
        if because == "not_armed" and refused:
            said += f"; arming was refused: {', '.join(refused)}"
        armed = self._arming.find(subject.tenant, subject.role)
        if armed is not None and armed.unproven:
            said += "; the role was armed unproven, its proof is still to come"
        return said

    def _stale(self, subject: Subject) -> bool:
        return subject.age_seconds > self._settings.age_seconds_max

    def _is_protected(self, agent: str, role: str) -> bool:
        return any(glob.matches(agent) or glob.matches(role) for glob in self._protected)
