"""A real process is stopped by a real daemon, and only when every condition of the switch holds."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from monitor.demo import stories
from monitor.demo.stories.mass_deletion import AGENT
from monitor.hooks._process import file_name, registration
from tests.chaos.lives import ROOT, Line, Lives, Written
from tests.chaos.scenes import DAY, at, copied, finish, post, scratch, tell, write_log

pytestmark = pytest.mark.chaos
STORY = stories.named("mass_deletion")
STRIKE = [event for event in STORY.events() if event["id"].startswith("attack-")][:80]
ROLE = "curator"


def spec(folder: Path, *, attested: bool = True, **containment: Any) -> dict[str, Any]:
    settings = {
        "one_person": True,
        "sources": {"events": {"type": "ingest", "attested": attested}},
        "containment": {
            "mode": "enforce", "kill": True,
            # five agents have a budget of one step
            "thresholds": dict.fromkeys(("throttle", "restrict", "quarantine", "kill"), 1000), **containment,
        },
        "hooks": {"agents": {"type": "exec", "process": {"registry": str(folder / "registry"), "grace_seconds": 0.5}}},
        "api": {"port": 0},
    }  # fmt: skip
    # no writing of its own beside what is decided: the tests lock the database
    return {"settings": settings, "folder": folder, "serve": True, "snapshot_seconds": 3600.0}


class Base:
    """The same history in three states: learnt, ratified by a person, and armed by one."""

    def __init__(self, lives: Lives, folder: Path) -> None:
        self.lives, self.folder = lives, folder
        self.history = [event for event in STORY.everyday() if at(event) < at(STRIKE[0])]
        learnt = folder / "learnt"
        (learnt / "state").mkdir(parents=True)
        (learnt / "state" / "digest.key").write_bytes(bytes(range(32)))
        self.records = write_log(learnt, self.history)
        with self.lives.life(**spec(learnt), follow=True):
            self.lives.until(lambda: sum(Written(learnt).decided().values()) == self.records)
        ratified = copied(learnt, folder / "ratified")
        with self.lives.life(**spec(ratified)):
            tell(lives, ratified, "ratify", role=ROLE)
        armed = copied(ratified, folder / "armed")
        with self.lives.life(**spec(armed)):
            tell(lives, armed, "arm", role=ROLE, accept_unproven=True)

    def copy(self, state: str, name: str) -> Path:
        folder = copied(self.folder / state, self.folder / name)
        (folder / "registry").mkdir(mode=0o700)
        return folder


@pytest.fixture(scope="module")
def base() -> Iterator[Base]:
    with scratch() as folder, Lives() as lives:
        yield Base(lives, folder)


@contextmanager
def agent_process(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is the agent's, registered by pid and start time."""
    with subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"]) as process:
        try:
            (folder / "registry" / file_name("", AGENT)).write_text(registration(process.pid))
            yield process
        finally:
            process.kill()


