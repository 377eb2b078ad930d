"""Alerts: open, rise, join, resolve; one for each agent; ids that no setting moves."""

from __future__ import annotations

import pytest

from detectors.core.agents import AGENT as LAYOUT
from detectors.core.columns import Columns
from detectors.core.family import Explanation
from detectors.core.scored import Scored
from monitor.alerts import AlertBook, Decision, Thresholds, Why
from monitor.findings import Alert

NAMES = ["alpha", "beta", "gamma"]


class Book(AlertBook):
    """An alert book over empty rows, and the scores that it is told."""

    def __init__(self, thresholds: Thresholds | None = None, source: str = "file") -> None:
        super().__init__(source, thresholds or Thresholds(), NAMES, Columns(LAYOUT, 8))

    def hear(self, *parts: float, offset: int | None = 7, row: int = 1, clock: float = 1000.0,
             cause: str = "evidence") -> Decision:
        score = sum(parts)
        index = None if offset is None else 0
        tick = clock if offset is None else None
        event = None if offset is None else f"e{offset}"
        scored = Scored(row, "", f"crm/{row}", "crm", clock, offset, index, event, tick, score, 0.0,
                        dict(enumerate(parts)), cause=cause)
        return self.decide(scored, lambda _: {name: Explanation(f"{name} says so", 900.0, 5.0, 0.5) for name in NAMES})

    def line(self, *parts: float, **how: object) -> Alert:
        line = self.hear(*parts, **how).line  # type: ignore[arg-type]
        assert line is not None
        return line


def test_an_alert_opens_rises_and_resolves_under_one_id() -> None:
    book = Book()
    lines = [book.line(12.0), book.line(150.0, offset=8), book.line(1500.0, offset=9), book.line(1.0, offset=None)]
    assert [(a.state, a.why, a.level, a.score) for a in lines] == [
        ("firing", "opened", "notice", 12.0), ("firing", "rose", "page", 150.0), ("firing", "rose", "critical", 1500.0),
        ("resolved", "decayed", "critical", 1.0)]
    assert len({a.id for a in lines}) == 1
    assert [a.event for a in lines] == ["e7", "e8", "e9", None]


@pytest.mark.parametrize(("parts", "why"), [((9.0,), Why.BELOW_NOTICE), ((0.0,), Why.BELOW_NOTICE)])
def test_what_is_not_said_has_a_named_reason(parts: tuple[float, ...], why: Why) -> None:
    assert Book().hear(*parts) == Decision(why, None)


def test_an_open_alert_says_nothing_while_nothing_is_new() -> None:
    book = Book()
    book.line(50.0)
    assert book.hear(60.0, offset=8) == Decision(Why.UNCHANGED, None)
    assert book.hear(99.0, offset=9) == Decision(Why.UNCHANGED, None)


def test_levels_do_not_fall_and_resolve_needs_a_low_score() -> None:
    """Hysteresis: between the resolve level and the notice level nothing is said."""
    book = Book()
    book.line(150.0)
    for score in (60.0, 9.0, 3.0, 2.5):
        assert book.hear(score) == Decision(Why.UNCHANGED, None)
    assert book.hear(120.0) == Decision(Why.UNCHANGED, None), "it was a page already"
    assert book.line(2.49).state == "resolved"


@pytest.mark.parametrize(("notice", "resolve"), [(10.0, 2.5), (100.0, 2.5), (4.0, 1.0), (0.4, 0.1)])
def test_an_alert_resolves_below_the_smaller_of_two_and_a_half_and_a_quarter_of_notice(
    notice: float, resolve: float
) -> None:
    thresholds = Thresholds(notice, notice * 10, notice * 100)
    assert thresholds.resolve == pytest.approx(resolve)
    book = Book(thresholds)
    book.line(notice)
    assert book.hear(resolve * 1.01).line is None
    assert book.line(resolve * 0.99).state == "resolved"


