"""The command line as a process: quick, lazy, with documented exit codes, and without tracebacks."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from detectors.core.inputs import AnyDirective
from monitor.cli import exits, main
from monitor.cli.app import MODULES
from monitor.cli.directives import COMMANDS

DRIFTD = Path(sys.executable).with_name("driftd")


def driftd(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DRIFTD, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "COLUMNS": "120", **environment},
    )


def test_version_costs_less_than_a_third_of_a_second() -> None:
    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    costs = []
    for _ in range(3):
        before = spent()
        assert driftd("version").stdout.startswith("driftd 0.")
        costs.append(spent() - before)
    assert min(costs) < 0.33


def test_version_for_programs() -> None:
    assert set(json.loads(driftd("version", "--json").stdout)) == {"driftd", "python"}


@pytest.mark.parametrize("module", ["monitor.cli.run", "monitor.cli.replay", "monitor.config"])
def test_no_driver_is_imported_before_it_is_needed(module: str) -> None:
    asked = f"import sys, monitor.cli.app, {module}; print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.split())
    assert loaded.isdisjoint({"litestar", "uvicorn", "sqlalchemy", "kafka", "httpx", "prometheus_client"})


def test_help_lists_every_command_and_the_exit_codes() -> None:
    told = driftd("--help")
    tags = [str(directive.__struct_config__.tag) for directive in get_args(AnyDirective)]
    for command in {*MODULES, *(COMMANDS.get(tag, tag) for tag in tags)}:
        assert command in told.stdout
    assert "3 an input cannot be read" in " ".join(told.stdout.split())
    assert told.returncode == exits.OK


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nonsense"], exits.USAGE, "No such command 'nonsense'"),
        (["replay"], exits.USAGE, "Missing"),
        (["replay", "none.jsonl", "--findings", "/tmp/none"], exits.UNREADABLE, "none.jsonl: no such file"),
        (["replay", "-", "--format", "xml", "--findings", "-"], exits.USAGE, "no format 'xml'; there are: native"),
        (["replay", __file__, "--directives", __file__, "--findings", "-"], exits.UNREADABLE, "test_app.py:1: "),
        (["replay", "/", "--findings", "-"], exits.UNREADABLE, "/ cannot be read"),
        (["replay", "-", "-", "--findings", "-"], exits.USAGE, "read once only"),
        (["config", "check", "--set", "reference.dais=3"], exits.USAGE, "did you mean reference.days?"),
        (["config", "check", "--config", "none.yaml"], exits.USAGE, "none.yaml: No such file"),
        (["agents", "--url", "http://127.0.0.1:9"], exits.UNREACHABLE, "is `driftd run` up"),
        (["alerts", "--token-file", "none", "--url", "http://127.0.0.1:9"], exits.UNREADABLE, "none"),
        (["accept", "a", "--url", "http://127.0.0.1:9"], exits.USAGE, "say which: --scope, --target, --action"),
        (["contain", "a", "stun"], exits.USAGE, "'stun' is not one of"),
        (["announce", "r", "--digests", "x", "--url", "http://127.0.0.1:9"], exits.USAGE, "NAME=VALUE"),
        (["silence", "tomorrow", "--url", "http://127.0.0.1:9"], exits.USAGE, "no span of time"),
        (["release", "--all"], exits.USAGE, "--all and --since go together"),
        (["release"], exits.USAGE, "name an agent, or --since 10m --all"),
        (["release", "a", "--since", "10m", "--all"], exits.USAGE, "name an agent, or --since 10m --all"),
    ],
)
def test_failures_have_their_exit_code_and_one_plain_sentence(
    arguments: list[str], code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", ["driftd", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr().err
    assert left.value.code == code, said
    assert told in " ".join(said.replace("│", " ").split())


def test_a_failure_is_no_traceback() -> None:
    done = driftd("replay", "none.jsonl", "--findings", "-")
    assert done.returncode == exits.UNREADABLE
    assert done.stderr == "driftd: none.jsonl: no such file\n"


def test_no_color_is_honoured() -> None:
    coloured = driftd("config", "check", "--set", "x=1", FORCE_COLOR="1").stderr
    plain = driftd("config", "check", "--set", "x=1", FORCE_COLOR="1", NO_COLOR="1").stderr
    assert "\x1b[31m" in coloured or "\x1b[1;31m" in coloured
    assert "31m" not in plain


def test_settings_are_shown_with_their_origin(tmp_path: Path) -> None:
    path = tmp_path / "driftd.yaml"
    path.write_text("reference: {days: 21}\n")
    told = json.loads(driftd("config", "show", "--origin", "--json", "--config", path, DRIFTD__TENANT="a").stdout)
    assert told["reference.days"] == {"value": 21, "origin": f"{path}:1"}
    assert told["tenant"] == {"value": "a", "origin": "DRIFTD__TENANT"}
    assert told["alerting.levels.page"] == {"value": 100, "origin": "default"}


def test_what_is_shown_can_be_read_back(tmp_path: Path) -> None:
    shown = tmp_path / "shown.yaml"
    shown.write_text(driftd("config", "show", "--set", "reference.days=21").stdout)
    assert driftd("config", "show", "--config", shown).stdout == shown.read_text()


def test_the_schema_is_json() -> None:
    assert json.loads(driftd("config", "schema").stdout)["properties"]["containment"]


def test_a_foreign_package_of_our_name_is_said(tmp_path: Path) -> None:
    (tmp_path / "detectors").mkdir()
    (tmp_path / "detectors" / "__init__.py").write_text("import torch\n")
    done = driftd("version", PYTHONPATH=str(tmp_path))
    assert done.returncode == exits.FAILED
    assert "install driftd in an environment of its own" in done.stderr
