from __future__ import annotations

import json
from typing import Any

import pytest

from detectors.core.bad_record import BadRecord
from detectors.core.event import BYTES_MAX, Event, decode, decode_plain
from detectors.core.strict import seconds_of

GOOD = b'{"agent":"a","action":"b","time":1767225600}'


def line(more: str) -> bytes:
    """An event with further members, as they are written here."""
    return b'{"agent":"a","action":"b",' + more.encode("utf-8", "surrogatepass") + b"}"


def nested(depth: int) -> bytes:
    """An event that is `depth` deep itself."""
    return line('"attrs":{"x":' + "[" * (depth - 2) + "]" * (depth - 2) + "}")


def sized(size: int) -> bytes:
    return line('"attrs":{"x":"' + "x" * (size - len(line('"attrs":{"x":""}'))) + '"}')


def reason(content: bytes) -> str | None:
    try:
        decode(content)
    except BadRecord as bad:
        return bad.reason
    return None


STRINGS = {
    "agent": 256,
    "action": 256,
    "id": 128,
    "tenant": 128,
    "role": 256,
    "version": 256,
    "session": 256,
    "principal": 256,
    "target": 1024,
    "scope": 256,
    "unit": 64,
    "approver": 256,
    "host": 256,
    "objective": 1024,
}
FORBIDDEN = ["\x00", "\x01", "\x09", "\x1f", "\x7f", "\x80", "\x85", "\x9f", "\u2028", "\u2029"]

