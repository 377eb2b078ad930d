import io
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from monitor.demo import stage as staging
from monitor.demo.closing import closing
from monitor.demo.stage import stage, state_folder
from monitor.demo.toy_agent import furnish
from monitor.demo.virtual_clock import VirtualClock

ROOT = Path(__file__).parents[3]
#: beside some fifteen seconds of waiting this is a minute on a machine that does nothing else
CPU_SECONDS_MAX = 40


@pytest.mark.slow
def test_the_whole_demo() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "demo"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "COLUMNS": "100"}, timeout=110,
    )  # fmt: skip
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    said = done.stdout
    stopped = re.search(r"Process (\d+) was stopped after (\d+) of 300 deletions: (\d+) deletions were prevented", said)
    assert stopped, said
    pid, deleted, prevented = map(int, stopped.groups())
    assert deleted + prevented == 300
    assert prevented > 150
    assert not Path(f"/proc/{pid}").exists()
    assert said.count("one cause, version courier 2.4.0") == 1
    for agent, detector in (
        ("curator/ada", "blast_radius"), ("ops/comet", "permission_creep"), ("research/quinn", "target_novelty")
    ):  # fmt: skip
        assert re.search(rf"{agent}, (page|critical), .* agent-months per false alarm\n  \d+% {detector}: ", said), agent
    assert not re.search(r"^courier/", said, re.MULTILINE)
    assert len(re.findall(r"^  \S*driftd ", said, re.MULTILINE)) == 3
    assert spent.ru_utime + spent.ru_stime - before.ru_utime - before.ru_stime < CPU_SECONDS_MAX


def test_a_toy_agent_that_nobody_stopped_is_said_to_have_gone_on(tmp_path: Path) -> None:
    database, registry = tmp_path / "catalogue.db", tmp_path / "registry"
    registry.mkdir()
    furnish(database)
    console = Console(file=io.StringIO(), width=100)
    with stage(tmp_path, registry) as scene:
        closing(console, scene, database, 1.0)
    assert isinstance(console.file, io.StringIO)
    assert "The toy agent was not stopped; 300 of 300 rows are left." in console.file.getvalue()


def test_a_role_is_armed_only_after_it_was_ratified() -> None:
    told = staging.told()
    curators = [type(directive).__name__ for directive in told if getattr(directive, "role", "") == "curator"]
    assert curators == ["Ratify", "Arm"]
    assert [type(d).__name__ for d in told if getattr(d, "role", "") == "booking"] == ["Ratify", "Release"]


def test_no_deletion_of_the_story_is_played() -> None:
    played = [event for event in staging.events() if event["id"].startswith("attack-")]
    assert played
    assert {event["agent"] for event in played if event["action"] == "catalogue.row.delete"} == set()


def test_the_state_is_gone_afterwards() -> None:
    with state_folder() as folder:
        (folder / "state").mkdir()
        assert oct(folder.stat().st_mode & 0o777) == "0o700"
    assert not folder.exists()


def test_the_virtual_clock_stands_still_until_it_runs() -> None:
    clock = VirtualClock(1000.0)
    clock.set(2000.0)
    clock.set(1500.0)
    assert clock.time() == clock.time() == 2000.0
    clock.run()
    before = clock.time()
    clock.sleep(0.01)
    assert 2000.01 <= before + 0.01 <= clock.time() < 2001.0
