from __future__ import annotations

import math
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.core.inputs import (
    CohortVersion,
    Delegation,
    Directed,
    Input,
    Pooled,
    Receipt,
    Release,
    Tick,
)
from monitor.sources.base import Partition
from monitor.storage.decision import Claim, Decision, Position
from monitor.storage.errors import StorageError
from monitor.storage.inputs import encoded
from monitor.storage.store import Store

DELEGATION = Delegation(content=b"\x00\xff", arrival=1.5, source="other", offset=7, index=1, attested=True)
RECEIPT = Receipt(containment="c", time=1.0, tenant="", agent="bot", step="kill", outcome="confirmed")
RELEASE = Release(time=1.0, by="ann", id="r1", role="billing")


def anything(of: Any) -> st.SearchStrategy[Any]:
    """Any value of a type of the inputs: structs, unions, literals, tuples and plain ones."""
    if isinstance(of, type) and issubclass(of, msgspec.Struct):
        return st.builds(of, **{field.name: anything(field.type) for field in msgspec.structs.fields(of)})
    parts = typing.get_args(of)
    match typing.get_origin(of):
        case None:
            plain = {str: st.text(st.characters(exclude_categories=["Cs"])), int: st.integers(-(2**63), 2**64 - 1)}
            finite = st.floats(allow_nan=False, allow_infinity=False)
            return (plain | {float: finite, bytes: st.binary(), bool: st.booleans(), type(None): st.none()})[of]
        case typing.Literal:
            return st.sampled_from(parts)
        case origin if origin is tuple:
            return st.lists(anything(parts[0]), max_size=3).map(tuple)
        case origin if origin is dict:
            return st.dictionaries(anything(parts[0]), anything(parts[1]), max_size=3)
        case _:
            return st.one_of(*(anything(part) for part in parts))


KINDS = [*typing.get_args(Input), *typing.get_args(typing.get_type_hints(Directed)["directive"])]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(drawn=st.data())
def test_every_kind_of_input_reads_back_as_it_was(store: Store, kind: type, drawn: st.DataObject) -> None:
    one = drawn.draw(anything(kind))
    new: Input = one if kind in typing.get_args(Input) else Directed(one)
    untouched = Partition("topic", len(store.positions()))
    claim = store.claim(untouched, "x")
    store.commit(claim, Decision(position_after=Position(0)))
    assert store.append_inputs(claim, 0, [new]) == [(1, 0, new)]
    assert store.read_inputs(untouched) == [(1, 0, new)]


def test_inputs_are_numbered_and_come_back_in_order(store: Store, claim: Claim, partition: Partition) -> None:
    other = store.claim(Partition("topic", 1), "x")
    store.append_inputs(claim, 3, [Tick(1.0), Tick(2.0)])
    store.append_inputs(other, 9, [Tick(9.0)])
    store.append_inputs(claim, 3, [Tick(3.0)])
    store.append_inputs(claim, 8, [Tick(4.0)])
    found = [(one.seq, one.at_offset, one.input) for one in store.read_inputs(partition)]
    assert found == [(1, 3, Tick(1.0)), (2, 3, Tick(2.0)), (3, 3, Tick(3.0)), (4, 8, Tick(4.0))]
    assert [one.seq for one in store.read_inputs(partition, 4)] == [4]
    assert [one.seq for one in store.read_inputs(partition, 3, after_seq=2)] == [3, 4]


def test_what_was_written_before_a_crash_is_not_written_again(store: Store, claim: Claim, partition: Partition) -> None:
    again: list[Input] = [DELEGATION, RECEIPT, Directed(RELEASE), CohortVersion(5)]
    assert len(store.append_inputs(claim, 0, [*again, *again])) == 4
    after = store.claim(partition, "after the crash")
    assert store.append_inputs(after, 0, [*again, Tick(1.0), Tick(1.0)])[0].seq == 5
    assert len(store.read_inputs(partition)) == 6


def test_an_input_never_lands_before_what_was_read_or_written(store: Store, claim: Claim) -> None:
    store.commit(claim, Decision(position_after=Position(5)))
    with pytest.raises(ValueError, match="an input at 4"):
        store.append_inputs(claim, 4, [Tick(1.0)])
    store.append_inputs(claim, 7, [Tick(1.0)])
    with pytest.raises(ValueError, match="an input at 6"):
        store.append_inputs(claim, 6, [Tick(1.0)])


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_an_input_that_would_not_read_back_is_refused(store: Store, claim: Claim, number: float) -> None:
    with pytest.raises(ValueError, match="does not survive"):
        store.append_inputs(claim, 0, [CohortVersion(1, pooled=(Pooled(1, "rate", (number,)),))])
    assert store.read_inputs(claim.partition) == []


def test_an_input_of_a_newer_release_is_said_and_not_passed_over(store: Store, claim: Claim) -> None:
    store.append_inputs(claim, 0, [Tick(1.0)])
    with store._database.write() as connection:
        connection.exec_driver_sql("UPDATE input SET body = ?", ('{"input":"oracle"}',))
    with pytest.raises(StorageError, match=r"Input 1 .tick. of topic/0 cannot be read"):
        store.read_inputs(claim.partition)


def test_encoding_names_the_kind() -> None:
    assert msgspec.json.decode(encoded(Directed(RELEASE)))["directive"]["directive"] == "release"
