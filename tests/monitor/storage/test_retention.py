from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from detectors.core.inputs import Tick
from monitor.findings import Alert, Containment
from monitor.formats.base import DeadLetter
from monitor.sinks.base import Message
from monitor.storage.decision import Claim, Decision, Outgoing, Position, Verdict
from monitor.storage.retention import Retention
from monitor.storage.store import Store

DAY = 86400.0
ALL = Retention(0, 0, 0, 0, 0, 0, 0)


def test_only_what_is_over_goes(store: Store, clock: Any, alert: Callable[..., Alert]) -> None:
    lines = [(1, "firing"), (2, "updated")]
    store.record(Verdict(findings=[("open", line, alert("open", state=state)) for line, state in lines]))
    for id_ in ("over", "later"):
        store.record(Verdict(findings=[(id_, 1, alert(id_)), (id_, 2, alert(id_))]))
    store.record(Verdict(findings=[("over", 3, alert("over", state="resolved"))]))
    clock.now += 10 * DAY
    store.record(Verdict(findings=[("later", 3, alert("later", state="resolved"))]))
    assert store.purge(Retention(finding_days=5))["finding"] == 3
    assert {line.id for line in store.queries.alerts()} == {"open", "later"}
    assert len(store.queries.alert("later")) == 3
    clock.now += 10 * DAY
    assert store.purge(Retention(finding_days=5))["finding"] == 3
    assert [line.line for line in store.queries.alert("open")] == [1, 2]


def test_a_containment_stays_while_it_lasts(store: Store, clock: Any, containment: Callable[..., Containment]) -> None:
    store.record(Verdict(findings=[("c", 1, containment("c")), ("d", 1, containment("d", agent="other"))]))
    store.record(Verdict(findings=[("r", 1, containment("r", step="release"))]))
    clock.now += DAY
    gone = store.purge(ALL)
    assert (gone["containment"], gone["finding"]) == (1, 2)
    assert [one.line.id for one in store.queries.containments()] == ["d"]
    assert [line.id for line in store.queries.findings()] == ["d"]


def test_what_was_not_delivered_stays(store: Store, clock: Any) -> None:
    store.record(Verdict(outbox=[Outgoing("log", Message(id_, "alert", 1.0, b"{}")) for id_ in "abc"]))
    store.outbox.delivered("a", "log")
    store.outbox.give_up("b", "log", "410")
    clock.now += DAY
    assert store.purge(ALL)["outbox"] == 2
    assert [one.message.id for one in store.outbox.due(1e12, 9)] == ["c"]


@pytest.mark.parametrize(("snapshots", "left"), [(0, [1, 2, 3]), (1, [2, 3])])
def test_an_input_that_a_start_would_read_stays(
    store: Store, claim: Claim, clock: Any, snapshots: int, left: list[int]
) -> None:
    store.append_inputs(claim, 0, [Tick(1.0), Tick(2.0), Tick(3.0)])
    for seq in range(1, 1 + snapshots * 2):
        store.commit(claim, Decision(position_after=Position(0, 0, seq)))
        store.save_snapshot(claim, Position(0, 0, seq), {}, "p", "s")
    clock.now += DAY
    store.purge(ALL)
    assert [one.seq for one in store.read_inputs(claim.partition)] == left
    appended = store.append_inputs(claim, 0, [Tick(4.0)])
    assert appended[0].seq == 4, "numbers are never used twice"


def test_a_flood_of_dead_letters_is_bounded_whatever_its_age(store: Store, claim: Claim) -> None:
    flood = [DeadLetter(offset, 0, "not_json", None, "d", b"x", None) for offset in range(2500)]
    store.commit(claim, Decision(position_after=Position(2500), dead=flood))
    assert store.purge(Retention(dead_letter_rows=10))["dead_letter"] == 2490
    assert store.queries.dead_letters(1)[0].letter.offset == 2499


def test_nothing_young_goes(store: Store, claim: Claim, alert: Callable[..., Alert]) -> None:
    resolved = [("a", 1, alert()), ("a", 2, alert(state="resolved"))]
    store.commit(claim, Decision(position_after=Position(1), findings=resolved))  # type: ignore[arg-type]
    assert set(store.purge(Retention()).values()) == {0}


def test_a_negative_age_is_refused() -> None:
    with pytest.raises(ValueError, match="input_days is negative"):
        Retention(input_days=-1)
