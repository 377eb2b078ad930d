"""`driftd learn`: a daemon that starts afterwards knows its agents, and nobody was told of anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from detectors.core.event import Event
from monitor.assembly import fleet_of, pipeline_of
from monitor.cli import exits
from monitor.clock import SystemClock
from monitor.config import Settings, load, settings_digest
from monitor.daemon.stream import Stream
from monitor.daemon.wiring import digest_key
from monitor.formats.native import Native
from monitor.learn import learn
from monitor.sources.base import Partition
from monitor.storage.decision import Decision, Position
from monitor.storage.errors import StorageError
from monitor.storage.store import Store
from tests.support.streams import AGENT, DAY, HOUR, event, every, ordered

DRIFTD = Path(sys.executable).with_name("driftd")
CREEP = [event(3 * DAY + i * 4 * HOUR + 60, "act", scope=f"new{i}", privileged=True) for i in range(4)]
HISTORY = ordered(every(HOUR, 0, 5 * DAY), every(HOUR, 4 * DAY, 5 * DAY, agent="crm/new"))


def written(path: Path, events: list[Event]) -> Path:
    path.write_bytes(b"".join(msgspec.json.encode({k: v for k, v in msgspec.to_builtins(e).items() if v not in (None, [])})
                              + b"\n" for e in events))
    return path


def settings_in(tmp_path: Path) -> Settings:
    return load(overrides=["reference.days=2", f"state_dir={tmp_path / 'state'}"], environment={})


def store_of(settings: Settings) -> Store:
    return Store.open(f"sqlite:///{settings.state_dir / 'driftd.sqlite'}", SystemClock())


def begun(settings: Settings, store: Store) -> Stream:
    """A partition that the daemon begins to read."""
    key, fleet = digest_key(settings.state_dir), fleet_of(settings)
    return Stream(Partition("ingest", 0), store, Native(),
                  lambda given: pipeline_of(settings, "ingest", attested=True, key=key, fleet=given), fleet,
                  clock=SystemClock(), owner="test", program="test", settings=settings_digest(settings))


def test_a_new_partition_begins_with_what_was_learnt(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert learn([written(tmp_path / "history.jsonl", HISTORY)], settings) == 1
    store = store_of(settings)
    state = begun(settings, store).pipeline.engine.state
    store.close()
    row = state.agents[AGENT]
    assert state.common.frozen_at[row] > 0
    assert state.common.n[row] == 5 * 24
    assert state.agents["crm/new"] > 0
    assert state.common.frozen_at[state.agents["crm/new"]] == 0
    assert state.seen.has(int(state.common.identity[row]), state.scopes["tickets.read"])


def test_nobody_is_notified_and_no_alert_is_left_open(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    learn([written(tmp_path / "history.jsonl", ordered(HISTORY, CREEP))], settings)
    store = store_of(settings)
    state = begun(settings, store).pipeline.engine.state
    assert store.queries.findings() == []
    assert store.outbox.pending_count() == 0
    store.close()
    row = state.agents[AGENT]
    assert (state.common.level[row], state.value[row].tolist()) == (0, [0.0] * state.value.shape[1])
    assert not state.common.alert[row].any()
    assert not state.counts


def test_learning_again_replaces_what_was_learnt(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    learn([written(tmp_path / "one.jsonl", HISTORY)], settings)
    assert learn([written(tmp_path / "two.jsonl", every(HOUR, 0, 3 * DAY, agent="erp/x"))], settings) == 1
    store = store_of(settings)
    agents = begun(settings, store).pipeline.engine.state.agents
    store.close()
    assert set(agents) == {"erp/x"}


def test_history_after_the_first_run_is_refused(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    history = written(tmp_path / "history.jsonl", HISTORY)
    learn([history], settings)
    store = store_of(settings)
    claim = store.claim(Partition("ingest", 0), "test")
    store.commit(claim, Decision(position_after=Position(1)))
    store.close()
    with pytest.raises(StorageError, match="would not be used"):
        learn([history], settings)


def test_the_command_says_how_many(tmp_path: Path) -> None:
    history = written(tmp_path / "history.jsonl", HISTORY)
    ran = subprocess.run([DRIFTD, "learn", history, "--set", "reference.days=2", "--set", f"state_dir={tmp_path / 's'}"],
                         capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stdout.startswith("1 agents have a baseline")) == (exits.OK, True), ran.stderr
