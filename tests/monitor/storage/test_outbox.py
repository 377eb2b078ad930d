from __future__ import annotations

from typing import Any

import pytest

from monitor.sinks.base import Message
from monitor.storage.decision import Outgoing, Verdict
from monitor.storage.errors import StorageError
from monitor.storage.store import Store


def put(store: Store, *items: tuple[str, str, str]) -> None:
    """(sink, id, about), ..."""
    sent = [
        Outgoing(sink, Message(id_, "alert", 1.0, b'{"id":"%s"}' % id_.encode()), about) for sink, id_, about in items
    ]
    store.record(Verdict(outbox=sent))


def due(store: Store, now: float = 2e6, limit: int = 10) -> list[tuple[str, str, int]]:
    return [(one.sink, one.message.id, one.attempts) for one in store.outbox.due(now, limit)]


def test_each_sink_gets_its_own(store: Store) -> None:
    put(store, ("log", "m", "a"), ("webhook", "m", "a"))
    assert due(store) == [("log", "m", 0), ("webhook", "m", 0)]
    store.outbox.delivered("m", "log")
    assert due(store) == [("webhook", "m", 0)]
    assert store.outbox.pending_count() == 1


def test_messages_about_one_thing_wait_for_the_ones_before(store: Store) -> None:
    put(store, ("webhook", "a.1", "a"), ("webhook", "a.2", "a"), ("webhook", "b.1", "b"), ("log", "a.2", "a"))
    assert due(store) == [("webhook", "a.1", 0), ("webhook", "b.1", 0), ("log", "a.2", 0)]
    store.outbox.failed("a.1", "webhook", "503", retry_at=3e6)
    assert due(store) == [("webhook", "b.1", 0), ("log", "a.2", 0)], "a.2 waits for its turn"
    assert due(store, 3e6)[0] == ("webhook", "a.1", 1)
    store.outbox.delivered("a.1", "webhook")
    assert ("webhook", "a.2", 0) in due(store)


def test_giving_up_lets_the_next_one_go(store: Store) -> None:
    put(store, ("webhook", "a.1", "a"), ("webhook", "a.2", "a"))
    store.outbox.give_up("a.1", "webhook", "410")
    assert due(store) == [("webhook", "a.2", 0)]


def test_messages_about_nothing_else_do_not_wait_for_each_other(store: Store) -> None:
    put(store, ("log", "x", ""), ("log", "y", ""))
    assert due(store) == [("log", "x", 0), ("log", "y", 0)]


def test_a_long_queue_of_one_sink_does_not_starve_another(store: Store) -> None:
    put(store, *(("down", f"m{number}", "") for number in range(20)), ("up", "z", ""))
    assert due(store, limit=3) == [("down", "m0", 0), ("down", "m1", 0), ("down", "m2", 0), ("up", "z", 0)]


def test_the_age_of_the_oldest_waiting_message(store: Store, clock: Any) -> None:
    assert store.outbox.oldest_age_seconds() == 0.0
    put(store, ("log", "x", ""))
    clock.now += 7.0
    put(store, ("log", "y", ""))
    assert store.outbox.oldest_age_seconds() == 7.0
    store.outbox.delivered("x", "log")
    assert store.outbox.oldest_age_seconds() == 0.0


def test_the_end_of_a_message_is_said_once(store: Store) -> None:
    put(store, ("log", "x", ""))
    store.outbox.delivered("x", "log")
    with pytest.raises(StorageError, match="No message x waits for sink log"):
        store.outbox.delivered("x", "log")
    with pytest.raises(StorageError, match="No message x waits for sink log"):
        store.outbox.failed("x", "log", "?", 0.0)


def test_the_message_arrives_as_it_was_sent(store: Store) -> None:
    sent = Message("m", "alert", 1.25, '{"why":"größer → ü"}'.encode())
    store.record(Verdict(outbox=[Outgoing("log", sent, "a")]))
    assert store.outbox.due(2e6, 1)[0] == ("log", sent, 0, "a")
