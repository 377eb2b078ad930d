"""Operator rules: a record's stable agent, role and team, and the scope, effect and privilege of what it did.

What operators say wins over what a record claims, and a claim of privilege may only raise: the suspect does not grade
himself. In every list the first rule that matches and has something to say counts.
"""

from __future__ import annotations

import re
from string import Formatter

import msgspec

from detectors.core.event import Effect
from detectors.core.globs import Glob
from detectors.core.verbs import effect_of

NAME_MAX = 256
_FIRST_PART = re.compile(r"[^/#]+")


class RuleError(ValueError):
    """A rule that cannot be applied; the message names it and says why."""


class IdentityRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A raw agent name that fits `match` (a regular expression, the whole name) is run of a stable agent.

    `agent` is its name, with groups of the expression in braces: `{team}/{job}`.
    """

    match: str
    agent: str = "{agent}"


class RoleRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Agents that fit the pattern have this role."""

    agent: str
    role: str


class TeamRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Agents that fit both patterns belong to this team."""

    team: str
    role: str = "*"
    agent: str = "*"


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Patterns that all have to fit; `scope` is held against the claimed scope and against the one decided on."""

    action: str = "*"
    role: str = "*"
    scope: str = "*"


class Then(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What holds for an action that fits; None leaves a part to later rules."""

    scope: str | None = None
    effect: Effect | None = None
    privileged: bool | None = None


class ActionRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What actions that fit `when` are, whatever their records claim."""

    when: When
    then: Then


class RuleSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rules of an operator, as they stand in the settings."""

    identity: tuple[IdentityRule, ...] = ()
    roles: tuple[RoleRule, ...] = ()
    teams: tuple[TeamRule, ...] = ()
    actions: tuple[ActionRule, ...] = ()


class Rules:
    """Compiled rules. Every method depends on its arguments alone, so that callers may remember what it said."""

    def __init__(self, rules: RuleSet | None = None) -> None:
        """Raises RuleError for a rule that cannot be applied."""
        self.rules = rules = rules or RuleSet()
        self._identity = [(_compiled(rule), rule.agent) for rule in rules.identity]
        #: whether any name can stand for another agent
        self.identifies = bool(self._identity)
        self._roles = [(Glob(rule.agent), rule.role) for rule in rules.roles]
        self._teams = [(Glob(rule.role), Glob(rule.agent), rule.team) for rule in rules.teams]
        self._actions = [_Compiled(rule) for rule in rules.actions]
        #: whether any rule about actions asks for the agent's role
        self.asks_role = any(rule.when.role != "*" for rule in rules.actions)

    def identify(self, name: str) -> tuple[str, str]:
        """The stable agent behind a raw name, and the raw name, which is its instance."""
        for expression, template in self._identity:
            match = expression.fullmatch(name[:NAME_MAX])
            if match:
                agent = template.format_map(match.groupdict(default=""))
                if 0 < len(agent) <= NAME_MAX:
                    return agent, name
        return name, name

    def role_of(self, agent: str, claimed: str | None) -> str:
        """The rules' role, else the claimed one, else the part of the agent's name before the first "/" or "#"."""
        for pattern, role in self._roles:
            if pattern.matches(agent):
                return role
        if claimed:
            return claimed
        first = _FIRST_PART.match(agent)
        return first[0] if first else agent

    def team_of(self, agent: str, role: str) -> str:
        """The rules' team, empty when none of them fits."""
        for roles, agents, team in self._teams:
            if roles.matches(role) and agents.matches(agent):
                return team
        return ""

    def derive(
        self,
        action: str,
        scope: str | None,
        effect: Effect | None,
        privileged: bool | None,
        role: str | None,
    ) -> tuple[str, Effect | None, bool]:
        """The scope, the effect (None: nobody knows) and the privilege of an action, from rules, claims and verbs."""
        fits = [rule for rule in self._actions if rule.action.matches(action) and rule.role.matches(role or "")]
        claimed = scope or action
        decided = next((r.then.scope for r in fits if r.then.scope is not None and r.scope.matches(claimed)), claimed)
        fits = [rule for rule in fits if rule.scope.matches(claimed) or rule.scope.matches(decided)]
        ruled = next((rule.then.effect for rule in fits if rule.then.effect is not None), None)
        raised = next((rule.then.privileged for rule in fits if rule.then.privileged is not None), False)
        return decided, ruled or effect or effect_of(decided) or effect_of(action), raised or privileged is True


class _Compiled:
    """The patterns of an action rule, compiled."""

    __slots__ = ("action", "role", "scope", "then")

    def __init__(self, rule: ActionRule) -> None:
        self.action, self.role, self.scope = Glob(rule.when.action), Glob(rule.when.role), Glob(rule.when.scope)
        self.then = rule.then


def _compiled(rule: IdentityRule) -> re.Pattern[str]:
    """The rule's expression, with every group that its template asks for."""
    try:
        expression = re.compile(rule.match)
        wanted = [field for _, field, _, _ in Formatter().parse(rule.agent) if field is not None]
    except (re.error, ValueError) as error:
        raise RuleError(f"The identity rule {rule.match!r} -> {rule.agent!r} cannot be read: {error}.") from None
    missing = [field for field in wanted if field not in expression.groupindex]
    if missing:
        raise RuleError(f"The identity rule {rule.match!r} has no group named {missing[0]!r}.")
    return expression
