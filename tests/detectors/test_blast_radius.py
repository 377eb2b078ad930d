"""blast_radius: destructive volume, against the agent's own hours and days."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.streams import DAY, HOUR, Listening, event, every, ordered


def settled(per_day: int = 3, **settings: Any) -> Listening:
    """Two weeks of reading, and some deletions a day."""
    heard = Listening("blast_radius", days=14.0, **settings)
    deletions = [event(day * DAY + 9 * HOUR + i * 60, "rows.delete") for day in range(15) for i in range(per_day)]
    heard.hear(*ordered(every(HOUR, 0, 15 * DAY), deletions))
    assert heard.common.frozen_at[heard.row()] > 0
    return heard


def destroy(heard: Listening, count: int, at: float = 15 * DAY + 10 * HOUR, **fields: Any) -> float:
    heard.hear(*(event(at + i, **{"action": "rows.delete", **fields}) for i in range(count)))
    return heard.score(at + count).score


def test_it_fires_on_a_hundredfold_and_may_contain() -> None:
    heard = settled()
    assert destroy(heard, 300) > 1000
    scored = heard.score(15 * DAY + 10 * HOUR + 300)
    assert scored.gate == scored.score
    told = heard.engine.explain(scored)["blast_radius"]
    assert told.reason.startswith("300 destructive actions in the running ")
    assert told.observed == 300
    assert told.expected == pytest.approx(3.0 if "day" in told.reason else 3 / 24, rel=0.35)
    assert told.since is not None
    assert 15 * DAY + 10 * HOUR <= told.since - float(event(0).time or 0) < 15 * DAY + 10 * HOUR + 100


def test_it_fires_early() -> None:
    """What it is for: the deletions that do not happen."""
    heard = settled(interesting=100.0)
    said = heard.hear(*(event(15 * DAY + 10 * HOUR + i, "rows.delete", id=f"d{i}") for i in range(300)))
    first = next(s for s in said if s.score >= 100)
    assert first.event is not None
    assert int(first.event[1:]) < 120


def test_a_record_that_stands_for_many_counts_as_many() -> None:
    heard = settled()
    heard.hear(event(15 * DAY + 10 * HOUR, "rows.delete", count=300))
    assert heard.score(15 * DAY + 10 * HOUR).score > 1000


def test_it_stays_quiet_on_a_usual_day() -> None:
    heard = settled()
    assert destroy(heard, 4) < 1


def test_it_stays_quiet_on_the_nightly_cleaning() -> None:
    """The look-alike: three hundred deletions a night is what this agent is for."""
    assert destroy(settled(per_day=300), 320, at=15 * DAY + 9 * HOUR) < 2.5


@pytest.mark.parametrize("fields", [
    {"outcome": "denied"}, {"action": "rows.read"}, {"action": "rows.archive", "effect": "write"},
])
def test_what_destroys_nothing_does_not_count(fields: dict[str, Any]) -> None:
    assert destroy(settled(), 300, **fields) < 1


def test_what_a_delegate_destroys_is_the_delegates() -> None:
    heard = settled()
    heard.hear(*(event(15 * DAY + i, "rows.delete", agent="sub", via=["crm/anna"]) for i in range(300)))
    assert heard.score(15 * DAY + 300).score < 1


def test_an_effect_is_what_counts_not_a_name() -> None:
    assert destroy(settled(), 300, action="rows.archive", effect="delete") > 1000


def test_it_is_forgotten_slowly() -> None:
    heard = settled()
    high = destroy(heard, 300)
    heard.hear(*every(HOUR, 16 * DAY, 18 * DAY))
    later = heard.score(18 * DAY).score
    assert later < high
    heard.hear(*every(HOUR, 18 * DAY, 60 * DAY))
    assert heard.score(60 * DAY).score < 2.5
