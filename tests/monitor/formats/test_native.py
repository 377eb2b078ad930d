from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

import pytest

from monitor.formats.base import Decoded
from monitor.formats.native import Native, claimed_agent
from monitor.sources.base import Partition, RawBatch

NOW = 1_767_225_600.0


def event(**fields: Any) -> bytes:
    return json.dumps({"agent": "a", "action": "b", "time": NOW} | fields).encode()


def decode(*values: bytes, times: list[float] | None = None, native: Native | None = None) -> Decoded:
    offsets = list(range(100, 100 + len(values)))
    raw = RawBatch(Partition("s", 0), offsets=offsets, times=times, values=list(values), attested=True)
    return (native or Native()).decode(raw)


def dead(decoded: Decoded) -> list[tuple[int, int, str]]:
    return [(letter.offset, letter.index, letter.reason) for letter in decoded.dead]


def places(decoded: Decoded) -> list[tuple[int, int]]:
    return list(zip(decoded.records.offsets, decoded.records.indexes, strict=True))


def test_events_come_in_order_with_their_places_and_bytes() -> None:
    values = [event(agent=f"a{i}", time=NOW + i) for i in range(1000)]
    decoded = decode(*values)
    records = decoded.records
    assert [e.agent for e in records.events] == [f"a{i}" for i in range(1000)]
    assert records.contents == values
    assert places(decoded) == [(100 + i, 0) for i in range(1000)]
    assert records.arrivals == records.times == [NOW + i for i in range(1000)]
    assert records.arrivals is not records.times
    assert (records.attested, decoded.dead, decoded.clipped) == (True, [], 0)


def test_a_bad_record_costs_only_itself() -> None:
    for bad in (b"{", event(count=True), event(time=None), b"[" * 100_000, event(role="\x7f"), b"\xff"):
        for place in (0, 255, 256, 599):
            values = [event(id=str(i)) for i in range(600)]
            values[place] = bad
            decoded = decode(*values)
            assert [letter.offset for letter in decoded.dead] == [100 + place]
            assert [e.id for e in decoded.records.events] == [str(i) for i in range(600) if i != place]
            assert [len(column) for column in _columns(decoded)] == [599] * 6
            assert places(decoded) == [(100 + i, 0) for i in range(600) if i != place]


def _columns(decoded: Decoded) -> list[list[Any]]:
    records = decoded.records
    return [records.events, records.contents, records.offsets, records.indexes, records.arrivals, records.times]


def test_several_events_in_a_record() -> None:
    packed = b"\n".join([event(id="1"), b"", b"  \r", b"oops", event(id="2") + b"\r", b""])
    decoded = decode(event(id="0"), packed, b"", event(id="3"))
    assert [e.id for e in decoded.records.events] == ["0", "1", "2", "3"]
    assert places(decoded) == [(100, 0), (101, 0), (101, 4), (103, 0)]
    assert dead(decoded) == [(101, 3, "not_json")]


def test_a_carrier_over_its_bound_is_one_dead_letter() -> None:
    native = Native(bytes_max=1000)
    lines = b"\n".join([event()] * 30)
    decoded = decode(event(), lines, event(), native=native)
    assert dead(decoded) == [(101, 0, "carrier_too_large")]
    assert decoded.dead[0].agent == "a"
    assert len(decoded.records) == 2
    assert dead(decode(b"x" * 1001, native=native)) == [(100, 0, "carrier_too_large")]
    assert dead(decode(b"x" * 1000, native=native)) == [(100, 0, "not_json")]


def test_a_dead_letter_says_whose_it_is_and_what_it_held() -> None:
    line = event(agent="sales/7", count=0, objective="x" * 1000, attrs={"x": "y" * 5000})
    letter = decode(line, times=[NOW]).dead[0]
    assert (letter.reason, letter.agent, letter.time) == ("out_of_range:count", "sales/7", NOW)
    assert letter.excerpt == line[:4096]
    assert letter.digest == blake2b(line, digest_size=16).hexdigest()
    assert decode(line, native=Native(excerpts=False)).dead[0].excerpt == b""
    assert decode(line).dead[0].time is None