@contextmanager
def locked(written: Written) -> Iterator[None]:
    """Another process has the database."""
    with closing(sqlite3.connect(written.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield


def strike(base: Base, folder: Path) -> None:
    post(base.lives, folder, STRIKE, at(STRIKE[-1]))


def steps(written: Written) -> list[Line]:
    return [line for line in written.lines("containment") if line["step"] != "release"]


def receipts(written: Written) -> list[tuple[str, str]]:
    found = [json.loads(body) for (body,) in written.rows("SELECT body FROM receipt ORDER BY seq")]
    return [(receipt["step"], receipt["outcome"]) for receipt in found]


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def test_an_armed_role_is_contained_until_a_person_releases_it(base: Base) -> None:
    folder = base.copy("armed", "stopped")
    written = Written(folder)
    with agent_process(folder) as process, base.lives.life(**spec(folder)):
        strike(base, folder)
        base.lives.until(lambda: receipts(written) == [("kill", "confirmed")], what="for the receipt")
        assert process.wait(5) == -15
        (kill,) = steps(written)
        assert (kill["agent"], kill["step"], kill["armed"], kill["unproven"]) == (AGENT, "kill", True, True)
        (receipt,) = [json.loads(body) for (body,) in written.rows("SELECT body FROM input WHERE kind = 'receipt'")]
        assert (receipt["containment"], receipt["outcome"]) == (kill["id"], "confirmed")
        # the evidence is frozen: weeks later the alert still stands
        records = sum(written.decided().values())
        finish(base.lives, written, records, at(STRIKE[-1]) + 40 * DAY)
        assert not [line for line in written.lines("alert") if line["agent"] == AGENT and line["state"] == "resolved"]
        assert not [line for line in written.lines("containment") if line["step"] == "release"]
        tell(base.lives, folder, "uncontain", agent=AGENT)
        base.lives.until(lambda: len(written.lines("containment")) == 2)
        assert written.lines("containment")[1]["executes"] == "release"
        finish(base.lives, written, records, at(STRIKE[-1]) + 100 * DAY)
        (resolved,) = [line for line in written.lines("alert") if line["agent"] == AGENT and line["state"] == "resolved"]
        assert resolved["level"] == "critical"


@pytest.mark.parametrize(
    ("state", "why", "settings"),
    [
        ("armed", "observe_mode", {"mode": "observe"}),
        ("armed", "protected", {"protected": [AGENT]}),
        ("ratified", "not_armed", {}),
        ("learnt", "not_ratified", {}),
        ("armed", "kill_not_opted_in", {"kill": False}),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_done(base: Base, state: str, why: str, settings: dict[str, Any]) -> None:
    folder = base.copy(state, why)
    written = Written(folder)
    with agent_process(folder) as process, base.lives.life(**spec(folder, **settings)):
        strike(base, folder)
        base.lives.until(lambda: steps(written), what="for a step")
        (line,) = steps(written)
        assert (line["step"], line["not_armed_because"]) == ("kill", why)
        assert not has_ended(process)


def test_unattested_evidence_pages_and_never_contains(base: Base) -> None:
    folder = base.folder / "unattested"
    (folder / "state").mkdir(parents=True)
    (folder / "registry").mkdir(mode=0o700)
    records = write_log(folder, base.history)
    written = Written(folder)
    with agent_process(folder) as process, base.lives.life(**spec(folder, attested=False), follow=True):
        base.lives.until(lambda: sum(written.decided().values()) == records)
        strike(base, folder)
        base.lives.until(lambda: steps(written), what="for a step")
        assert steps(written)[0]["not_armed_because"] == "unattested"
        assert any(line["agent"] == AGENT and line["level"] == "critical" for line in written.lines("alert"))
        assert not has_ended(process)


def test_a_locked_database_does_not_keep_an_agent_alive(base: Base) -> None:
    folder = base.copy("armed", "locked")
    written = Written(folder)
    with agent_process(folder) as process, base.lives.life(**spec(folder)):
        base.lives.url(folder)
        base.lives.until(lambda: written.epochs() > 3)
        with locked(written):
            strike(base, folder)
            base.lives.until(lambda: has_ended(process), seconds=20, what="for the process to end")
            base.lives.until(lambda: "keeps the database locked" in (folder / "driftd.log").read_text())
            assert not steps(written)
        base.lives.until(lambda: receipts(written) == [("kill", "confirmed")], what="for the receipt")
        assert [line["executes"] for line in steps(written)] == ["kill"]
        said = ["firing", "resolved"]
        base.lives.until(lambda: [a["state"] for a in written.lines("alert") if a["agent"] == "storage"] == said)


def test_a_kill_between_act_and_decision_loses_neither(base: Base) -> None:
    folder = base.copy("armed", "between")
    written = Written(folder)
    with agent_process(folder) as process:
        life = base.lives.start(**spec(folder))
        base.lives.url(folder)
        base.lives.until(lambda: written.epochs() > 3)
        with locked(written):
            strike(base, folder)
            base.lives.until(lambda: has_ended(process), seconds=20, what="for the process to end")
            base.lives.kill(life)
        assert not steps(written)
        with base.lives.life(**spec(folder)):
            base.lives.until(lambda: receipts(written) == [("kill", "confirmed")], what="for the receipt")
            (kill,) = steps(written)
            assert kill["executes"] == "kill"
            assert any(a["agent"] == AGENT and a["level"] == "critical" for a in written.lines("alert"))


def test_what_ends_with_an_alert_leaves_the_rest_in_force(base: Base) -> None:
    folder = base.copy("armed", "several")
    written = Written(folder)
    told = [sys.executable, str(ROOT / "tests/chaos/counting_hook.py"), str(folder / "acts")]
    given = spec(folder, kill=False, thresholds={"throttle": 10, "restrict": 1000, "quarantine": 1000, "kill": 1000})
    given["settings"]["hooks"] = {"count": {
        "type": "exec", "steps": ["throttle", "restrict", "quarantine"], "apply": told, "verify": told, "undo": told,
        "exclusive": True,
    }}  # fmt: skip
    with base.lives.life(**given):
        strike(base, folder)
        base.lives.until(lambda: receipts(written) == [("throttle", "confirmed"), ("quarantine", "confirmed")])
        tell(base.lives, folder, "resolve", alert=steps(written)[0]["alert"])
        base.lives.until(lambda: ("release", "undone") in receipts(written), what="for the end of the throttle")
    acts = [line.split()[:2] for line in (folder / "acts").read_text().splitlines()]
    assert acts == [["apply", "throttle"], ["apply", "quarantine"], ["undo", "throttle"]]


def test_the_brake_works_with_the_database_locked(base: Base) -> None:
    folder = base.copy("armed", "braked")
    written = Written(folder)
    with agent_process(folder) as process, base.lives.life(**spec(folder)):
        base.lives.url(folder)
        base.lives.until(lambda: written.epochs() > 3)
        with locked(written):
            driftd("disarm", "--state-dir", folder / "state", "--by", "ann", "--reason", "too eager")
            strike(base, folder)
            time.sleep(1.5)
            assert not has_ended(process)
        base.lives.until(lambda: receipts(written) or any(s["not_armed_because"] == "disarmed" for s in steps(written)))
        base.lives.until(lambda: _disarmed(written) == ["ann"], what="for the audit")
        assert not has_ended(process)
        assert receipts(written) in ([], [("kill", "skipped")])


def _disarmed(written: Written) -> list[str]:
    told = [json.loads(body) for (body,) in written.rows("SELECT body FROM input WHERE kind = 'directive'")]
    return [one["directive"]["by"] for one in told if one["directive"]["directive"] == "disarm"]


def driftd(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "monitor", *map(str, arguments)], cwd=ROOT, check=True, capture_output=True)
