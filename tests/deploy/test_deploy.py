"""What is shipped for running driftd: settings that load, a hardened unit, a container that follows the rules."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from monitor.config import load

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
#: of `systemd-analyze security`, in tenths: 0 is shut, 100 is open
EXPOSURE_MAX = 20


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists, which is all that differs."""
    text = (DEPLOY / "driftd.service").read_text()
    assert text.count("ExecStart=/opt/driftd/bin/driftd run ") == 1
    path = tmp_path / "driftd.service"
    path.write_text(text.replace("ExecStart=/opt/driftd/bin/driftd run ", f"ExecStart={shutil.which('true')} "))
    return path


def analyze(*asked: str | Path) -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        if os.environ.get("DRIFTD_REQUIRE_SYSTEMD") == "1":
            pytest.fail("systemd-analyze is needed here")
        pytest.skip("no systemd-analyze here")
    told = subprocess.run([program, *asked], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout + told.stderr


def test_the_example_settings_load(tmp_path: Path) -> None:
    text = (DEPLOY / "driftd.yaml").read_text()
    (tmp_path / "webhook-secret").write_bytes(base64.b64encode(bytes(range(32))) + b"\n")
    path = tmp_path / "driftd.yaml"
    path.write_text(text.replace("/etc/driftd/", f"{tmp_path}/").replace("# tokens_file", "tokens_file"))
    settings = load(path, environment={})
    assert settings.containment.mode == "observe"
    assert set(settings.sources.by_name()) == {"kafka", "ingest"}
    assert set(settings.sinks.by_name()) == {"pager", "log"}
    assert settings.api.tokens_file == tmp_path / "tokens.yaml"


def test_the_unit_is_valid(unit: Path) -> None:
    assert analyze("verify", unit).strip() == ""


def test_the_unit_is_hardened(unit: Path) -> None:
    told = analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}", unit)
    level = re.search(r"Overall exposure level for driftd\.service: ([\d.]+)", told)
    assert level is not None
    assert float(level[1]) * 10 <= EXPOSURE_MAX


def stages() -> list[list[str]]:
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Containerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("FROM ")]
    return [lines[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


def test_the_container_builds_apart_and_runs_as_nobody() -> None:
    build, final = stages()
    assert build[0] == "FROM python:3.11-slim AS build"
    assert final[0] == "FROM python:3.11-slim"
    assert "USER 65532:65532" in final
    after_user = final[final.index("USER 65532:65532") + 1 :]
    assert not any(line.startswith(("RUN", "COPY", "ADD")) for line in after_user)
    assert any(line.startswith("HEALTHCHECK ") and "/healthz" in line for line in final)
    assert any("pip uninstall" in line for line in final)


def test_all_that_the_container_installs_is_checked_by_hash() -> None:
    installs = [part for line in stages()[0] for part in line.removeprefix("RUN ").split(" && ") if " install " in part]
    fetched = [part for part in installs if "pip install" in part and "--no-deps" not in part]
    assert len(fetched) == 2
    assert all("--require-hashes" in part for part in fetched)


def test_what_the_container_copies_is_there() -> None:
    for line in (line for stage in stages() for line in stage if line.startswith("COPY ") and "--from" not in line):
        for name in line.split()[1:-1]:
            assert (ROOT / name).exists(), line


def test_the_container_and_the_unit_start_what_exists() -> None:
    from typer.testing import CliRunner

    from monitor.cli.app import app

    told = CliRunner().invoke(app, ["run", "--help"])
    assert told.exit_code == 0
    assert "--config" in re.sub(r"\x1b\[[0-9;]*m", "", told.output)
    assert '["run", "--config", "/etc/driftd/driftd.yaml"]' in (DEPLOY / "Containerfile").read_text()
