"""Where settings come from, who wins, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.core.rules import RoleRule, Rules
from monitor.config import Settings, SettingsError, load, read, schema, settings_digest
from monitor.steps import Thresholds


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "driftd.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(tmp_path: Path, text: str, *overrides: str, environment: dict[str, str] | None = None) -> str:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load(path, overrides, environment or {}, "replay")
    return str(caught.value).replace(str(tmp_path) + "/", "")


def test_defaults_are_those_of_the_contract() -> None:
    settings = load(environment={}, purpose="replay")
    assert settings.reference.days == 14
    assert settings.containment.mode == "observe"
    assert settings.containment.kill is False
    assert settings.alerting.levels.model_dump() == {"notice": 10, "page": 100, "critical": 1000}
    assert settings.containment.thresholds == Thresholds(throttle=30, restrict=100, quarantine=300, kill=1000)


def test_a_replay_ratifies_by_itself_and_a_daemon_waits_for_a_person() -> None:
    assert load(environment={}, purpose="replay").reference.ratify == "auto"
    assert load(None, ["sources={}"], {}, "run").reference.ratify == "person"
    assert load(None, ["reference.ratify=person"], {}, "replay").reference.ratify == "person"


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "reference: {days: 1}\nalerting: {levels: {notice: 2, page: 3, critical: 4}}\n")
    environment = {"DRIFTD__REFERENCE__DAYS": "5", "DRIFTD__ALERTING__LEVELS__PAGE": "3.5", "OTHER": "1"}
    settings = load(path, ["reference.days=6"], environment, "replay")
    assert settings.reference.days == 6
    assert settings.alerting.levels.model_dump() == {"notice": 2, "page": 3.5, "critical": 4}


def test_one_threshold_of_containment_may_be_set_alone() -> None:
    settings = load(None, ["containment.thresholds.kill=50"], {}, "replay")
    assert settings.containment.thresholds.kill == 50


def test_the_ladder_takes_what_is_set() -> None:
    settings = load(None, ["containment={kill: true, expiry_seconds: {kill: 60}, protected: [a*]}"], {}, "replay")
    taken = settings.containment.for_ladder(("kill",))
    assert taken.hooked == ("kill",)
    assert (taken.kill, taken.expiry_seconds.kill, taken.protected) == (True, 60, ("a*",))
    assert taken.thresholds == Thresholds()


def test_every_key_knows_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, "tenant: a\nreference:\n  days: 3\n")
    reading = read(path, ["containment.mode=approve"], {"DRIFTD__ONE_PERSON": "true"}, "replay")
    assert reading.places["reference", "days"] == f"{path}:3"
    assert reading.places["containment", "mode"] == "--set containment.mode"
    assert reading.places["one_person",] == "DRIFTD__ONE_PERSON"
    assert ("alerting", "levels") not in reading.places


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("containmnt: {mode: observe}", "driftd.yaml:1: containmnt: unknown key (did you mean containment?)"),
        (
            "alerting:\n  levels:\n    pages: 3",
            "driftd.yaml:3: alerting.levels.pages: unknown key (did you mean alerting.levels.page?)",
        ),
        (
            "rules:\n- {when: {}, then: {}}\n- when: {action: x}\n  then: {efect: read}",
            "driftd.yaml:4: rules.1.then.efect: unknown key (did you mean rules.1.then.effect?)",
        ),
        ("thresholds: {}", "driftd.yaml:1: thresholds: unknown key (did you mean containment.thresholds?)"),
        ("reference: {xyzzy: 1}", "driftd.yaml:1: reference.xyzzy: unknown key (known here: days, ratify)"),
        (
            "\ncontainment:\n  mode: enforced",
            "driftd.yaml:3: containment.mode: 'enforced' does not fit (input should be 'observe', 'approve' or 'enforce')",
        ),
        ("reference: {days: -1}", "driftd.yaml:1: reference.days: -1 does not fit (input should be greater than 0)"),
        ("api: {bind: 0.0.0.0}", "(set api.tokens_file, or bind 127.0.0.1)"),
        ("rules: [{when: {action: x}}]", "driftd.yaml:1: rules.0.then: missing (add then)"),
        ("agents: {identity: [{match: 'a('}]}", "The identity rule 'a(' -> '{agent}' cannot be read"),
        ("alerting: {levels: {notice: 200}}", "(notice <= page <= critical)"),
        ("tenant: a\ntenant: b", "driftd.yaml:2: tenant: said twice (keep one)"),
        ("tenant: [", "driftd.yaml:1: not YAML"),
        ("- a", "driftd.yaml:1: not a mapping"),
        ("agents: {roles: [{agent: a}]}", "driftd.yaml:1: agents.roles.0.role: missing (add role)"),
    ],
)
def test_what_is_wrong_is_said_with_place_key_and_cure(tmp_path: Path, text: str, told: str) -> None:
    assert told in refused(tmp_path, text)


def test_an_unknown_variable_and_an_unknown_option_are_refused_by_their_names(tmp_path: Path) -> None:
    assert refused(tmp_path, "", environment={"DRIFTD__REFERNCE__DAYS": "3"}) == (
        "DRIFTD__REFERNCE__DAYS: refernce: unknown key (did you mean reference?)"
    )
    assert refused(tmp_path, "", "reference.dais=3") == (
        "--set reference.dais: reference.dais: unknown key (did you mean reference.days?)"
    )
    assert "not KEY=VALUE" in refused(tmp_path, "", "reference.days")


def test_all_problems_are_said_at_once(tmp_path: Path) -> None:
    told = refused(tmp_path, "tenat: a\nreference: {days: x}\n")
    assert "driftd.yaml:1: tenat" in told
    assert "driftd.yaml:2: reference.days" in told


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml: No such file"):
        load(Path("none.yaml"), (), {}, "replay")


def test_yaml_anchors_and_merges_are_understood(tmp_path: Path) -> None:
    path = written(tmp_path, "agents:\n  roles:\n  - &a {agent: x, role: s}\n  - {<<: *a, agent: y}\n")
    assert load(path, (), {}, "replay").agents.roles == (RoleRule("x", "s"), RoleRule("y", "s"))


def test_rules_become_what_the_core_takes(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        agents: {identity: [{match: '(?P<agent>.+)-[0-9a-f]{5}'}], teams: [{team: red, role: r*}]}
        rules: [{when: {action: 'drop_*'}, then: {effect: delete, privileged: true}}]
        """,
    )
    rules = Rules(load(path, (), {}, "replay").rule_set())
    assert rules.identify("etl-0a1b2")[0] == "etl"
    assert rules.team_of("etl", "reader") == "red"
    assert rules.derive("drop_table", None, None, None, None) == ("drop_table", "delete", True)


