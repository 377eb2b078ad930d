"""Announced recurring work: when a role's rule (RFC 5545 RRULE) says that something unusual is usual.

An occurrence covers its whole UTC day, or its hour when the rule names hours. During announced work the evidence that
only pages is at rest: more calls, new targets, new ordinary permissions. What may contain an agent, and privileged
permissions, are judged as ever.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from dateutil.rrule import rrulestr

DAY, HOUR = 86_400.0, 3600.0
#: occurrences are counted from a Monday long ago, so that intervals do not depend on when a rule was told
EPOCH = datetime(2001, 1, 1)  # noqa: DTZ001 - dateutil compares naive times, and all of these are UTC


class BadRule(ValueError):
    """A rule that cannot be read, with what is wrong with it."""


def check(rule: str) -> None:
    """Raises BadRule for what is no RRULE or comes more often than hourly."""
    try:
        parsed = rrulestr(rule, dtstart=EPOCH)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise BadRule(f"{rule!r} is no RRULE of RFC 5545: {error}") from None
    if "MINUTELY" in rule.upper() or "SECONDLY" in rule.upper():
        raise BadRule(f"{rule!r} comes more often than hourly")
    del parsed


def covers(rule: str, time: float) -> bool:
    """Whether the rule has an occurrence on the UTC day (or in the hour) of `time`."""
    span = HOUR if _names_hours(rule) else DAY
    return _occurs(rule, int(time // span), span)


def _names_hours(rule: str) -> bool:
    upper = rule.upper()
    return "BYHOUR" in upper or "HOURLY" in upper


@lru_cache(maxsize=4096)
def _occurs(rule: str, number: int, span: float) -> bool:
    start = datetime.fromtimestamp(number * span, UTC).replace(tzinfo=None)
    end = start + timedelta(seconds=span - 1)
    return bool(rrulestr(rule, dtstart=EPOCH).between(start, end, inc=True))
