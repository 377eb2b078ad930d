"""Delivery through a real outbox to real receivers that fail, lie, hang: nothing is missing, order is kept."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.outbox import Delivery
from monitor.outbox.lane import REFUSALS_MAX
from monitor.sinks.base import DeliveryError, Message, Sink
from monitor.sinks.webhook import Webhook, WebhookSettings
from monitor.storage.decision import Outgoing, Verdict
from monitor.storage.errors import StorageUnavailable
from monitor.storage.store import Store
from tests.monitor.sinks.receiver import Answer, Got, Receiver, until

SECRET = "whsec_" + "A" * 43 + "="


class Quick(SystemClock):
    """A clock a thousand times as fast, so that pauses of minutes are parts of a second."""

    def __init__(self) -> None:
        self._began = time.time()

    def time(self) -> float:
        return self._began + (time.time() - self._began) * 1000


class Seen:
    """What the watcher was told."""

    def __init__(self) -> None:
        self.attempts: Counter[tuple[str, str]] = Counter()
        self.told: list[tuple[str, str]] = []
        self.gone: list[str] = []

    def attempted(self, sink: str, outcome: str) -> None:
        self.attempts[sink, outcome] += 1

    def down(self, sink: str, problem: str) -> None:
        self.told.append(("down", sink))

    def up(self, sink: str) -> None:
        self.told.append(("up", sink))

    def dropped(self, sink: str, message: Message, problem: str) -> None:
        self.gone.append(message.id)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.outbox.delivery.IDLE_SECONDS", 0.02)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path}/driftd.db", Quick())
    yield opened
    opened.close()


Deliver = Callable[..., Delivery]


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def deliver(store: Store, seen: Seen) -> Iterator[Deliver]:
    started: list[Delivery] = []

    def start(*sinks: Sink, waiting: Any = None) -> Delivery:
        delivery = Delivery(waiting or store.outbox, sinks, seen, clock=Quick())
        delivery.start()
        started.append(delivery)
        return delivery

    yield start
    for delivery in started:
        delivery.stop(1)


def put(store: Store, sink: str, *ids: str, about: str = "", level: str = "page") -> None:
    body = json.dumps({"level": level}).encode()
    store.record(Verdict(outbox=[Outgoing(sink, Message(id_, "alert", 5.0, body), about) for id_ in ids]))


def webhook(receiver: Receiver, name: str = "hook") -> Webhook:
    return Webhook(WebhookSettings(url=receiver.url, secret=SECRET, timeout_seconds=0.3), name=name)


def test_nothing_is_missing_and_duplicates_only_follow_lost_answers(store: Store, deliver: Deliver, seen: Seen) -> None:
    chance, lost = random.Random(7), Counter[str]()

    def answer(got: Got) -> Answer:
        roll = chance.random()
        if roll < 0.15:
            lost[got.id] += 1
            return Answer(drop=True)
        return Answer(503 if roll < 0.3 else 204)

    alerts = {f"a{n}": [f"a{n}-{line}" for line in range(4)] for n in range(12)}
    for about, ids in alerts.items():
        put(store, "hook", *ids, about=about)
    refused: Counter[str] = Counter()

    def counted(got: Got) -> Answer:
        told = answer(got)
        refused[got.id] += told.status == 503
        return told

    with Receiver(counted) as receiver:
        delivery = deliver(webhook(receiver))
        until(lambda: store.outbox.pending_count() == 0, 60)
        delivery.check()
    arrived = Counter(receiver.ids)
    assert set(arrived) == {id_ for ids in alerts.values() for id_ in ids}
    assert all(arrived[id_] == 1 + lost[id_] + refused[id_] for id_ in arrived)
    for ids in alerts.values():
        firsts = list(dict.fromkeys(id_ for id_ in receiver.ids if id_ in ids))
        assert firsts == ids, "the lines of an alert arrive in order"
    assert seen.attempts["hook", "delivered"] == 48
    assert seen.gone == []


def test_a_receiver_that_hangs_delays_nobody_else(store: Store, deliver: Deliver) -> None:
    put(store, "stuck", *(f"s{n}" for n in range(20)))
    put(store, "well", *(f"w{n}" for n in range(20)))
    with Receiver(lambda _: Answer(hang_seconds=60)) as stuck, Receiver() as well:
        deliver(webhook(stuck, "stuck"), webhook(well, "well"))
        until(lambda: len(well.got) == 20, 10)
        assert well.ids == [f"w{n}" for n in range(20)]
        assert len(stuck.got) < 5


def test_a_dead_receiver_is_reported_and_so_is_its_return(store: Store, deliver: Deliver, seen: Seen) -> None:
    put(store, "hook", "m1")
    with Receiver(lambda _: Answer(500)) as receiver:
        delivery = deliver(webhook(receiver))
        until(lambda: seen.told == [("down", "hook")])
        assert "500" in delivery.down()["hook"]
        receiver.answer = lambda _: Answer()
        until(lambda: seen.told == [("down", "hook"), ("up", "hook")])
        assert delivery.down() == {}
    assert store.outbox.pending_count() == 0


def test_after_gone_nothing_is_tried_and_nothing_is_lost(store: Store, deliver: Deliver, seen: Seen) -> None:
    put(store, "hook", "m1", "m2")
    with Receiver(lambda _: Answer(410)) as receiver:
        deliver(webhook(receiver))
        until(lambda: seen.told == [("down", "hook")])
        time.sleep(0.5)
        assert receiver.ids == ["m1"]
        assert store.outbox.pending_count() == 2
        receiver.answer = lambda _: Answer()
        deliver(webhook(receiver))
        until(lambda: store.outbox.pending_count() == 0)
        assert sorted(receiver.ids[1:]) == ["m1", "m2"]


def test_a_notice_that_is_refused_is_dropped_and_said_and_a_page_never(
    store: Store, deliver: Deliver, seen: Seen
) -> None:
    put(store, "hook", "notice", level="notice")
    put(store, "hook", "page")
    with Receiver(lambda got: Answer(400 if got.id in ("notice", "page") else 204)) as receiver:
        deliver(webhook(receiver))
        until(lambda: seen.gone == ["notice"] and Counter(receiver.ids)["page"] > REFUSALS_MAX, 60)
        assert Counter(receiver.ids)["notice"] == REFUSALS_MAX
        put(store, "hook", "other")
        until(lambda: "other" in receiver.ids)
        assert store.outbox.pending_count() == 1


def test_the_receivers_wish_is_honoured(store: Store, deliver: Deliver) -> None:
    put(store, "hook", "m1")
    times: list[float] = []

    def answer(_: Got) -> Answer:
        times.append(time.monotonic())
        return Answer(429, (("retry-after", "600"),)) if len(times) == 1 else Answer()

    with Receiver(answer) as receiver:
        deliver(webhook(receiver))
        until(lambda: store.outbox.pending_count() == 0)
    assert 0.6 <= times[1] - times[0] < 5  # six hundred seconds of the quick clock


def test_a_restart_goes_on_with_what_waits(store: Store, deliver: Deliver) -> None:
    put(store, "hook", "m1", "m2", about="a")
    with Receiver(lambda _: Answer(500)) as receiver:
        first = deliver(webhook(receiver))
        until(lambda: len(receiver.got) > 1)
        assert first.stop()
        receiver.answer = lambda _: Answer()
        receiver.got.clear()
        deliver(webhook(receiver))
        until(lambda: store.outbox.pending_count() == 0)
    assert receiver.ids == ["m1", "m2"]


class Forgetful:
    """The storage goes away between the delivery and the note of it."""

    def __init__(self, store: Store) -> None:
        self._outbox = store.outbox
        self.away = 3

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outbox, name)

    def delivered(self, id_: str, sink: str) -> None:
        if self.away:
            self.away -= 1
            raise StorageUnavailable("locked")
        self._outbox.delivered(id_, sink)


def test_what_was_delivered_is_not_sent_again_when_the_storage_was_away(store: Store, deliver: Deliver) -> None:
    put(store, "hook", "m1", "m2")
    with Receiver() as receiver:
        deliver(webhook(receiver), waiting=Forgetful(store))
        until(lambda: store.outbox.pending_count() == 0)
        time.sleep(0.2)
    assert receiver.ids == ["m1", "m2"]


class Buggy:
    """A sink with a bug."""

    kind = "buggy"
    name = "buggy"

    def deliver(self, message: Message) -> None:
        raise KeyError("bug")

    def close(self) -> None:
        pass


def test_a_sink_with_a_bug_costs_delay_and_a_report(store: Store, deliver: Deliver, seen: Seen) -> None:
    put(store, "buggy", "m1")
    delivery = deliver(Buggy())
    until(lambda: seen.told == [("down", "buggy")])
    assert "KeyError" in delivery.down()["buggy"]
    delivery.check()
    assert store.outbox.pending_count() == 1


def test_messages_for_a_sink_that_is_not_set_are_reported(store: Store, deliver: Deliver, seen: Seen) -> None:
    put(store, "removed", "m1")
    deliver(Buggy())
    until(lambda: seen.told == [("down", "removed")])


def test_a_second_daemon_at_the_same_outbox_is_found_out(store: Store, deliver: Deliver) -> None:
    put(store, "hook", "m1")

    class Slow(Buggy):
        name = "hook"

        def deliver(self, message: Message) -> None:
            store.outbox.delivered(message.id, "hook")  # the other one was quicker

    delivery = deliver(Slow())
    with pytest.raises(Exception, match="second daemon"):
        while True:
            delivery.check()
            time.sleep(0.01)


def test_stop_waits_for_the_try_under_way_but_not_for_ever(store: Store, deliver: Deliver) -> None:
    put(store, "hook", "m1")

    class Hanging(Buggy):
        name = "hook"

        def deliver(self, message: Message) -> None:
            began.set()
            time.sleep(1.0)
            raise DeliveryError("late")

    began = threading.Event()
    delivery = deliver(Hanging())
    assert began.wait(10)
    assert delivery.stop(0.1) is False
    assert delivery.stop(5) is True
