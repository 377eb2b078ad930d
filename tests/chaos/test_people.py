"""What people tell a running daemon is durable when it is answered, counts once, and needs a second person to widen."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from monitor.demo import stories
from monitor.demo.stories.mass_deletion import AGENT
from monitor.web.tokens import new_token
from tests.chaos.lives import Line, Lives, Written
from tests.chaos.scenes import DAY, SECRET, at, counted, scratch, verified, write_log
from tests.chaos.story_clock import StoryClock
from tests.monitor.sinks.receiver import Receiver

pytestmark = pytest.mark.chaos
STORY = stories.named("mass_deletion")
STRIKE = [event for event in STORY.events() if event["id"].startswith("attack-")][:60]
HISTORY = [event for event in STORY.everyday() if at(STRIKE[0]) - 6 * DAY < at(event) < at(STRIKE[0])]


class Crew:
    """Two operators of one daemon, which is killed whenever it suits."""

    def __init__(self, lives: Lives, folder: Path, pager: str) -> None:
        self.lives, self.folder, self.written = lives, folder, Written(folder)
        self.records = write_log(folder, HISTORY)
        shown = {name: new_token() for name in ("ann", "bob")}
        self.tokens = {name: token for name, (token, _) in shown.items()}
        held = [{"name": name, "role": "admin", "sha256": digest} for name, (_, digest) in shown.items()]
        (folder / "tokens.json").write_text(json.dumps({"tokens": held}))
        settings = {
            "sources": {"events": {"type": "ingest", "attested": True}}, "reference": {"days": 3},
            "sinks": {"pager": {"type": "webhook", "url": pager, "secret": SECRET}},
            "api": {"port": 0, "tokens_file": str(folder / "tokens.json")},
        }  # fmt: skip
        self.spec = {"settings": settings, "folder": folder, "serve": True, "follow": True}
        self.life = lives.start(**self.spec)
        lives.until(lambda: sum(self.written.decided().values()) == self.records)

    def call(self, who: str, path: str, body: Line | bytes) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.tokens[who]}", "content-type": "application/json"}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers |= {"content-type": "application/x-ndjson"} if isinstance(body, bytes) else {}
        url = self.lives.url(self.folder)
        return httpx.post(f"{url}{path}", content=content, headers=headers, trust_env=False, timeout=10)

    def tell(self, directive: str, **said: Any) -> str:
        """Ann says it, bob agrees; its id."""
        told = self.call("ann", f"/v1/directives/{directive}", said)
        assert told.status_code == 202, told.text
        id_ = str(told.json()["id"])
        assert self.call("bob", "/v1/directives/confirm", {"confirms": id_}).status_code == 200
        return id_

    def again(self) -> None:
        """Kill -9 and the next life."""
        self.lives.kill(self.life)
        self.life = self.lives.start(**self.spec)

    def inputs(self) -> list[str]:
        """Ids of the directives among the inputs."""
        found = self.written.rows("SELECT body FROM input WHERE kind = 'directive' ORDER BY seq")
        return [json.loads(body)["directive"]["id"] for (body,) in found]

    def send(self, events: list[Line]) -> None:
        StoryClock(self.folder / "clock").set(at(events[-1]))
        taken = self.call("ann", "/v1/events", b"\n".join(json.dumps(event).encode() for event in events))
        assert taken.status_code == 202, taken.text
        self.records += len(events)
        self.lives.until(lambda: sum(self.written.decided().values()) == self.records)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture
def crew(receiver: Receiver) -> Iterator[Crew]:
    with scratch() as folder, Lives() as lives:
        yield Crew(lives, folder, receiver.url)


def test_what_was_confirmed_counts_once_whenever_the_daemon_dies(crew: Crew) -> None:
    random, told = Random(3), []
    for number in range(6):
        told.append(crew.tell("accept", agent=AGENT, what={"scope": f"scope:{number}"}))
        time.sleep(random.uniform(0.0, 0.05))
        crew.again()
    crew.lives.until(lambda: crew.written.applied() == len(told), what="for the directives")
    assert sorted(crew.inputs()) == sorted(told)
    assert crew.written.rows("SELECT count(*) FROM audit WHERE what = 'confirmed accept'") == [(len(told),)]


def test_one_person_alone_widens_nothing(crew: Crew) -> None:
    told = crew.call("ann", "/v1/directives/silence", {"match": {"agent": AGENT}, "until": "2027-01-01T00:00:00Z"})
    assert told.status_code == 202
    refused = crew.call("ann", "/v1/directives/confirm", {"confirms": told.json()["id"]})
    assert refused.status_code == 409
    crew.again()
    crew.send(STRIKE)
    assert crew.inputs() == []
    assert any(line["agent"] == AGENT and line["level"] == "critical" for line in crew.written.lines("alert"))


def test_a_silence_survives_and_mutes_notifications_alone(crew: Crew, receiver: Receiver) -> None:
    crew.tell("silence", match={"agent": AGENT}, until="2027-01-01T00:00:00Z")
    crew.again()
    crew.lives.until(lambda: crew.written.applied() == 1)
    crew.again()
    crew.send(STRIKE)
    crew.lives.until(lambda: any(line["agent"] == AGENT for line in crew.written.lines("containment")))
    crew.lives.until(lambda: not crew.written.waiting())
    assert any(line["agent"] == AGENT and line["level"] == "critical" for line in crew.written.lines("alert"))
    assert not [line for line in verified(receiver).values() if line["kind"] == "alert" and line["agent"] == AGENT]


def test_events_sent_again_after_a_crash_are_judged_once(crew: Crew) -> None:
    crew.send(STRIKE)
    alerts, steps = crew.written.alerts(), crew.written.steps()
    assert steps
    crew.again()
    crew.send(STRIKE)
    assert crew.written.alerts() == alerts
    assert crew.written.steps() == steps
    headers = {"authorization": f"Bearer {crew.tokens['ann']}"}
    assert counted(crew.lives.url(crew.folder), "driftd_duplicates", headers) >= len(STRIKE)
