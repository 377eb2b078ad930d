"""On a real Kafka broker: the daemon killed at ten random points and the broker twice, with nothing lost or doubled."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.lives import ROOT, Line, Lives, Written
from tests.chaos.scenes import DAY, SECRET, at, copied, killed, run_to, scratch, story_events, tell, verified
from tests.kafka_broker import Broker
from tests.monitor.sinks.receiver import Receiver

pytestmark = [pytest.mark.kafka, pytest.mark.chaos]
#: to the third Sunday everything is learnt; then a person ratifies and arms
LEARNT_DAYS = 14.98
TOPIC = "agents"


def spec(broker: Broker, folder: Path, receiver: Receiver, **more: Any) -> dict[str, Any]:
    hook = [sys.executable, str(ROOT / "tests/chaos/counting_hook.py"), str(folder / "acts")]
    settings: dict[str, Any] = {
        "one_person": True,
        "sources": {"bus": {
            "type": "kafka", "topics": [TOPIC], "bootstrap_servers": [broker.bootstrap], "attested": True,
            "trust_time": True, "session_seconds": 1.0, "poll_records_max": 2,
        }},
        "sinks": {"pager": {"type": "webhook", "url": receiver.url, "secret": SECRET}},
        # straight to the end of the ladder: five agents have a budget of one step
        "containment": {"mode": "enforce", "kill": True,
                        "thresholds": dict.fromkeys(("throttle", "restrict", "quarantine", "kill"), 1000)},
        "hooks": {"count": {"type": "exec", "apply": hook, "verify": hook, "exclusive": True}},
        "alerting": {"levels": {"notice": 0.3, "page": 3, "critical": 100}},
        "api": {"port": 0},
    }  # fmt: skip
    return {"settings": settings, "follow": True, "pause_seconds": 0.01, **more}


def produce(broker: Broker, events: list[Line]) -> int:
    """Two lines a record; its time is that of the later one. Returns the end of the log."""
    pairs = [events[i : i + 2] for i in range(0, len(events), 2)]
    values = ["\n".join(json.dumps(event) for event in pair).encode() for pair in pairs]
    return broker.produce(TOPIC, values, times=[at(pair[-1]) for pair in pairs])[-1] + 1


class Base:
    """A topic whose records' times are the stories', and what an undisturbed run says of it."""

    def __init__(self, lives: Lives, broker: Broker, folder: Path, receiver: Receiver) -> None:
        self.lives, self.broker, self.folder = lives, broker, folder
        broker.create_topic(TOPIC, config={"retention.ms": "-1"}, timestamp_type="CreateTime")
        events = story_events("mass_deletion", "injected_exfiltration")
        split = at(events[0]) + LEARNT_DAYS * DAY
        self.after = at(events[-1]) + DAY
        self._learn(produce(broker, [event for event in events if at(event) < split]), receiver)
        self.end = produce(broker, [event for event in events if at(event) >= split])
        self.undisturbed, self.messages = self.run("undisturbed")

    def _learn(self, end: int, receiver: Receiver) -> None:
        written = Written(self.folder / "base")
        (written.folder / "state").mkdir(parents=True)
        (written.folder / "state" / "digest.key").write_bytes(bytes(range(32)))
        given = spec(self.broker, written.folder, receiver, serve=True)
        given["settings"]["sources"]["bus"]["poll_records_max"] = 500
        with self.lives.life(folder=written.folder, **given):
            self.lives.until(lambda: sum(written.decided().values()) >= end, what="for the reference")
            tell(self.lives, written.folder, "ratify", role="curator")
            tell(self.lives, written.folder, "arm", role="curator", accept_unproven=True)

    def run(self, name: str, kills: int = 0) -> tuple[Written, dict[str, Line]]:
        written = Written(copied(self.folder / "base", self.folder / name))
        with Receiver() as receiver:
            given = spec(self.broker, written.folder, receiver, receipts_after=self.end)
            if kills:
                places = killed(self.lives, written, kills, self.end, 7, meanwhile=self._kill_broker, **given)
                assert places > kills // 2
            run_to(self.lives, written, self.end, self.after, **given)
            return written, verified(receiver)

    def _kill_broker(self, life: int) -> None:
        if life in (2, 6):
            self.broker.kill()
            time.sleep(0.5)
            self.broker.start()


def acts(written: Written) -> list[str]:
    return (written.folder / "acts").read_text().splitlines()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    from tests.conftest import started

    broker = started(Broker())
    try:
        with scratch() as folder, Lives() as lives, Receiver() as receiver:
            yield Base(lives, broker, folder, receiver)
    finally:
        broker.stop()


def test_a_story_on_kafka_pages_and_contains(base: Base) -> None:
    alerts = base.undisturbed.lines("alert")
    assert any(a["agent"] == "curator/ada" and a["level"] == "critical" for a in alerts)
    steps = base.undisturbed.lines("containment")
    (kill,) = [line for line in steps if line["executes"] == "kill"]
    assert kill["agent"] == "curator/ada"
    assert kill["armed"]
    assert acts(base.undisturbed) == [f"apply kill {kill['id']}"]
    paged = {line["id"] for line in base.messages.values()}
    assert {a["id"] for a in alerts if a["entity"] == "agent"} <= paged


def test_ten_kills_of_the_daemon_and_two_of_the_broker_change_nothing(base: Base) -> None:
    written, messages = base.run("killed", kills=10)
    assert written.alerts() == base.undisturbed.alerts()
    assert written.steps() == base.undisturbed.steps()
    assert acts(written) == acts(base.undisturbed)
    assert of_agents(messages.values()) == of_agents(base.messages.values())
    assert outcomes(written) == outcomes(base.undisturbed) == ["confirmed"]
    assert "mismatch" not in {line["why"] for line in written.lines("alert")}


def of_agents(lines: Iterable[Line]) -> list[Line]:
    found = [line for line in lines if line["kind"] == "alert" and line["entity"] == "agent"]
    return sorted(found, key=lambda line: (line["id"], line["time"], line["state"]))


def outcomes(written: Written) -> list[str]:
    return [json.loads(body)["outcome"] for (body,) in written.rows("SELECT body FROM receipt ORDER BY seq")]
