from __future__ import annotations

import pytest

from detectors.core.event import Effect
from detectors.core.globs import Glob
from detectors.core.rules import (
    ActionRule,
    IdentityRule,
    RoleRule,
    RuleError,
    Rules,
    RuleSet,
    TeamRule,
    Then,
    When,
)
from detectors.core.verbs import effect_of


@pytest.mark.parametrize(
    ("pattern", "fits", "others"),
    [
        ("crm", ["crm"], ["crm/", "Crm", "xcrm", ""]),
        ("*", ["", "a", "a/b"], []),
        ("crm/*", ["crm/", "crm/a/b"], ["crm", "xcrm/a"]),
        ("*.delete", [".delete", "a.b.delete"], ["a.delete.b", "a.Delete"]),
        ("a*b*c", ["abc", "a/b/c", "axbxbxc"], ["acb", "ab", "ac"]),
        ("ab*ba", ["abba", "abxba"], ["aba"]),  # head and tail never share a character
        ("*ab*ab*", ["abab", "xabyabz"], ["ab", "aba"]),
        ("a**b", ["ab", "axb"], ["a"]),
        ("a.?[b]", ["a.?[b]"], ["axyb"]),
    ],
)
def test_globs(pattern: str, fits: list[str], others: list[str]) -> None:
    glob = Glob(pattern)
    assert [text for text in fits if not glob.matches(text)] == []
    assert [text for text in others if glob.matches(text)] == []


@pytest.mark.parametrize(
    ("name", "effect"),
    [
        ("crm:delete", "delete"),
        ("crm:customers:read", "read"),
        ("delete_customer", "delete"),
        ("deleteCustomer", "delete"),
        ("s3:DeleteObject", "delete"),
        ("get_deleted_items", "read"),
        ("mail.read", "read"),
        ("gmail.send_mail", "send"),
        ("HTTPGet", "read"),
        ("db-truncate", "delete"),
        ("exec", "execute"),
        ("iam:attach_policy", "grant"),
        ("iam:AttachPolicy", "grant"),
        ("team/add_member", "grant"),
        ("store_memory", "remember"),
        ("pay", "send"),
        ("crm:delete/eu", "delete"),
        ("deletion", None),
        ("tool.action_9", None),
        ("DELETE", "delete"),
        ("", None),
        ("数据/42", None),
    ],
)
def test_effects_of_names(name: str, effect: Effect | None) -> None:
    assert effect_of(name) == effect


def test_identity_rules_find_the_stable_agent() -> None:
    rules = Rules(
        RuleSet(
            identity=(
                IdentityRule(match=r"(?P<agent>.+)-[0-9a-f]{8,10}-[a-z0-9]{5}"),
                IdentityRule(match=r"airflow/(?P<dag>[^/]+)/.*", agent="airflow/{dag}"),
                IdentityRule(match=r"(?P<agent>x*)y"),
            )
        )
    )
    assert rules.identify("billing-7d4b9c6f58-x2x4z") == ("billing", "billing-7d4b9c6f58-x2x4z")
    assert rules.identify("airflow/nightly/run-1") == ("airflow/nightly", "airflow/nightly/run-1")
    assert rules.identify("billing") == ("billing", "billing")
    assert rules.identify("y") == ("y", "y")  # an empty name is nobody's
    assert (rules.identifies, Rules().identifies) == (True, False)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (IdentityRule(match="("), "cannot be read"),
        (IdentityRule(match="x"), "no group named 'agent'"),
        (IdentityRule(match="(?P<a>x)", agent="{a"), "cannot be read"),
        (IdentityRule(match="(?P<a>x)", agent="{b}"), "no group named 'b'"),
        (IdentityRule(match="(?P<a>x)", agent="{a.real}"), "no group named 'a.real'"),
    ],
)
def test_a_rule_that_cannot_be_applied_is_refused(rule: IdentityRule, says: str) -> None:
    with pytest.raises(RuleError, match=says):
        Rules(RuleSet(identity=(rule,)))


