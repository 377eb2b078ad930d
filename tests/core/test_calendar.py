"""Announced recurring work."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from detectors.core import calendar


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("rule", "time", "inside"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=-2,-1", "2026-04-29T00:00:00", True),
        ("FREQ=MONTHLY;BYMONTHDAY=-2,-1", "2026-04-30T23:59:59", True),
        ("FREQ=MONTHLY;BYMONTHDAY=-2,-1", "2026-04-28T23:59:59", False),
        ("FREQ=MONTHLY;BYMONTHDAY=-2,-1", "2026-02-27T12:00:00", True),
        ("FREQ=WEEKLY;BYDAY=MO", "2026-03-02T12:00:00", True),
        ("FREQ=WEEKLY;BYDAY=MO", "2026-03-03T12:00:00", False),
        ("FREQ=DAILY;BYHOUR=2", "2026-03-03T02:30:00", True),
        ("FREQ=DAILY;BYHOUR=2", "2026-03-03T03:00:00", False),
    ],
)
def test_covers_the_day_or_the_hour_of_an_occurrence(rule: str, time: str, inside: bool) -> None:
    assert calendar.covers(rule, at(time)) is inside


@pytest.mark.parametrize("rule", ["every month", "FREQ=SOMETIMES", "FREQ=MINUTELY", ""])
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(calendar.BadRule):
        calendar.check(rule)
