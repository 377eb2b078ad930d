"""`POST /v1/events`: 202 only when it is on disk; every other answer says what the sender can do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from monitor.sources.appending import Broken, Full

JSON, LINES = {"content-type": "application/json"}, {"content-type": "application/x-ndjson"}
EVENT = b'{"id":"1","agent":"billing/7","action":"read"}'


def read(daemon: Any) -> list[bytes]:
    """All that is on disk."""
    daemon.log.start({})
    return [value for _ in range(2) for batch in daemon.log.poll(0.05) for value in batch.values]


def test_one_object_is_on_disk_when_it_is_acknowledged(client: httpx.Client, daemon: Any) -> None:
    answer = client.post("/v1/events", content=EVENT, headers=JSON)
    assert (answer.status_code, answer.json()) == (202, {"events": 1, "offset": 0})
    assert read(daemon) == [EVENT]


def test_lines_become_records_and_blank_ones_nothing(client: httpx.Client, daemon: Any) -> None:
    second = EVENT.replace(b'"1"', b'"2"')
    answer = client.post("/v1/events", content=EVENT + b"\n\n" + second + b"\r\n", headers=LINES)
    assert answer.json()["events"] == 2
    assert [value.strip() for value in read(daemon)] == [EVENT, second]


def test_an_object_over_several_lines_is_one_record(client: httpx.Client, daemon: Any) -> None:
    client.post("/v1/events", content=b'{\n "id": "1",\n "agent": "a", "action": "b\\nc"}', headers=JSON)
    assert read(daemon) == [b'{"id":"1","agent":"a","action":"b\\nc"}']


@pytest.mark.parametrize(
    ("body", "headers", "status", "told"),
    [
        (b'{"agent":"a","action":"b"}', JSON, 400, "line 1: Object missing required field `id`"),
        (EVENT + b'\n{"id":""}', LINES, 400, "line 2: the id is empty"),
        (EVENT + b"\n" + EVENT + b'\n{"id":7}', LINES, 400, "line 3: Expected `str`"),
        (EVENT + b"\nnot json", LINES, 400, "line 2: JSON is malformed"),
        (b"[" + EVENT + b"]", JSON, 400, "line 1: Expected `object`, got `array`"),
        (b"[" * 200_000, JSON, 413, ""),
        (b"[" * 4000, JSON, 400, "line 1"),
        (b'{"id":"\xff"}', JSON, 400, "line 1"),
        (b"", JSON, 400, "no event"),
        (b"\n \n", LINES, 400, "no event"),
        (b"x" * 4097, LINES, 413, ""),
        (EVENT, {"content-type": "text/plain"}, 415, "application/x-ndjson"),
        (EVENT, {}, 415, "application/json"),
        (EVENT, JSON | {"content-encoding": "gzip"}, 415, "compressed"),
    ],
)
def test_what_cannot_be_taken_is_refused_whole(
    client: httpx.Client, daemon: Any, body: bytes, headers: dict[str, str], status: int, told: str
) -> None:
    answer = client.post("/v1/events", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert told in answer.json()["detail"]
    if told.startswith("line"):
        assert answer.json()["line"] == int(told[5])
    assert read(daemon) == []


def raising(error: Exception) -> Any:
    def append(values: list[bytes]) -> int:
        raise error

    return append


@pytest.mark.parametrize(("error", "status"), [(Full(), 429), (Broken("disk"), 503)])
def test_a_log_that_cannot_take_it_says_when_to_come_back(
    serve: Any, daemon: Any, error: Exception, status: int
) -> None:
    daemon.answers = replace(daemon.answers, append=raising(error))
    answer = serve().post("/v1/events", content=EVENT, headers=JSON)
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "5")


def test_a_token_sends_events_of_its_agents_alone(serve: Any, badge: Any, daemon: Any) -> None:
    client = serve(badge.tokens)
    other = EVENT.replace(b"billing/7", b"support/1")
    assert client.post("/v1/events", content=EVENT, headers=JSON | badge.of("ingest")).status_code == 202
    refused = client.post("/v1/events", content=EVENT + b"\n" + other, headers=LINES | badge.of("ingest"))
    assert (refused.status_code, refused.json()["line"]) == (403, 2)
    assert len(read(daemon)) == 1