def test_roles_of_rules_then_claims_then_names() -> None:
    rules = Rules(RuleSet(roles=(RoleRule("pay*", "payer"), RoleRule("*", "any"))))
    assert rules.role_of("payroll", "admin") == "payer"
    assert rules.role_of("Payroll", "admin") == "any"
    plain = Rules()
    assert plain.role_of("support/agent-1", "admin") == "admin"
    assert plain.role_of("support/agent-1", None) == "support"
    assert plain.role_of("support#1/x", "") == "support"
    assert plain.role_of("/x", None) == "/x"
    assert plain.role_of("alone", None) == "alone"


def test_teams() -> None:
    rules = Rules(RuleSet(teams=(TeamRule("fin", role="billing"), TeamRule("eu", agent="eu/*"))))
    assert rules.team_of("eu/1", "billing") == "fin"
    assert rules.team_of("eu/1", "support") == "eu"
    assert rules.team_of("us/1", "support") == ""


def test_operators_win_over_claims() -> None:
    rules = Rules(
        RuleSet(
            actions=(
                ActionRule(When(action="db.drop_*", role="billing"), Then(scope="db:admin")),
                ActionRule(When(scope="db:admin"), Then(effect="delete", privileged=True)),
                ActionRule(When(action="crm.*"), Then(privileged=False, effect="write")),
            )
        )
    )
    # what follows is decided for the scope that the first rule sets, not for the claimed one
    assert rules.derive("db.drop_table", "db:read", "read", False, "billing") == ("db:admin", "delete", True)
    assert rules.derive("db.drop_table", "db:read", "read", False, "other") == ("db:read", "read", False)
    assert rules.derive("x", "db:admin", None, None, None) == ("db:admin", "delete", True)
    assert rules.derive("crm.get", None, "read", None, None) == ("crm.get", "write", False)


def test_a_claim_of_privilege_only_raises() -> None:
    yes = Rules(RuleSet(actions=(ActionRule(When(), Then(privileged=True)),)))
    no = Rules(RuleSet(actions=(ActionRule(When(), Then(privileged=False)),)))
    assert [yes.derive("a", None, None, claim, None)[2] for claim in (True, False, None)] == [True, True, True]
    assert [no.derive("a", None, None, claim, None)[2] for claim in (True, False, None)] == [True, False, False]
    assert [Rules().derive("a", None, None, claim, None)[2] for claim in (True, False, None)] == [True, False, False]


def test_without_rules_effects_come_from_claim_scope_and_action() -> None:
    derive = Rules().derive
    assert derive("delete_it", "crm:read", "send", None, None) == ("crm:read", "send", False)
    assert derive("delete_it", "crm:read", None, None, None) == ("crm:read", "read", False)
    assert derive("delete_it", "crm", None, None, None) == ("crm", "delete", False)
    assert derive("delete_it", None, None, None, None) == ("delete_it", "delete", False)
    assert derive("act", None, None, None, None) == ("act", None, False)


def test_the_first_rule_that_says_something_counts() -> None:
    rules = Rules(
        RuleSet(
            actions=(
                ActionRule(When(action="a"), Then(effect="read")),
                ActionRule(When(), Then(effect="grant", privileged=True)),
            )
        )
    )
    assert rules.derive("a", None, None, None, None) == ("a", "read", True)
    assert rules.derive("b", None, None, None, None) == ("b", "grant", True)


def test_a_rule_by_role_asks_for_the_agents_role_and_not_for_a_claimed_one() -> None:
    """The suspect does not grade himself: claiming another role must not dodge a rule."""
    from detectors import EngineSettings
    from detectors.core.engine import Engine
    from detectors.core.event import Event
    from detectors.core.records import Records
    from detectors.core.rules import ActionRule, RoleRule, Rules, RuleSet, Then, When

    rule = ActionRule(when=When(action="row.purge", role="billing"), then=Then(privileged=True))
    rules = Rules(RuleSet(roles=(RoleRule(agent="b/*", role="billing"),), actions=(rule,)))
    engine = Engine([], rules, EngineSettings())
    events = [Event(agent="b/1", action="row.purge", role="harmless") for _ in range(8)]
    times = [float(i) for i in range(8)]
    records = Records(events, [b""] * 8, list(range(8)), [0] * 8, times, times)
    batch = engine._reader.read(records, 0, 8)
    assert len(batch) > 0
    assert batch.privileged.all()
