"""Keyed digests: the same name is the same number, and nobody without the key can say which."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.core.digests import Digests, mix, mix_one

numbers = st.integers(1, 2**64 - 1)


def test_a_digest_depends_on_key_kind_and_name() -> None:
    scopes = Digests(b"key", "scope")
    assert scopes["crm:read"] == scopes["crm:read"] == Digests(b"key", "scope")["crm:read"]
    others = [Digests(b"other", "scope")["crm:read"], Digests(b"key", "target")["crm:read"], scopes["crm:write"]]
    assert len({scopes["crm:read"], *others}) == 4


@given(st.text())
def test_a_digest_is_64_bits_and_never_0(name: str) -> None:
    digests = Digests(b"key", "scope")
    try:
        digest = digests[name]
    except UnicodeEncodeError:  # lone surrogates never come past the decoder
        return
    assert 0 < digest < 2**64
    assert digests.of(name.encode()) == digest


def test_the_memo_is_bounded_and_clearing_it_changes_no_digest() -> None:
    digests = Digests(b"key", "scope", memo_max=3)
    told = [digests[f"s{i}"] for i in range(50)]
    assert len(digests) <= 3
    assert [digests[f"s{i}"] for i in range(50)] == told


def test_a_digest_is_the_same_on_every_machine() -> None:
    assert Digests(b"driftd replay, public", "scope")["crm:read"] == 0x553628D84E3EC777


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20))
def test_mixing_pairs_of_arrays_is_mixing_each_pair(pairs: list[tuple[int, int]]) -> None:
    who, what = (np.array(part, np.uint64) for part in zip(*pairs, strict=True))
    assert mix(who, what).tolist() == [mix_one(a, b) for a, b in pairs]
    assert all(mix_one(a, b) for a, b in pairs)


def test_the_same_thing_of_two_agents_has_two_keys() -> None:
    keys = {mix_one(who, what) for who in range(1, 60) for what in range(1, 60)}
    assert len(keys) > 59 * 59 * 0.99
