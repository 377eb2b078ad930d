from __future__ import annotations

import pytest

from detectors.core.inputs import Accept, Behaviour, Directed, Ratify, Release
from monitor.storage.decision import Claim
from monitor.storage.errors import Duplicate, Refused
from monitor.storage.store import Store

RELEASE = Release(time="2026-01-01T00:00:00Z", by="ann", role="billing")


def test_a_directive_waits_until_somebody_else_confirms_it(store: Store, claim: Claim) -> None:
    proposed = store.directives.propose(RELEASE)
    assert proposed.id
    with pytest.raises(Refused, match="ann proposed"):
        store.directives.confirm(proposed.id, "ann")
    assert [one.state for one in store.directives.all("pending")] == ["pending"]
    assert store.directives.confirm(proposed.id, "bob") == proposed
    (found,) = store.directives.all("confirmed")
    assert (found.directive, found.ended_by) == (proposed, "bob")
    store.append_inputs(claim, 0, [Directed(proposed)])
    assert store.append_inputs(claim, 0, [Directed(proposed)]) == [], "appending again after a crash does nothing"
    store.directives.applied(proposed.id)
    assert [one.state for one in store.directives.all()] == ["applied"]


def test_each_step_is_audited_with_who_took_it(store: Store) -> None:
    proposed = store.directives.propose(RELEASE)
    store.directives.confirm(proposed.id, "bob")
    found = [(one.who, one.what) for one in reversed(store.queries.audit())]
    assert found == [("ann", "propose release"), ("bob", "confirmed release")]


def test_what_is_not_pending_cannot_be_confirmed(store: Store) -> None:
    proposed = store.directives.propose(RELEASE)
    store.directives.reject(proposed.id, "ann")
    with pytest.raises(Refused, match="is rejected, not pending"):
        store.directives.confirm(proposed.id, "bob")
    with pytest.raises(Refused, match="no directive nonsense"):
        store.directives.confirm("nonsense", "bob")
    with pytest.raises(Refused, match="not confirmed"):
        store.directives.applied(proposed.id)


def test_an_id_is_used_once(store: Store) -> None:
    store.directives.propose(Ratify(time=1.0, by="ann", id="mine", role="billing"))
    with pytest.raises(Duplicate):
        store.directives.propose(Accept(time=1.0, by="ann", id="mine", agent="x", what=Behaviour(scope="s")))