BAD: list[tuple[str, bytes]] = [
    ("not_json", b""),
    ("not_json", b"{"),
    ("not_json", b"hello"),
    ("not_json", GOOD + b" x"),
    ("not_json", GOOD + GOOD),
    ("not_json", b"\xef\xbb\xbf" + GOOD),
    ("not_json", b"{'agent':'a'}"),
    ("not_json", line('"amount":NaN')),
    ("not_json", line('"amount":Infinity')),
    ("not_json", line('"amount":-Infinity')),
    ("not_json", line('"attrs":{"x":NaN}')),
    ("not_json", line('"foo":NaN')),
    ("not_json", line('"amount":01')),
    ("not_json", line('"role":"\x00"')),
    ("not_json", line('"role":"\x1f"')),
    ("not_json", line('"attrs":{"x":"\x00"}')),
    ("not_json", line('"attrs":{"x":"\\q"}')),
    ("not_json", line('"attrs":{"x":1,}')),
    ("not_an_object", b"[1]"),
    ("not_an_object", b"1"),
    ("not_an_object", b'"a"'),
    ("not_an_object", b"null"),
    ("not_utf8", b'{"agent":"\xff","action":"b"}'),
    ("not_utf8", b'{"agent":"a","action":"b","attrs":{"x":"\xff"}}'),
    ("not_utf8", b'{"agent":"a","action":"b","attrs":{"\xff":1}}'),
    ("not_utf8", b'{"agent":"a","action":"b","foo":"\xc0\x80"}'),
    ("not_utf8", b'{"agent":"a","action":"b","\xff":1}'),
    ("not_utf8", line('"role":"\ud800"')),
    ("surrogate", line('"role":"\\ud800"')),
    ("surrogate", line('"role":"\\udc00"')),
    ("surrogate", line('"role":"\\ud800\\ud800\\udc00"')),
    ("surrogate", line('"role":"\\ud83d\\\\\\ude00"')),
    ("surrogate", line('"attrs":{"x":"\\uD800"}')),
    ("surrogate", line('"attrs":{"\\ud800":1}')),
    ("surrogate", line('"digests":{"x":"\\udfff"}')),
    ("surrogate", line('"foo":{"x":"\\ud800"}')),
    ("null_character", line('"attrs":{"x":"\\u0000"}')),
    ("null_character", line('"attrs":{"x":"\\\\\\u0000"}')),
    ("null_character", line('"attrs":{"\\u0000":1}')),
    ("null_character", line('"digests":{"code":"\\u0000"}')),
    ("null_character", line('"foo":"\\u0000"')),
    ("missing_field:agent", b'{"action":"b"}'),
    ("missing_field:agent", b"{}"),
    ("missing_field:action", b'{"agent":"a"}'),
    ("empty:agent", b'{"agent":"","action":"b"}'),
    ("empty:action", b'{"agent":"a","action":""}'),
    ("wrong_type:agent", b'{"agent":null,"action":"b"}'),
    ("wrong_type:agent", b'{"agent":1,"action":"b"}'),
    ("wrong_type:agent", b'{"agent":"x","agent":[],"action":"b"}'),
    ("wrong_type:count", line('"count":true')),
    ("wrong_type:count", line('"count":1.5')),
    ("wrong_type:count", line('"count":"1"')),
    ("wrong_type:count", line('"count":null')),
    ("wrong_type:amount", line('"amount":true')),
    ("wrong_type:amount", line('"amount":"1"')),
    ("wrong_type:approval_seconds", line('"approval_seconds":false')),
    ("wrong_type:time", line('"time":true')),
    ("wrong_type:time", line('"time":[]')),
    ("wrong_type:privileged", line('"privileged":1')),
    ("wrong_type:privileged", line('"privileged":"true"')),
    ("wrong_type:via", line('"via":"a"')),
    ("wrong_type:via", line('"via":["a",1]')),
    ("wrong_type:origin", line('"origin":[]')),
    ("wrong_type:origin", line('"origin":{"from":1}')),
    ("wrong_type:origin", line('"origin":{"trusted":"yes"}')),
    ("wrong_type:digests", line('"digests":{"code":1}')),
    ("wrong_type:digests", line('"digests":[]')),
    ("wrong_type:attrs", line('"attrs":[]')),
    ("wrong_type:attrs", line('"attrs":"x"')),
    ("wrong_type:count", line('"foo":1,"count":true')),
    ("out_of_range:count", line('"count":0')),
    ("out_of_range:count", line('"count":-1')),
    ("out_of_range:count", line('"count":1000001')),
    ("out_of_range:count", line('"count":' + "9" * 400)),
    ("out_of_range:amount", line('"amount":-1')),
    ("out_of_range:amount", line('"amount":1e999')),
    ("out_of_range:amount", line('"amount":' + "9" * 400)),
    ("out_of_range:approval_seconds", line('"approval_seconds":-0.5')),
    ("out_of_range:time", line('"time":-1')),
    ("out_of_range:time", line('"time":1e999')),
    ("out_of_range:time", line('"time":-1e999')),
    ("out_of_range:time", line('"time":' + "9" * 5000)),
    ("milliseconds:time", line('"time":100000000001')),
    ("milliseconds:time", line('"time":1767225600000')),
    ("no_offset:time", line('"time":"2026-01-01T00:00:00"')),
    ("not_rfc3339:time", line('"time":"yesterday"')),
    ("not_rfc3339:time", line('"time":""')),
    ("too_long:time", line('"time":"' + "0" * 65 + '"')),
    ("unknown_value:effect", line('"effect":"zap"')),
    ("unknown_value:effect", line('"effect":"Read"')),
    ("unknown_value:outcome", line('"outcome":""')),
    ("unknown_value:approval", line('"approval":"yes"')),
    ("too_many:via", line('"via":' + json.dumps(["x"] * 17))),
    ("too_long:via", line('"via":["' + "x" * 257 + '"]')),
    ("too_long:origin", line('"origin":{"from":"' + "x" * 257 + '"}')),
    ("too_large", sized(BYTES_MAX + 1)),
    ("too_large", b"[" * 100_000),
    ("too_deep", nested(33)),
    ("too_deep", nested(34)),
    ("too_deep", nested(1_100)),
    ("too_deep", nested(30_000)),
    ("too_deep", line('"foo":' + "[" * 32 + "]" * 32)),
    ("too_deep", line('"attrs":' + '{"":' * 32 + "1" + "}" * 32)),
    ("too_deep", line('"attrs":{"x":[' + "[]," * 40 + "[" * 30 + "]" * 30 + "]}")),
    *((f"too_long:{name}", line(f'"{name}":"{"x" * (most + 1)}"')) for name, most in STRINGS.items()),
    *((f"wrong_type:{name}", line(f'"{name}":7')) for name in STRINGS),
    *((f"control_character:{name}", line(f'"{name}":"x\\u0000"')) for name in STRINGS),
    *((f"control_character:{name}", line(f'"{name}":"x\\n"')) for name in STRINGS),
    *((f"control_character:{name}", line(f'"{name}":"x{c}"')) for name in STRINGS for c in FORBIDDEN if c > "\x1f"),
    *((f"control_character:{name}", line(f'"{name}":"x\\u{ord(c):04x}"')) for name in STRINGS for c in FORBIDDEN),
    *(("control_character:via", line(f'"via":["ok","\\u{ord(c):04X}"]')) for c in FORBIDDEN),
    *(("control_character:origin", line(f'"origin":{{"from":"\\u{ord(c):04x}"}}')) for c in FORBIDDEN),
    ("control_character:via", line('"via":["\x7f"]')),
    ("control_character:origin", line('"origin":{"from":"\u2028"}')),
    ("control_character:role", line('"foo":1,"role":"\x85"')),
]

