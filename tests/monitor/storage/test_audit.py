from __future__ import annotations

from typing import Any

import pytest

from monitor.storage import audit
from monitor.storage.audit import AuditFault
from monitor.storage.decision import AuditEntry, Verdict
from monitor.storage.retention import Retention
from monitor.storage.store import Store

DAY = 86400.0


@pytest.fixture
def written(store: Store) -> Store:
    for number in range(5):
        store.record(Verdict(audit=[AuditEntry("ann", f"act {number}", b'{"n":%d}' % number)]))
    return store


def change(store: Store, sql: str) -> None:
    with store._database.write() as connection:
        connection.exec_driver_sql(sql)


def test_the_chain_is_whole_and_newest_first(written: Store) -> None:
    assert written.queries.verify_audit() is None
    found = written.queries.audit(2)
    assert [(one.seq, one.who, one.what, one.body) for one in found] == [
        (5, "ann", "act 4", b'{"n":4}'),
        (4, "ann", "act 3", b'{"n":3}'),
    ]
    assert written.queries.audit_head() == (5, found[0].hash)


@pytest.mark.parametrize(
    ("sql", "seq", "problem"),
    [
        ("UPDATE audit SET who = 'bob' WHERE seq = 3", 3, "does not fit"),
        ("UPDATE audit SET what = 'act 9' WHERE seq = 1", 1, "does not fit"),
        ("UPDATE audit SET body = '{}' WHERE seq = 5", 5, "does not fit"),
        ("UPDATE audit SET at = at + 1 WHERE seq = 2", 2, "does not fit"),
        ("UPDATE audit SET hash = 'x' WHERE seq = 4", 4, "does not fit"),
        ("DELETE FROM audit WHERE seq = 3", 3, "missing"),
        ("DELETE FROM audit WHERE seq = 1", 1, "missing"),
        ("DELETE FROM audit WHERE seq = 5", 5, "the end of the chain is missing"),
        ("DELETE FROM audit", 1, "the end of the chain is missing"),
    ],
)
def test_what_was_changed_or_taken_out_is_found(written: Store, sql: str, seq: int, problem: str) -> None:
    change(written, sql)
    fault = written.queries.verify_audit()
    assert fault is not None
    assert fault.seq == seq
    assert problem in fault.problem


def test_swapped_records_are_found(written: Store) -> None:
    change(written, "UPDATE audit SET seq = -2 WHERE seq = 2")
    change(written, "UPDATE audit SET seq = 2 WHERE seq = 3")
    change(written, "UPDATE audit SET seq = 3 WHERE seq = -2")
    assert written.queries.verify_audit() == AuditFault(2, "the record does not fit its hash")


def test_a_record_rewritten_with_a_hash_of_its_own_no_longer_fits_the_next(written: Store) -> None:
    third, second = written.queries.audit(4)[2:]
    assert (second.seq, third.seq) == (2, 3)
    forged = audit._hash(second.hash, 3, at=third.at, who="bob", what=third.what, body=third.body)
    change(written, f"UPDATE audit SET who = 'bob', hash = '{forged}' WHERE seq = 3")
    assert written.queries.verify_audit() == AuditFault(4, "the record does not fit its hash")


def test_a_head_that_was_written_down_finds_a_chain_that_was_cut_off_with_its_head(written: Store) -> None:
    anchor = written.queries.audit_head()
    change(written, "DELETE FROM audit WHERE seq = 5")
    change(written, "UPDATE audit_head SET seq = 4, hash = (SELECT hash FROM audit WHERE seq = 4)")
    assert written.queries.verify_audit() is None
    fault = written.queries.verify_audit(anchor)
    assert fault is not None
    assert "shorter" in fault.problem
    written.record(Verdict(audit=[AuditEntry("eve", "nothing")]))
    fault = written.queries.verify_audit(anchor)
    assert fault is not None
    assert "not the one" in fault.problem


def test_retention_takes_the_oldest_and_the_rest_can_still_be_verified(written: Store, clock: Any) -> None:
    clock.now += 10 * DAY
    written.record(Verdict(audit=[AuditEntry("ann", "late")]))
    assert written.purge(Retention(audit_days=5))["audit"] == 5
    assert [one.seq for one in written.queries.audit()] == [6]
    assert written.queries.verify_audit() is None
    written.record(Verdict(audit=[AuditEntry("ann", "later")]))
    assert written.queries.verify_audit() is None
    change(written, "DELETE FROM audit WHERE seq = 6")
    assert written.queries.verify_audit() == AuditFault(6, "the record is missing")


def test_names_from_outside_are_cleaned_and_still_fit_their_hash(store: Store) -> None:
    store.record(Verdict(audit=[AuditEntry("a\0b\ud800" + "c" * 999, "x")]))
    (record,) = store.queries.audit()
    assert "\0" not in record.who
    assert len(record.who) == 256
    assert store.queries.verify_audit() is None