def test_levels_are_decided_on_the_score_that_is_printed() -> None:
    """99.996 is printed as 100.0, and a page is at 100: the line must not contradict itself."""
    book = Book()
    assert (book.line(99.996).level, Book().line(99.94).level) == ("page", "notice")
    assert Book().hear(9.9996).line is not None
    assert Book().hear(9.994).line is None
    assert book.hear(2.49996).line is None


def test_a_detector_joins_that_by_itself_reaches_the_notice_level() -> None:
    book = Book()
    book.line(50.0, 2.0, 0.0)
    assert book.hear(50.0, 9.0, 0.0).why is Why.UNCHANGED
    line = book.line(50.0, 11.0, 0.0)
    assert (line.state, line.why, line.joined, line.level) == ("updated", "joined", "beta", "notice")
    assert book.hear(50.0, 30.0, 0.0).why is Why.UNCHANGED, "it is listed now"
    assert book.line(50.0, 30.0, 10.0).joined == "gamma"


def test_a_rise_lists_who_joined_with_it() -> None:
    book = Book()
    book.line(50.0, 0.0)
    assert book.line(90.0, 20.0).why == "rose"
    assert book.hear(90.0, 21.0).why is Why.UNCHANGED


def test_a_closed_alert_is_over_and_the_next_one_is_another() -> None:
    book = Book()
    first = book.line(50.0, 20.0)
    assert book.alert_id(1) == first.id
    book.line(0.1, 0.1)
    assert book.alert_id(1) is None
    again = book.line(12.0, 0.0, offset=70)
    assert (again.state, again.level) == ("firing", "notice")
    assert again.id != first.id
    assert book.line(12.0, 11.0, offset=71).joined == "beta", "what was listed then is not listed now"


def test_agents_have_alerts_of_their_own() -> None:
    book = Book()
    one, other = book.line(50.0, row=1), book.line(50.0, row=2)
    assert one.id != other.id
    book.line(0.1, row=1)
    assert book.alert_id(2) == other.id


def test_ids_depend_on_the_deciding_event_alone() -> None:
    same = {Book().line(50.0).id, Book(Thresholds(1, 2, 3)).line(5000.0, 20.0).id, Book().line(10.0, clock=5.0).id}
    assert len(same) == 1
    others = {Book().line(50.0, offset=8).id, Book().line(50.0, row=2).id, Book(source="other").line(50.0).id}
    assert len(same | others) == 4


def test_an_alert_that_a_timer_opened_is_named_by_its_time() -> None:
    one, same, other = (Book().line(score, offset=None, clock=clock)
                        for score, clock in ((50.0, 3600.0), (70.0, 3600.0), (50.0, 7200.0)))
    assert one.id == same.id != other.id
    assert one.event is None


def test_who_accepted_is_told_from_what_decayed() -> None:
    book = Book()
    book.line(50.0)
    assert book.line(0.2, cause="accepted", offset=None).why == "accepted"


def test_shares_are_in_order_and_add_up_to_no_more_than_one() -> None:
    line = Book().line(3.0, 30.0, 7.0)
    assert [(s.name, s.score) for s in line.detectors] == [("beta", 30.0), ("gamma", 7.0), ("alpha", 3.0)]
    assert [s.share for s in line.detectors] == [0.75, 0.175, 0.075]
    share = line.detectors[0]
    assert (share.reason, share.since, share.observed, share.expected) == (
        "beta says so", "1970-01-01T00:15:00.000Z", 5.0, 0.5)


def test_what_has_next_to_no_share_needs_no_sentence() -> None:
    assert [s.name for s in Book().line(1000.0, 4.0, 6.0).detectors] == ["alpha", "gamma"]
    assert [s.name for s in Book().line(50_000.0, 12.0).detectors] == ["alpha", "beta"], "but what is listed is told"


def test_the_line_says_when_and_who() -> None:
    line = Book().line(50.0, clock=1_772_409_600.5)
    assert (line.time, line.agent, line.role, line.tenant, line.entity) == (
        "2026-03-02T00:00:00.500Z", "crm/1", "crm", "", "agent")
    assert line.attested
    assert not line.breach
