"""Mutate records and hold the decoder against a slow, plain reading of the contract: both accept the same ones.

`python tests/fuzz/fuzz_native.py --runs 100000 [--seed N]`; exit 1 and the record when they differ.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections.abc import Callable
from typing import Any

from detectors.core.bad_record import BadRecord
from detectors.core.event import decode, decode_plain
from detectors.core.strict import seconds_of
from monitor.formats.native import Native
from monitor.sources.base import Partition, RawBatch

SEEDS = [
    b'{"agent":"a","action":"b","time":1767225600}',
    b'{"id":"1","time":"2026-01-01T00:00:00.5Z","agent":"a/1","role":"r","action":"x.get","target":"t/1","scope":"s:r",'
    b'"effect":"read","outcome":"ok","amount":12.5,"unit":"rows","count":3,"approval":"granted","approver":"p"}',
    b'{"agent":"a","action":"b","via":["x","y"],"origin":{"from":"m","trusted":true,"in_request":null},"tenant":"t"}',
    '{"agent":"ä","action":"b","digests":{"code":"1","é":"2"},"attrs":{"a":[1,{"b":"\\u00e9"}]},"host":"h"}'.encode(),
    b'{"agent":"a","action":"b","foo":{"x":[[]]},"privileged":false,"approval_seconds":1e2,"objective":"o\\n"}',
]
TOKENS = [
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"NaN", b"Infinity", b"1e999", b"-1", b"0"),
    *(b"\\u0000", b"\\ud800", b"\\udc00", b"\\ud83d\\ude00", b"\\\\", b"\\u0085", b"\\u2028", b"\\n", b"\\x"),
    *(b"\x00", b"\x1f", b"\x7f", b"\xc2\x85", b"\xc2\xa0", b"\xe2\x80\xa8", b"\xe2\x80\xae", b"\xff", b"\xed\xa0\x80"),
    *(b"\xef\xbb\xbf", b" ", b"\n", b"\r", b"[" * 31, b"]" * 31, b'{"":' * 16, b"9" * 400, b"x" * 257, b"x" * 66_000),
    *(b'"agent":"b",', b'"attrs":{"y":"z"},', b'"count":1.0,', b'"count":true,', b'"time":1767225600000,', b'"zz":1,'),
]
VALUES = [
    *(b'""', b'"x"', b"null", b"true", b"false", b"1", b"0", b"1.5", b"-0", b"-1", b"1e3", b"1E400", b"1000001", b"{}"),
    *(b"[]", b'["a"]', b'{"from":"x"}', b'{"x":"y"}', b'{"x":1}', b'"read"', b'"ok"', b'"granted"', b"1e11", b"1e12"),
    *(b'"2026-01-01T00:00:00+01:00"', b'"2026-01-01T00:00:00"', b'"\\u00fc\\n"', b'{"\\t":"\\n\x7f"}', b'"\xc3\xbc"'),
    *(b'"\\\\u0000"', b'["\\u2029"]', b'{"x":[' + b"[" * 29 + b"]" * 29 + b"]}", b'"' + b"y" * 256 + b'"'),
]
REASONS = re.compile(
    r"not_json|not_an_object|not_utf8|surrogate|null_character|too_large|too_deep|"
    r"(missing_field|empty|wrong_type|out_of_range|milliseconds|no_offset|not_rfc3339|too_long|too_many|unknown_value|"
    r"control_character):[a-z_]+",
)
LENGTHS = {"id": 128, "tenant": 128, "unit": 64, "target": 1024, "objective": 1024}
CHOICES = {
    "effect": ("read", "write", "delete", "execute", "send", "grant", "remember"),
    "outcome": ("ok", "error", "denied"),
    "approval": ("not-required", "granted", "skipped", "refused"),
}
STRINGS = (
    *("agent", "action", "id", "tenant", "role", "version", "session", "principal", "target", "scope"),
    *("unit", "approver", "host", "objective"),
)
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


class Object(list[tuple[str, Any]]):
    """A JSON object as pairs, repeated keys among them."""


def refuse(_: str) -> None:
    raise ValueError


def walk(value: Any, depth: int) -> bool:
    """No null or surrogate character anywhere, and not too deep."""
    if isinstance(value, str):
        return not re.search("[\x00\ud800-\udfff]", value)
    if isinstance(value, Object):
        return depth < 32 and all(walk(name, depth + 1) and walk(inner, depth + 1) for name, inner in value)
    if isinstance(value, list):
        return depth < 32 and all(walk(inner, depth + 1) for inner in value)
    return True


def scrubbed(value: Any) -> Any:
    """The value with harmless characters for forbidden ones."""
    if type(value) is str:
        return FORBIDDEN.sub("x", value)
    if isinstance(value, Object):
        return Object((name, scrubbed(inner)) for name, inner in value)
    return [scrubbed(inner) for inner in value] if type(value) is list else value


def members(pairs: Object) -> Object:
    """Of a repeated name the last one counts: of the others type and length are checked, but not what they say."""
    last = {name: number for number, (name, _) in enumerate(pairs)}
    repeated = Object()
    for number, (name, value) in enumerate(pairs):
        passed_over = None if name == "time" and type(value) is str and len(value) <= 64 else scrubbed(value)
        repeated.append((name, value if last[name] == number else passed_over))
    return repeated


def text(value: Any, most: int) -> bool:
    return type(value) is str and len(value) <= most and not FORBIDDEN.search(value)


def amount(value: Any, most: float = sys.float_info.max) -> bool:
    return isinstance(value, Number) and 0 <= float(value) <= most


def valid_time(value: Any) -> bool:
    if type(value) is not str:
        return amount(value, 1e11)
    try:
        seconds_of(value)
    except BadRecord:
        return False
    return True


def valid_origin(value: Any) -> bool:
    return isinstance(value, Object) and all(
        inner is None
        or (text(inner, 256) if part == "from" else type(inner) is bool)
        or part not in ("from", "trusted", "in_request")
        for part, inner in members(value)
    )


def valid_count(value: Any) -> bool:
    return isinstance(value, Number) and bool(re.fullmatch(r"[0-9]{1,7}", value)) and 1 <= int(value) <= 10**6


#: what the contract's table says about each field; null stands for absent where a field has no other default
NOT_NULL: dict[str, Callable[[Any], bool]] = {
    "agent": lambda v: text(v, 256) and v != "",
    "action": lambda v: text(v, 256) and v != "",
    "tenant": lambda v: text(v, 128),
    "via": lambda v: type(v) is list and len(v) <= 16 and all(text(agent, 256) for agent in v),
    "count": valid_count,
    "outcome": lambda v: type(v) is str and v in CHOICES["outcome"],
    "approval": lambda v: type(v) is str and v in CHOICES["approval"],
}
OR_NULL: dict[str, Callable[[Any], bool]] = {
    "effect": lambda v: type(v) is str and v in CHOICES["effect"],
    "time": valid_time,
    "amount": amount,
    "approval_seconds": amount,
    "privileged": lambda v: type(v) is bool,
    "origin": valid_origin,
    "digests": lambda v: isinstance(v, Object) and all(type(inner) is str for _, inner in v),
    "attrs": lambda v: isinstance(v, Object),
}


def valid(name: str, value: Any) -> bool:
    if name in NOT_NULL:
        return NOT_NULL[name](value)
    if value is None:
        return True
    if name in STRINGS:
        return text(value, LENGTHS.get(name, 256))
    return name not in OR_NULL or OR_NULL[name](value)


def allowed(line: bytes) -> bool:
    """The contract, read plainly."""
    if len(line.strip()) > 64 * 1024:
        return False
    try:
        value = json.loads(
            line.decode(), parse_constant=refuse, parse_int=Number, parse_float=Number, object_pairs_hook=Object
        )
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, Object) or not walk(value, 0) or not {"agent", "action"} <= {name for name, _ in value}:
        return False
    return all(valid(name, inner) for name, inner in members(value))


def mutated(chance: random.Random) -> bytes:
    line = chance.choice(SEEDS)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(line) + 1)
        kind = chance.randrange(8)
        if kind == 0:
            line = line[:at] + bytes([chance.randrange(256)]) + line[at + 1 :]
        elif kind == 1:
            line = line[:at] + line[at + chance.randrange(1, 6) :]
        elif kind == 2:
            other = chance.choice(SEEDS)
            line = line[:at] + other[chance.randrange(len(other)) :]
        elif kind < 6:
            name = chance.choice([*STRINGS, *NOT_NULL, *OR_NULL, "foo"]).encode()
            line = line.replace(b"{", b'{"' + name + b'":' + chance.choice(VALUES) + b",", 1)
        else:
            # most often at the start of a value, a name or a string, where it means something
            places = [match.end() for match in re.finditer(rb'[:,"\[{]', line)] or [at]
            at = chance.choice(places)
            line = line[:at] + chance.choice(TOKENS) + line[at + chance.choice((0, 0, 1, 3)) :]
    return line


def verdict(line: bytes) -> bool:
    """Whether the decoder accepts the line; it raises nothing but BadRecord, with a reason of the closed set."""
    try:
        event = decode(line)
    except BadRecord as bad:
        reason = bad.reason
    else:
        assert event.time is None or isinstance(event.time, float)
        return True
    assert REASONS.fullmatch(reason), reason
    return False


def check(line: bytes) -> bool:
    """One record through every way of reading it; whether it is an event."""
    accepted = verdict(line)
    assert accepted == allowed(line), f"decoder {accepted}, contract {not accepted}"
    at_once = decode_plain([SEEDS[0], line])
    assert at_once is None or (accepted and at_once[1] == decode(line))
    raw = RawBatch(Partition("0", 0), offsets=[1, 2, 3], values=[SEEDS[0], line, SEEDS[0]], times=[1.8e9, 1.8e9, 1.8e9])
    decoded = Native().decode(raw)
    offsets = decoded.records.offsets
    assert (offsets[0], offsets[-1]) == (1, 3), "a neighbour was lost"
    lines = [part for part in line.split(b"\n") if part.strip()]
    assert len(offsets) - 2 + len(decoded.dead) == len(lines), "a line was neither judged nor a dead letter"
    assert len(offsets) - 2 == sum(map(allowed, lines)), "the format and the contract differ"
    return accepted


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=0)
    wanted = options.parse_args()
    chance, accepted = random.Random(wanted.seed), 0
    for run in range(wanted.runs):
        line = mutated(chance)
        try:
            accepted += check(line)
        except Exception as error:  # noqa: BLE001 -- anything at all is a finding
            print(f"run {run}: {type(error).__name__}: {error}\n{line[:2000]!r}")  # noqa: T201
            return 1
    print(f"{wanted.runs} records, {accepted} of them events: no difference")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
