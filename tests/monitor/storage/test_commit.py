from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from detectors.core.inputs import Receipt
from monitor.clock import SystemClock
from monitor.findings import Alert, Containment, Incident, encode
from monitor.formats.base import DeadLetter
from monitor.sinks.base import Message
from monitor.sources.base import Partition
from monitor.storage.decision import AuditEntry, Claim, Decision, Outgoing, Position, Verdict
from monitor.storage.errors import Duplicate, Fenced
from monitor.storage.store import Store

Make = Callable[..., Alert]


def test_a_decision_is_there_as_a_whole_and_the_position_with_it(
    store: Store, claim: Claim, partition: Partition, alert: Make
) -> None:
    said = alert()
    letter = DeadLetter(7, 0, "too_large", "bot", "digest", b"{", 5.0)
    store.commit(
        claim,
        Decision(
            position_after=Position(10, 0, 2),
            findings=[("a", 1, said)],
            outbox=[Outgoing("webhook", Message("a.1", "alert", 5.0, encode(said)), "a")],
            audit=[AuditEntry("driftd", "alert a")],
            dead=[letter],
        ),
    )
    assert claim.position == claim.decided_to == Position(10, 0, 2)
    assert store.claim(partition, "second") == Claim(partition, 2, Position(10, 0, 2), Position(10, 0, 2))
    assert [line.body for line in store.queries.alert("a")] == [encode(said)]
    assert [due.message.id for due in store.outbox.due(2e6, 10)] == ["a.1"]
    assert [record.what for record in store.queries.audit()] == ["alert a"]
    assert [stored.letter for stored in store.queries.dead_letters()] == [letter]


def test_a_partition_that_was_never_read_has_no_position(store: Store, claim: Claim) -> None:
    assert claim.position is None
    assert claim.decided_to is None
    assert store.positions() == {}
    store.commit(claim, Decision(position_after=Position(0)))
    assert store.positions() == {claim.partition: Position(0)}


def test_an_old_claim_writes_nothing(store: Store, claim: Claim, partition: Partition, alert: Make) -> None:
    newer = store.claim(partition, "second")
    with pytest.raises(Fenced):
        store.commit(claim, Decision(position_after=Position(1), findings=[("a", 1, alert())]))
    with pytest.raises(Fenced):
        store.append_inputs(claim, 0, [])
    with pytest.raises(Fenced):
        store.beat(claim)
    assert store.queries.alert("a") == []
    store.commit(newer, Decision(position_after=Position(1), findings=[("a", 1, alert())]))
    assert len(store.queries.alert("a")) == 1


def test_the_same_decision_twice_is_refused_by_its_position(store: Store, claim: Claim, alert: Make) -> None:
    forgetful = Claim(claim.partition, claim.epoch, None, None)
    decision = Decision(position_after=Position(1), findings=[("a", 1, alert())])
    store.commit(claim, decision)
    with pytest.raises(Fenced):
        store.commit(forgetful, decision)


def test_a_line_written_twice_raises_and_moves_nothing(store: Store, claim: Claim, alert: Make) -> None:
    store.commit(claim, Decision(position_after=Position(1), findings=[("a", 1, alert())]))
    with pytest.raises(Duplicate):
        store.commit(claim, Decision(position_after=Position(2), findings=[("b", 1, alert("b")), ("a", 1, alert())]))
    assert claim.position == Position(1)
    assert store.positions()[claim.partition] == Position(1)
    assert store.queries.alert("b") == []


def test_a_containment_or_message_written_twice_raises(
    store: Store, claim: Claim, containment: Callable[..., Containment]
) -> None:
    message = Outgoing("log", Message("m", "alert", 1.0, b"{}"))
    store.commit(claim, Decision(position_after=Position(1), findings=[("c", 1, containment())], outbox=[message]))
    with pytest.raises(Duplicate):
        store.commit(claim, Decision(position_after=Position(2), findings=[("c", 2, containment())]))
    with pytest.raises(Duplicate):
        store.commit(claim, Decision(position_after=Position(2), outbox=[message]))


