"""Kafka away, a full disk, records that are gone: said at once, nothing lost, resumed without anybody's help."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.demo import stories
from tests.chaos.lives import Line, Lives, Written
from tests.chaos.scenes import at, copied, scratch, write_log
from tests.kafka_broker import Broker

pytestmark = pytest.mark.chaos


@pytest.fixture(scope="module")
def lives() -> Iterator[Lives]:
    with Lives() as found:
        yield found


@pytest.fixture
def folder() -> Iterator[Path]:
    with scratch() as found:
        yield found


def of(written: Written, entity: str) -> list[Line]:
    return [line for line in written.lines("alert") if line["entity"] == entity]


def said(written: Written, entity: str) -> list[tuple[str, str, str]]:
    return [(line["agent"], line["why"], line["state"]) for line in of(written, entity)]


def event(number: int, **more: Any) -> bytes:
    return json.dumps({"id": f"e{number}", "agent": "a", "action": "b", **more}).encode()


def on_kafka(broker: Broker, topic: str, **more: Any) -> dict[str, Any]:
    source = {"type": "kafka", "topics": [topic], "bootstrap_servers": [broker.bootstrap], "session_seconds": 1.0}
    return {"settings": {"sources": {"bus": {**source, "group": uuid.uuid4().hex, **more}}}}


@pytest.mark.kafka
def test_a_broker_that_is_away_pages_once_until_it_is_back(own_kafka: Broker, lives: Lives, folder: Path) -> None:
    name, written = own_kafka.create_topic("away"), Written(folder)
    own_kafka.produce(name, [event(n) for n in range(10)])
    spec = on_kafka(own_kafka, name)
    with lives.life(folder=folder, **spec):
        lives.until(lambda: sum(written.decided().values()) == 10)
        own_kafka.kill()
        lives.until(lambda: said(written, "source") == [("bus", "unreachable", "firing")], what="for the alert")
        time.sleep(2.5)
        own_kafka.start()
        own_kafka.produce(name, [event(n) for n in range(10, 20)])
        lives.until(lambda: sum(written.decided().values()) == 20, what="for the rest")
        lives.until(lambda: len(said(written, "source")) == 2)
        assert said(written, "source")[1] == ("bus", "over", "resolved")
    own_kafka.kill()
    with lives.life(folder=folder, **spec):  # and a daemon that starts before its broker does
        lives.until(lambda: len(said(written, "source")) == 3, what="for the alert")
        own_kafka.start()
        lives.until(lambda: len(said(written, "source")) == 4, what="for its end, with nothing new to read")
        own_kafka.produce(name, [event(n) for n in range(20, 25)])
        lives.until(lambda: sum(written.decided().values()) == 25)


@pytest.mark.kafka
def test_records_that_are_gone_are_a_gap_and_reading_goes_on(
    kafka: Broker, topic: Any, lives: Lives, folder: Path
) -> None:
    name, written = topic(), Written(folder)
    spec = on_kafka(kafka, name)
    kafka.produce(name, [event(n) for n in range(10)])
    with lives.life(folder=folder, **spec):
        lives.until(lambda: sum(written.decided().values()) == 10)
    kafka.produce(name, [event(n) for n in range(10, 40)])
    kafka.delete_records(name, 30)
    with lives.life(folder=folder, **spec):
        lives.until(lambda: sum(written.decided().values()) == 40, what="for the rest")
        assert said(written, "source") == [("bus", "gap", "firing")]
        assert "records 10 to 30" in of(written, "source")[0]["detectors"][0]["reason"]


@pytest.mark.kafka
def test_producer_time_is_said_and_does_not_arm(kafka: Broker, topic: Any, lives: Lives, folder: Path) -> None:
    name, written = topic(config={"retention.ms": "-1"}, timestamp_type="CreateTime"), Written(folder)
    kafka.produce(name, [event(n) for n in range(10)])
    with lives.life(folder=folder, **on_kafka(kafka, name)):
        lives.until(lambda: sum(written.decided().values()) == 10)
        assert said(written, "source") == [("bus", "producer_time", "firing")]


def test_a_full_disk_loses_nothing(lives: Lives, folder: Path) -> None:
    story = stories.named("mass_deletion")
    events = [event for event in story.events() if at(event) > at(next(story.events())) + 12 * 86_400]
    base = folder / "base"
    records = write_log(base, events)
    settings = {
        "sources": {"events": {"type": "ingest", "attested": True, "poll_records_max": 4}},
        "reference": {"days": 3, "ratify": "auto"}, "alerting": {"levels": {"notice": 0.3, "page": 3, "critical": 30}},
    }  # fmt: skip
    spec = {"settings": settings, "follow": True, "pause_seconds": 0.002}
    undisturbed, full = Written(copied(base, folder / "undisturbed")), Written(copied(base, folder / "full"))
    with lives.life(folder=undisturbed.folder, **spec):
        lives.until(lambda: sum(undisturbed.decided().values()) == records)
    with lives.life(folder=full.folder, **spec):
        lives.until(full.alerts, what="for an alert that is open")
        (full.folder / "pages").write_text("1")  # no more than there are
        log = full.folder / "driftd.log"
        lives.until(lambda: "The disk is full." in log.read_text(), what="for the log")
        stands = sum(full.decided().values())
        time.sleep(1.0)
        assert sum(full.decided().values()) < records, "what cannot be written is not decided"
        assert sum(full.decided().values()) - stands <= 64
        (full.folder / "pages").unlink()
        lives.until(lambda: sum(full.decided().values()) == records, what="for the rest")
        storage = [("storage", "unavailable", "firing"), ("storage", "over", "resolved")]
        lives.until(lambda: said(full, "daemon")[:2] == storage, what="for the alert")
    assert len(undisturbed.alerts()) >= 3
    assert undisturbed.steps()
    assert full.alerts() == undisturbed.alerts()
    assert full.steps() == undisturbed.steps()
