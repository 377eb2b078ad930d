"""Kill -9 at random instants while the ingest log is read: what is said at the end is what an undisturbed run says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.lives import Line, Lives, Written
from tests.chaos.scenes import (
    DAY,
    KILLS,
    SECRET,
    at,
    copied,
    killed,
    run_to,
    scratch,
    story_events,
    verified,
    write_log,
)
from tests.monitor.sinks.receiver import Receiver

#: low levels: calm agents' alerts open and close, too
LEVELS = {"notice": 0.3, "page": 3.0, "critical": 100.0}


def spec(receiver: Receiver | None, **more: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "sources": {"events": {"type": "ingest", "attested": True, "poll_records_max": 16}},
        "alerting": {"levels": LEVELS},
        "reference": {"ratify": "auto"},
        **more,
    }
    if receiver is not None:
        settings["sinks"] = {"pager": {"type": "webhook", "url": receiver.url, "secret": SECRET}}
    return {"settings": settings, "follow": True, "pause_seconds": 0.002}


class Base:
    """A written log, and what an undisturbed run said of it."""

    def __init__(self, lives: Lives, folder: Path) -> None:
        self.lives, self.folder = lives, folder
        events = story_events("mass_deletion", "permission_creep", "injected_exfiltration")
        self.after = at(events[-1]) + 3 * DAY
        self.records = write_log(folder / "base", events)
        with Receiver() as receiver:
            self.undisturbed = Written(self.copy("undisturbed"))
            run_to(lives, self.undisturbed, self.records, self.after, **spec(receiver))
            self.messages = verified(receiver)

    def copy(self, name: str) -> Path:
        return copied(self.folder / "base", self.folder / name)


@pytest.fixture(scope="module")
def base() -> Iterator[Base]:
    with scratch() as folder, Lives() as lives:
        (folder / "base" / "state").mkdir(parents=True)
        (folder / "base" / "state" / "digest.key").write_bytes(bytes(range(32)))
        yield Base(lives, folder)


def test_the_undisturbed_run_has_something_to_lose(base: Base) -> None:
    alerts = [json.loads(body) for body in base.undisturbed.alerts()]
    assert len(alerts) > 20
    assert {alert["state"] for alert in alerts} == {"firing", "updated", "resolved"}
    assert {alert["level"] for alert in alerts} == {"notice", "page", "critical"}
    assert {step for _, step, _ in base.undisturbed.steps()} >= {"restrict", "kill"}
    assert not base.undisturbed.alerts("daemon")


def _same_after(base: Base, kills: int, name: str) -> None:
    with Receiver() as receiver:
        written = Written(base.copy(name))
        given = spec(receiver)
        places = killed(base.lives, written, kills, base.records, kills, **given)
        run_to(base.lives, written, base.records, base.after, **given)
        assert places > kills // 2
        assert written.alerts() == base.undisturbed.alerts()
        assert written.steps() == base.undisturbed.steps()
        assert not written.alerts("daemon")
        # each message at least once, the same whenever it came again
        assert _of_alerts(verified(receiver)) == _of_alerts(base.messages)
        assert set(verified(receiver)) == set(base.messages)


def _of_alerts(messages: dict[str, Line]) -> dict[str, Line]:
    return {id_: line for id_, line in messages.items() if line["kind"] == "alert"}


def test_ten_kills_change_nothing(base: Base) -> None:
    _same_after(base, 10, "killed")


def test_other_levels_after_a_kill_decide_nothing_twice(base: Base) -> None:
    written = Written(base.copy("changed"))
    # no snapshot but the first: all of it is judged again, by levels that see other alerts
    before = spec(None) | {"snapshot_seconds": 3600.0}
    killed(base.lives, written, 1, 2 * base.records, 3, **before)
    recorded, cut = written.bodies("alert"), sum(written.decided().values())
    assert len(recorded) > 10
    assert cut < base.records
    after = spec(None, alerting={"levels": {"notice": 1.0, "page": 9.0, "critical": 30.0}})
    run_to(base.lives, written, base.records, base.after, **after)
    alerts = [json.loads(body) for body in written.bodies("alert")]
    assert written.bodies("alert")[: len(recorded)] == recorded, "what was recorded stands"
    (told,) = [line for line in alerts if line["entity"] == "daemon"]
    assert told["why"] == "mismatch"
    assert re.match(r"[1-9]\d* of (\d+) recorded lines", told["detectors"][0]["reason"])
    _each_opens_once_and_closes_once([line for line in alerts if line["entity"] == "agent"])


def _each_opens_once_and_closes_once(alerts: list[Line]) -> None:
    standing: dict[str, str] = {}
    met: set[str] = set()
    for line in alerts:
        if line["why"] == "opened":
            assert line["id"] not in met, "an id is never used twice"
            assert line["agent"] not in standing, "an agent has one open alert"
            standing[line["agent"]] = line["id"]
            met.add(line["id"])
        assert standing[line["agent"]] == line["id"]
        if line["state"] == "resolved":
            del standing[line["agent"]]


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_many_kills_change_nothing(base: Base) -> None:
    _same_after(base, KILLS, "campaign")