@pytest.mark.parametrize(
    ("after", "decided"),
    [(Position(4, 9, 9), None), (Position(5, 0, 1), None), (Position(6), Position(7)), (Position(6), Position(4))],
)
def test_positions_only_grow(store: Store, claim: Claim, after: Position, decided: Position | None) -> None:
    store.commit(claim, Decision(position_after=Position(5, 0, 2)))
    with pytest.raises(ValueError, match="only grow"):
        store.commit(claim, Decision(position_after=after, decided_to=decided))


def test_verdicts_may_be_final_only_up_to_an_earlier_cut(store: Store, claim: Claim, partition: Partition) -> None:
    store.commit(claim, Decision(position_after=Position(5), decided_to=Position(3)))
    assert store.claim(partition, "second").decided_to == Position(3)


def test_lines_are_found_by_the_cuts_they_were_committed_between(
    store: Store, claim: Claim, partition: Partition, alert: Make
) -> None:
    cuts = [Position(5), Position(5, 2), Position(5, 2, 1), Position(9, 0, 1)]
    for number, cut in enumerate(cuts):
        store.commit(claim, Decision(position_after=cut, findings=[(f"a{number}", 1, alert(f"a{number}"))]))
    store.record(Verdict(findings=[("daemon", 1, alert("daemon", entity="daemon"))]))
    store.commit(store.claim(Partition("topic", 1), "x"), Decision(position_after=Position(7)))

    def ids(after: Position | None, until: Position | None) -> list[str]:
        return [line.id for line in store.findings_between(partition, after, until)]

    assert ids(None, None) == ["a0", "a1", "a2", "a3"]
    assert ids(cuts[0], cuts[2]) == ["a1", "a2"]
    assert ids(cuts[3], None) == []
    assert [line.finding for line in store.findings_between(partition, None, cuts[0])] == [alert("a0")]


def test_what_is_decided_beside_partitions_is_recorded(store: Store, alert: Make) -> None:
    told = Incident(
        id="i", time="t", state="firing", cause="role", name="billing", level="page", agents=("x",), agents_total=3
    )
    store.record(Verdict(findings=[("i", 1, told), ("a", 1, alert())], audit=[AuditEntry("ann", "disarm")]))
    assert [line.finding for line in store.queries.incidents(open_only=True)] == [told]
    with pytest.raises(Duplicate):
        store.record(Verdict(findings=[("i", 1, told)]))


def test_receipts_say_what_became_of_a_containment(
    store: Store, claim: Claim, containment: Callable[..., Containment]
) -> None:
    receipt = Receipt(containment="c", time=1.0, tenant="", agent="bot", step="quarantine", outcome="confirmed")
    store.commit(claim, Decision(position_after=Position(1), findings=[("c", 1, containment())], receipts=[receipt]))
    state = store.queries.containment("c")
    assert state is not None
    assert (state.status, state.ended_at, state.receipts) == ("confirmed", None, (receipt,))


def test_threads_share_the_store(store: Store) -> None:
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            held = store.claim(Partition("topic", number), "t")
            for offset in range(20):
                message = Outgoing("log", Message(f"{number}.{offset}", "alert", 1.0, b"{}"))
                entry = AuditEntry("t", "x")
                store.commit(held, Decision(position_after=Position(offset), outbox=[message], audit=[entry]))
                store.outbox.pending_count()
        except BaseException as error:  # noqa: BLE001  (what a thread raises would be lost)
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert store.outbox.pending_count() == 80
    assert store.queries.verify_audit() is None
    assert store.queries.audit_head().seq == 80


def test_two_processes_that_read_and_then_write_wait_for_each_other(url: str) -> None:
    failed: list[BaseException] = []

    def work(number: int) -> None:
        # a store of its own has its own connections and lock, as another process has
        mine = Store.open(url, SystemClock(), busy_seconds=30)
        try:
            for _ in range(25):
                mine.record(Verdict(audit=[AuditEntry(f"{number}", "x")]))
        except BaseException as error:  # noqa: BLE001  (what a thread raises would be lost)
            failed.append(error)
        mine.close()

    Store.open(url, SystemClock()).close()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    store = Store.open(url, SystemClock())
    assert store.queries.audit_head().seq == 75
    assert store.queries.verify_audit() is None
    store.close()