def test_the_digest_follows_what_decides_and_nothing_else() -> None:
    def digest(*overrides: str) -> str:
        return settings_digest(load(None, overrides, {}, "replay"))

    assert digest() == digest()
    assert digest("state_dir=/elsewhere", "api.port=1") == digest()
    assert len({digest(), digest("reference.days=15"), digest("containment.kill=true"), digest("tenant=a")}) == 4
    assert len(digest()) == 32


def test_every_detector_that_exists_has_an_entry() -> None:
    from monitor import plugins

    settings = load(environment={}, purpose="replay")
    assert set(settings.detectors.by_name()) == set(plugins.detectors())
    for name in plugins.detectors():
        off = load(None, [f"detectors.{name}.enabled=false"], {}, "replay")
        assert off.detectors.by_name()[name].enabled is False
        assert settings.detectors.by_name()[name].enabled is True


def test_a_detector_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"detectors\.permission_crep: unknown key \(did you mean detectors\.perm"):
        load(None, ["detectors.permission_crep.enabled=false"], {}, "replay")


def test_the_schema_knows_the_sections_and_refuses_the_rest() -> None:
    told = schema()
    assert set(Settings.model_fields) == set(told["properties"])
    assert told["additionalProperties"] is False
    assert told["$defs"]["Reference"]["properties"]["days"]["default"] == 14