@pytest.mark.parametrize(
    ("line", "agent"),
    [
        (b'{"agent":"a","count":0', "a"),
        (b'{"count":0,"agent" :\t"a\\u00fc\\"b"', 'aü"b'),
        (b'{"agent":"\xc3\xbc"', "ü"),
        (b'{"agent":"a\\u0000"', None),
        (b'{"agent":"a\x7f"', None),
        (b'{"agent":"\\ud800"', None),
        (b'{"agent":"\xff"', None),
        (b'{"agent":""', None),
        (b'{"agent":"' + b"x" * 257 + b'"', None),
        (b'{"agent":7', None),
        (b'{"agent":"a', None),
        (b" " * 70_000 + b'{"agent":"a"', None),
        (b"", None),
    ],
)
def test_the_claimed_agent(line: bytes, agent: str | None) -> None:
    assert claimed_agent(line) == agent


def test_without_append_times_a_record_needs_its_own() -> None:
    decoded = decode(event(), b'{"agent":"a","action":"b"}', event(time="2026-01-01T00:00:01Z"), event(time=None))
    assert dead(decoded) == [(101, 0, "no_time"), (103, 0, "no_time")]
    assert decoded.records.arrivals == decoded.records.times == [NOW, NOW + 1]


def test_own_times_are_clipped_around_the_append_time() -> None:
    day = 86400.0
    own = [NOW, None, NOW + 300, NOW + 300.1, NOW - 7 * day, NOW - 7 * day - 1, 0.0, 99_999_999_999]
    decoded = decode(*(event(time=time) for time in own), times=[NOW] * 8)
    week = NOW - 7 * day
    assert decoded.records.times == [NOW, NOW, NOW + 300, NOW + 300, week, week, week, NOW + 300]
    assert decoded.records.arrivals == [NOW] * 8
    assert (decoded.clipped, decoded.dead) == (4, [])


def test_append_times_follow_their_lines() -> None:
    packed = b"\n".join([event(id="1", time=None), b"oops", event(id="2", time=None)])
    decoded = decode(event(id="0", time=None), packed, event(id="3", time=None), times=[NOW, NOW + 1, NOW + 2])
    assert decoded.records.arrivals == [NOW, NOW + 1, NOW + 1, NOW + 2]
    assert decoded.records.times == decoded.records.arrivals
    assert decoded.dead[0].time == NOW + 1


def test_milliseconds_are_refused_also_beside_an_append_time() -> None:
    assert dead(decode(event(time=NOW * 1000), times=[NOW])) == [(100, 0, "milliseconds:time")]


def test_unknown_fields_are_counted_by_a_bounded_number_of_names() -> None:
    native = Native()
    decoded = decode(event(foo=1), event(foo=2, bar=3), event(), native=native)
    assert decoded.unknown_fields == {"foo": 2, "bar": 1}
    assert len(decoded.records) == 3
    many = decode(*(event(**{f"x{i}": 1}) for i in range(100)), event(foo=1), native=native)
    assert many.unknown_fields["(others)"] == 100 - 62
    assert many.unknown_fields["foo"] == 1
    assert len(many.unknown_fields) == 64
    odd = decode(event(**{"y" * 65: 1}), event(**{"\x85": 1}))
    assert odd.unknown_fields == {"(others)": 2}


def test_batches_may_be_cut_anywhere() -> None:
    values = [event(id=str(i), time=NOW + i, **({"foo": 1} if i % 50 == 7 else {})) for i in range(700)]
    values[300] = b"oops"
    values[301] = b"\n".join([event(id="x"), b"{", event(id="y")])
    whole = decode(*values)
    for size in (1, 255, 256, 257):
        native, parts = Native(), []
        for start in range(0, 700, size):
            cut = values[start : start + size]
            raw = RawBatch(Partition("s", 0), offsets=list(range(100 + start, 100 + start + len(cut))), values=cut)
            parts.append(native.decode(raw))
        assert [e for part in parts for e in part.records.events] == whole.records.events
        assert [place for part in parts for place in places(part)] == places(whole)
        assert [letter for part in parts for letter in part.dead] == whole.dead
        assert sum(part.unknown_fields["foo"] for part in parts) == whole.unknown_fields["foo"]


def test_an_empty_batch() -> None:
    assert len(decode().records) == 0
    assert len(decode(times=[]).records) == 0