FINE: list[tuple[bytes, dict[str, Any]]] = [
    (GOOD, {"agent": "a", "action": "b", "time": 1767225600.0, "count": 1, "outcome": "ok", "tenant": "", "via": ()}),
    (b"\t " + GOOD + b" \r", {"agent": "a"}),
    (b'{"agent":"a","action":"b","agent":"c"}', {"agent": "c"}),  # of a repeated key the last one counts
    (line('"time":100000000000'), {"time": 1e11}),
    (line('"time":"2026-01-01T01:00:00+01:00"'), {"time": 1767225600.0}),
    (line('"time":null,"role":null,"attrs":null,"origin":null'), {"time": None, "role": None}),
    (line('"origin":{"from":"mail","trusted":null}'), {}),
    (line('"role":"Jürgen – 東京 \U0001f600"'), {"role": "Jürgen – 東京 \U0001f600"}),
    (line('"role":"\\ud83d\\ude00 \\u00fc \\"\\/"'), {"role": '\U0001f600 ü "/'}),
    (line('"role":"a\xa0b\u202e\ufeff"'), {"role": "a\xa0b\u202e\ufeff"}),  # not printable, and not forbidden
    (line('"role":"\\\\u0000"'), {"role": "\\u0000"}),
    (line('"role":"\\\\ud800"'), {"role": "\\ud800"}),
    (line('"attrs":{"x":"\\n\\u0085\x7f\u2028","\\t":"\\\\u0000","y":"\\\\ud800"}'), {"role": None}),
    (line('"attrs":{"x":1e999}'), {}),  # passed over, so never made a number
    (line('"digests":{"code":"a\\n\x7f"}'), {"digests": {"code": "a\n\x7f"}}),
    (line('"count":1000000,"amount":0,"privileged":false'), {"count": 1_000_000, "amount": 0.0}),
    (line('"amount":1.7976931348623157e308'), {"amount": 1.7976931348623157e308}),
    (line('"via":' + json.dumps(["x" * 256] * 16)), {"via": ("x" * 256,) * 16}),
    (nested(32), {}),
    (line('"role":"' + "[" * 100 + '"'), {"role": "[" * 100}),
    (line('"role":"\\"' + "{" * 100 + '"'), {"role": '"' + "{" * 100}),
    (line('"attrs":{"x":[' + ",".join(["[[]]"] * 100) + "]}"), {}),
    (sized(BYTES_MAX), {}),
    (sized(BYTES_MAX) + b"\r", {}),
    *((line(f'"{name}":"{"ü" * most}"'), {name: "ü" * most}) for name, most in STRINGS.items()),
]


@pytest.mark.parametrize(("expected", "content"), BAD)
def test_a_bad_record_has_its_reason(expected: str, content: bytes) -> None:
    assert reason(content) == expected
    assert decode_plain([GOOD, content, GOOD]) is None


@pytest.mark.parametrize(("content", "fields"), FINE)
def test_a_good_record_is_read(content: bytes, fields: dict[str, Any]) -> None:
    event = decode(content)
    assert {name: getattr(event, name) for name in fields} == fields
    at_once = decode_plain([content])
    assert at_once is None or at_once == [event]


def test_plain_lines_are_read_at_once() -> None:
    lines = [GOOD, line('"time":"2026-01-01T00:00:00Z","attrs":{"x":[1]},"via":["y"]'), line('"role":"r"')]
    assert decode_plain(lines) == [decode(content) for content in lines]
    assert decode_plain([]) == []


def test_two_lines_are_no_plain_line() -> None:
    assert decode_plain([b'{"agent":"a",\n"action":"b"}']) is None


def test_unknown_fields_are_named_when_the_record_is_good() -> None:
    names: list[str] = []
    event = decode(line('"foo":{"agent":"x"},"origin":{"bar":1},"Time":1'), names.append)
    assert isinstance(event, Event)
    assert (event.agent, names) == ("a", ["foo", "Time"])
    with pytest.raises(BadRecord):
        decode(line('"more":1,"count":0'), names.append)
    with pytest.raises(BadRecord):
        decode(line('"more":1,"role":"\x7f"'), names.append)
    assert names == ["foo", "Time"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T00:00:00Z", 1767225600.0),
        ("2026-01-01t00:00:00.250z", 1767225600.25),
        ("2026-01-01 02:00:00+02:00", 1767225600.0),
        ("2025-12-31T22:30:00-01:30", 1767225600.0),
        ("2025-12-31T23:59:60Z", 1767225600.0),
        ("1970-01-01T00:00:00Z", 0.0),
        ("2026-01-01", "not_rfc3339:time"),
        ("20260101T000000Z", "not_rfc3339:time"),
        ("2026-02-30T00:00:00Z", "not_rfc3339:time"),
        ("2026-01-01T00:00:61Z", "not_rfc3339:time"),
        ("2026-01-01T00:00:00", "no_offset:time"),
        ("1969-12-31T23:59:59Z", "out_of_range:time"),
        ("0001-01-01T00:00:00+10:00", "out_of_range:time"),
        ("9999-12-31T23:59:59-23:00", "out_of_range:time"),
    ],
)
def test_times(text: str, expected: float | str) -> None:
    if isinstance(expected, float):
        assert seconds_of(text) == expected
        return
    with pytest.raises(BadRecord) as caught:
        seconds_of(text)
    assert caught.value.reason == expected
