"""When a receiver is tried again, and when a person is told."""

from __future__ import annotations

import pytest

from monitor.outbox.circuit import LONGEST_SECONDS, Circuit, backoff_seconds
from monitor.outbox.urgency import is_urgent
from monitor.sinks.base import DeliveryError, Gone, Message


def test_pauses_double_up_to_five_minutes_and_half_is_chance() -> None:
    assert [backoff_seconds(attempts, 1.0) for attempts in (1, 2, 3, 9, 10, 10_000)] == [1, 2, 4, 256, 300, 300]
    assert backoff_seconds(3, 0.0) == 2
    assert LONGEST_SECONDS == 300


def test_a_failure_opens_it_for_a_pause_and_success_closes_it() -> None:
    circuit = Circuit()
    circuit.failed(100, DeliveryError("away"), 1.0)
    assert not circuit.may_try(100.9)
    assert circuit.may_try(101)
    circuit.failed(101, DeliveryError("away", after_seconds=50), 1.0)
    assert not circuit.may_try(150)
    assert circuit.succeeded() is False
    assert circuit.may_try(101)


def test_a_refused_message_does_not_open_it() -> None:
    circuit = Circuit()
    circuit.failed(100, DeliveryError("bad", retry=False), 1.0)
    assert circuit.may_try(100)


def test_five_failures_in_a_row_are_told_once_and_so_is_the_end() -> None:
    circuit = Circuit()
    told = [circuit.failed(100, DeliveryError("away"), 1.0) for _ in range(8)]
    assert told == [False] * 4 + [True] + [False] * 3
    assert circuit.succeeded() is True
    assert circuit.succeeded() is False


def test_gone_is_told_at_once_and_nothing_is_tried_any_more() -> None:
    circuit = Circuit()
    assert circuit.failed(100, Gone("410"), 1.0) is True
    assert not circuit.may_try(1e12)


@pytest.mark.parametrize(
    ("kind", "body", "urgent"),
    [
        ("alert", b'{"level":"notice"}', False),
        ("alert", b'{"level":"page"}', True),
        ("alert", b'{"level":"critical"}', True),
        ("incident", b'{"level":"notice"}', False),
        ("alert", b"{}", True),
        ("containment", b'{"step":"throttle"}', True),
        ("containment", b'{"level":"notice"}', True),
    ],
)
def test_what_pages_or_contains_is_urgent(kind: str, body: bytes, urgent: bool) -> None:
    assert is_urgent(Message("m", kind, 0.0, body)) is urgent
