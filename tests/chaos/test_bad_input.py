"""Every class of bad record through the whole daemon, over HTTP and Kafka: what was declared happens, and only that."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from detectors.core.event import BYTES_MAX
from tests.chaos.lives import Lives, Written
from tests.chaos.scenes import scratch
from tests.chaos.story_clock import StoryClock
from tests.core.test_event import BAD, FINE
from tests.kafka_broker import Broker

pytestmark = pytest.mark.chaos
NOW = 1_767_225_600.0
#: an empty line is nothing, not a bad record
CLASSES = [(reason, content) for reason, content in BAD if content.strip()]


def good(number: int, **more: Any) -> bytes:
    """A neighbour, each of an agent of its own name and id."""
    return json.dumps({"id": f"good-{number}", "agent": f"neighbour/{number % 7}", "action": "b", **more}).encode()


@pytest.fixture(scope="module")
def lives() -> Iterator[Lives]:
    with Lives() as found:
        yield found


@pytest.fixture
def folder() -> Iterator[Path]:
    with scratch() as found:
        StoryClock(found / "clock").set(NOW)
        yield found


def counted(url: str, name: str) -> float:
    """A metric, summed over its labels."""
    text = httpx.get(f"{url}/metrics", trust_env=False).text
    return sum(float(value) for value in re.findall(rf"^{name}_total(?:{{.*}})? (\S+)$", text, re.MULTILINE))


def dead(written: Written) -> dict[int, str]:
    """Reasons by offset."""
    rows = written.rows('SELECT "offset", reason FROM dead_letter ORDER BY "offset"')
    assert len(rows) == len({offset for offset, _ in rows})
    return dict(rows)


@pytest.mark.kafka
def test_every_class_over_kafka(kafka: Broker, topic: Any, lives: Lives, folder: Path) -> None:
    name = topic()
    values, expected = [good(0)], {}
    for number, (reason, content) in enumerate(CLASSES, 1):
        expected[len(values)] = reason
        values += [content, good(number)]
    # the same event again, the same id for another event, and a time far off beside the append time
    last = len(CLASSES)
    values += [good(last), good(last - 1, action="other"), good(last + 1, time=99_999_999_999)]
    end = kafka.produce(name, values)[-1] + 1
    source = {"type": "kafka", "topics": [name], "bootstrap_servers": [kafka.bootstrap], "group": uuid.uuid4().hex}
    written = Written(folder)
    with lives.life(folder=folder, serve=True, settings={"api": {"port": 0}, "sources": {"bus": source}}):
        url = lives.url(folder)
        lives.until(lambda: sum(written.decided().values()) == end, what="for the end: the partition is stuck")
        assert counted(url, "driftd_dead_letters") == len(CLASSES)
        assert counted(url, "driftd_events_judged") == len(CLASSES) + 3, "the neighbours"
        assert counted(url, "driftd_duplicates") == 1
        assert counted(url, "driftd_id_reuse") == 1
        assert counted(url, "driftd_times_clipped") == 1
    assert dead(written) == expected


def test_every_class_over_http(lives: Lives, folder: Path) -> None:
    """What is no object with an id is refused at once, with its line; the rest is a dead letter with its reason."""
    written, expected, offset = Written(folder), {}, 0
    refused = 0
    with lives.life(folder=folder, serve=True, settings={"api": {"port": 0}}):
        url = lives.url(folder)
        with httpx.Client(base_url=url, trust_env=False, headers={"content-type": "application/x-ndjson"}) as client:
            for number, (reason, content) in enumerate(dict(CLASSES).items()):
                named = content.replace(b'{"agent"', b'{"id":"bad","agent"', 1)
                answer = client.post("/v1/events", content=good(number) + b"\n" + named)
                if answer.status_code == 202:
                    expected[offset + 1] = reason
                    offset += 2
                else:
                    refused += 1
                    assert answer.status_code in (400, 413), (reason, answer.text)
                    assert answer.json().get("line", 2) == 2
            fine = [content.replace(b'{"agent"', b'{"id":"f%d","agent"' % n, 1) for n, (content, _) in enumerate(FINE)]
            fine = [content for content in fine if content.count(b'"id"') == 1 and len(content) <= BYTES_MAX]
            assert client.post("/v1/events", content=b"\n".join(fine)).status_code == 202
        end = offset + len(fine)
        lives.until(lambda: sum(written.decided().values()) == end, what="for the end: the partition is stuck")
        assert counted(url, "driftd_dead_letters") == len(expected)
    found = dead(written)
    assert {at: reason.partition(":")[0] for at, reason in found.items()} == {
        at: reason.partition(":")[0] for at, reason in expected.items()}
    assert refused < len(expected)
    agents = {row[0] for row in written.rows("SELECT DISTINCT agent FROM dead_letter")}
    assert "a" in agents, "a dead letter is charged to the agent that it claims to be from"
