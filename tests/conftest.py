"""Fixtures that more than one part of the tests asks for."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.kafka_broker import Broker, KafkaAbsent


def pytest_configure(config: pytest.Config) -> None:
    for mark in (
        "kafka: needs a real Apache Kafka broker (Java and Maven, or DRIFTD_TEST_KAFKA=host:port)",
        "slow: takes more than ten seconds",
        "chaos: kills processes at random instants",
        "campaign: the same for long (DRIFTD_KILLS=100 pytest -m campaign); not in the default run",
    ):
        config.addinivalue_line("markers", mark)


def started(broker: Broker) -> Broker:
    """Start it; where Kafka cannot be had the test is skipped, unless the environment says that it must be there."""
    try:
        return broker.start()
    except KafkaAbsent as absent:
        if os.environ.get("CI") == "true" or os.environ.get("DRIFTD_REQUIRE_KAFKA") == "1":
            raise
        pytest.skip(f"no Kafka here: {absent}")


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """One real broker for the whole session."""
    broker = started(Broker(os.environ.get("DRIFTD_TEST_KAFKA")))
    yield broker
    broker.stop()


@pytest.fixture
def own_kafka() -> Iterator[Broker]:
    """A broker of the test's own, to be killed."""
    broker = started(Broker())
    yield broker
    broker.stop()


@pytest.fixture
def topic(kafka: Broker) -> Callable[..., str]:
    """Makes fresh topics: `topic(partitions=1, config={}, timestamp_type="LogAppendTime")` gives the name."""

    def fresh(partitions: int = 1, config: dict[str, str] | None = None, timestamp_type: str = "LogAppendTime") -> str:
        return kafka.create_topic(f"test-{uuid.uuid4().hex[:12]}", partitions, config, timestamp_type)

    return fresh
