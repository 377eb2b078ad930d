"""From a real Kafka broker to decisions, beside kafka-python's bare poll loop and a loop written by hand."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from monitor.pipeline import Pipeline
from monitor.sources.kafka import KafkaSettings, KafkaSource
from tests.benchmarks.core import BATCH, Reading
from tests.benchmarks.load import Load
from tests.benchmarks.timing import Costs, no_collection, timed
from tests.kafka_broker import Broker

BARE, OURS = "kafka-python's bare poll loop", "Kafka to decision"
ALONE = "the same without decoding and judging"
BY_HAND = "by hand: for record in consumer, json, dicts, sets"
RIVER = "by hand: the same with river (ADWIN, GaussianScorer)"
PRODUCED_AT_ONCE = 20_000
STALLED_SECONDS = 15


def measure(broker: Broker, load: Load, pipeline: Pipeline, events: int, repeats: int) -> Costs:
    """One topic, several readers in turns, each with a position of its own."""
    # event times are long ago: without a bound of its own the broker would delete them within a minute
    topic = broker.create_topic(f"bench-{uuid.uuid4().hex[:8]}", config={"retention.ms": "-1"}, timestamp_type="CreateTime")
    left = total = events * (repeats + 1)
    while left > 0:
        lines, times = load.lines(min(left, PRODUCED_AT_ONCE))
        broker.produce(topic, lines, times=times)
        left -= len(lines)
    ours, alone = Ours(broker, topic, pipeline), Ours(broker, topic, None)
    clients = {BARE: _client(broker, topic), BY_HAND: _client(broker, topic), RIVER: _client(broker, topic)}
    ways: dict[str, Callable[[int], int]] = {
        BARE: lambda number: _polled(clients[BARE], number),
        OURS: ours.read,
        ALONE: alone.read,
        BY_HAND: lambda number: _iterated(clients[BY_HAND], number, by_hand.take),
        RIVER: lambda number: _iterated(clients[RIVER], number, with_river.take),
    }
    by_hand, with_river = ByHand(), WithRiver()
    costs, got = Costs(), Counter[str]()
    with no_collection():
        for number in range(1, repeats + 2):
            for name, way in ways.items():
                # a client may have read beyond the last round already
                spent, count = timed(partial(way, total * number // (repeats + 1) - got[name]))
                got[name] += count
                if number > 1:
                    costs.note(name, spent, count)
    ours.source.stop()
    alone.source.stop()
    for client in clients.values():
        client.close()
    return costs


class Ours:
    """The daemon's own source, format and pipeline."""

    def __init__(self, broker: Broker, topic: str, pipeline: Pipeline | None) -> None:
        settings = KafkaSettings(
            topics=(topic,), bootstrap_servers=(broker.bootstrap,), group=uuid.uuid4().hex, trust_time=True, attested=True
        )
        self.source, self.reading = KafkaSource(settings), Reading(pipeline) if pipeline else None
        self.source.start({})

    def read(self, events: int) -> int:
        """At least so many events; how many there were."""
        count = 0
        while count < events:
            for raw in self.source.poll(1.0):
                if self.reading:
                    self.reading.judge(raw)
                count += len(raw.values)
        return count


def _client(broker: Broker, topic: str) -> Any:
    client = KafkaConsumer(bootstrap_servers=broker.bootstrap, fetch_min_bytes=65_536, fetch_max_wait_ms=25,
                           max_poll_records=BATCH, auto_offset_reset="earliest",
                           consumer_timeout_ms=STALLED_SECONDS * 1000)
    client.assign([TopicPartition(topic, 0)])
    return client


def _iterated(client: Any, events: int, take: Callable[[bytes], None]) -> int:
    """The loop of the client's own documentation."""
    for count, record in enumerate(client, 1):
        take(record.value)
        if count >= events:
            return count
    raise RuntimeError("the client ended by itself")


def _polled(client: Any, events: int) -> int:
    count = 0
    while count < events:
        found = client.poll(timeout_ms=STALLED_SECONDS * 1000)
        if not found:
            raise RuntimeError(f"nothing came for {STALLED_SECONDS} s, {events - count} events before the end")
        for records in found.values():
            count += len(records)
    return count


class ByHand:
    """What one writes in an afternoon: for each agent what it has met, and actions by the minute."""

    def __init__(self) -> None:
        self.agents: dict[str, Any] = {}
        self.alerts = 0

    def take(self, value: bytes) -> None:
        """Judge one record."""
        event = json.loads(value)
        known = self.agents.get(event["agent"])
        if known is None:
            known = self.agents[event["agent"]] = self.known()
        for part, met in (("scope", known["scopes"]), ("target", known["targets"])):
            if event[part] not in met:
                met.add(event[part])
                self.alerts += 1
        minute = event["time"] // 60
        if minute != known["minute"]:
            known["before"], known["minute"], known["count"] = known["count"], minute, 0
        known["count"] += 1
        self.alerts += known["count"] == 10 * known["before"] + 10
        self.judge(event, known)

    def known(self) -> dict[str, Any]:
        """What is kept for an agent."""
        return {"scopes": set(), "targets": set(), "minute": 0, "count": 0, "before": 0}

    def judge(self, event: dict[str, Any], known: dict[str, Any]) -> None:
        """More, if there is more."""


class WithRiver(ByHand):
    """With the detectors that river offers for one stream: a change in the pace, an odd amount."""

    def __init__(self) -> None:
        super().__init__()
        from river import anomaly, drift  # its import costs three seconds

        self._pace: Any = drift.ADWIN
        self._odd: Any = anomaly.GaussianScorer

    def known(self) -> dict[str, Any]:
        """With two models more."""
        return {**super().known(), "pace": self._pace(), "odd": self._odd(), "last": 0.0}

    def judge(self, event: dict[str, Any], known: dict[str, Any]) -> None:
        """Ask and teach both models."""
        pace, odd = known["pace"], known["odd"]
        pace.update(event["time"] - known["last"])
        known["last"] = event["time"]
        self.alerts += pace.drift_detected
        self.alerts += odd.score_one(None, event["amount"]) > 0.9999
        odd.learn_one(None, event["amount"])
