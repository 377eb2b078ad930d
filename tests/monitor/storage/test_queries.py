from __future__ import annotations

from collections.abc import Callable

import pytest

from detectors.core.inputs import Receipt
from monitor.findings import Alert, Containment, encode
from monitor.formats.base import DeadLetter
from monitor.storage.decision import Claim, Decision, Position, Verdict
from monitor.storage.store import Store

Steps = Callable[..., Containment]


def say(store: Store, *findings: Alert | Containment) -> None:
    """Each with the next line number of its id."""
    for said in findings:
        number = len([line for line in store.queries.findings(limit=1000) if line.id == said.id]) + 1
        store.record(Verdict(findings=[(said.id, number, said)]))


def test_an_alert_is_open_until_its_newest_line_says_resolved(store: Store, alert: Callable[..., Alert]) -> None:
    say(store, alert("a"), alert("b"), alert("a", state="updated", why="joined"), alert("b", state="resolved"))
    assert [(line.id, line.line) for line in store.queries.open_alerts()] == [("a", 2)]
    say(store, alert("a", state="resolved"))
    assert store.queries.open_alerts() == []
    assert [line.line for line in store.queries.alert("a")] == [1, 2, 3]
    assert store.queries.alert("z") == []


def test_lines_of_one_decision_are_told_apart(store: Store, alert: Callable[..., Alert]) -> None:
    store.record(Verdict(findings=[("a", 1, alert()), ("a", 2, alert(state="resolved"))]))
    assert store.queries.open_alerts() == []
    assert len(store.queries.alerts()) == 1


def test_a_line_is_kept_exactly_as_it_is_printed(store: Store, alert: Callable[..., Alert]) -> None:
    said = alert(agent="größer\u2066 → ü", score=0.1 + 0.2, tags=("T1", "T2"))
    say(store, said)
    (line,) = store.queries.findings()
    assert line.body == encode(said)
    assert line.finding == said


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["d", "c", "b", "a"]),
        ({"agent": "bot"}, ["d", "a"]),
        ({"agent": "bot", "tenant": "t"}, ["d"]),
        ({"role": "ops"}, ["b"]),
        ({"level": "critical"}, ["c"]),
        ({"state": "resolved"}, ["b"]),
        ({"incident": "i"}, ["c"]),
        ({"limit": 2}, ["d", "c"]),
        ({"agent": "nobody"}, []),
    ],
)
def test_alerts_are_found_by_what_they_are(
    store: Store, alert: Callable[..., Alert], wanted: dict[str, str], found: list[str]
) -> None:
    say(
        store,
        alert("a"),
        alert("b", agent="other", role="ops", state="resolved"),
        alert("c", agent="third", level="critical", incident="i"),
        alert("d", tenant="t"),
    )
    assert [line.id for line in store.queries.alerts(**wanted)] == found  # type: ignore[arg-type]


def test_pages_of_alerts_follow_each_other(store: Store, alert: Callable[..., Alert]) -> None:
    say(store, *(alert(f"a{number}") for number in range(5)))
    first = store.queries.alerts(3)
    second = store.queries.alerts(3, before_seq=first[-1].seq)
    assert [line.id for line in (*first, *second)] == ["a4", "a3", "a2", "a1", "a0"]


def receipt(outcome: str, step: str = "quarantine") -> Receipt:
    return Receipt(containment="c", time=1.0, tenant="", agent="bot", step=step, outcome=outcome)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("receipts", "status", "active"),
    [
        ([], "decided", True),
        ([receipt("acted")], "acted", True),
        ([receipt("acted"), receipt("confirmed")], "confirmed", True),
        ([receipt("failed")], "failed", True),
        ([receipt("skipped")], "skipped", False),
        ([receipt("confirmed"), receipt("undone")], "released", False),
        ([receipt("confirmed"), receipt("acted", "release")], "released", False),
        ([receipt("confirmed"), receipt("failed", "release")], "confirmed", True),
    ],
)
def test_the_newest_receipt_says_what_a_containment_is(
    store: Store, containment: Steps, receipts: list[Receipt], status: str, active: bool
) -> None:
    say(store, containment())
    for one in receipts:
        store.record(Verdict(receipts=[one]))
    state = store.queries.containment("c")
    assert state is not None
    assert (state.status, state.ended_at is None, list(state.receipts)) == (status, active, receipts)
    assert [one.line.id for one in store.queries.containments(active=active)] == ["c"]
    assert store.queries.containments(active=not active) == []


def test_a_release_line_ends_the_one_it_names_or_all_of_its_agent(store: Store, containment: Steps) -> None:
    say(store, containment("c1"), containment("c2", step="throttle"), containment("c3", agent="other"))
    say(store, containment("c1", step="release"))
    assert {one.line.id for one in store.queries.containments(active=True)} == {"c2", "c3"}
    say(store, containment("r", step="release"))
    assert {one.line.id for one in store.queries.containments(active=True)} == {"c3"}
    assert store.queries.containment("r") is None
    assert store.queries.containment("c1").status == "released"  # type: ignore[union-attr]


def test_dead_letters_by_reason_and_cleaned(store: Store, claim: Claim) -> None:
    bad = DeadLetter(4, 0, "control_character", "a\0b\ud800", "d", b"\x00\xff", None)
    long = DeadLetter(5, 2, "too_large", "x" * 10_000, "d", b"", 1.0)
    store.commit(claim, Decision(position_after=Position(6), dead=[bad, long]))
    assert [one.letter.offset for one in store.queries.dead_letters()] == [5, 4]
    (found,) = store.queries.dead_letters(reason="control_character")
    assert found.partition == claim.partition
    assert found.letter == bad._replace(agent="a\N{REPLACEMENT CHARACTER}b?")
    assert store.queries.dead_letters(1)[0].letter.agent == "x" * 256
    assert store.queries.dead_letter_counts() == {"control_character": 1, "too_large": 1}
