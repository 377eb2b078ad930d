"""Directives as lines: one form for files, routes and commands, refused with their place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from detectors.core.inputs import AnyDirective, Ratify, Release
from monitor.directives import BadDirective, decode, read, seconds_of

LINES: dict[str, dict[str, Any]] = {
    "release": {"role": "crm", "version": "2", "brings": {"actions": ["a"], "scopes": ["s"], "targets": ["t"], "digests": {}}},
    "accept": {"agent": "a", "what": {"scope": "s"}},
    "ratify": {"role": "crm"},
    "silence": {"match": {"role": "crm"}, "until": "2026-03-03T00:00:00Z"},
    "calendar": {"role": "crm", "rule": "FREQ=MONTHLY;BYMONTHDAY=-2,-1"},
    "contain": {"agent": "a", "step": "kill"},
    "uncontain": {"agent": "a", "step": "kill"},
    "resolve": {"alert": "x"},
    "arm": {"role": "crm"},
    "disarm": {},
    "confirm": {"confirms": "x"},
}


def line(kind: str, **fields: object) -> bytes:
    return json.dumps({"directive": kind, "time": "2026-03-02T00:00:00Z", "by": "eve", **fields}).encode()


@pytest.mark.parametrize("kind", LINES)
def test_every_directive_of_the_contract_has_a_line(kind: str) -> None:
    told = decode(line(kind, **LINES[kind]), "here")
    assert told.__struct_config__.tag == kind
    assert (told.by, seconds_of(told.time)) == ("eve", 1_772_409_600.0)


def test_no_directive_is_forgotten_here() -> None:
    assert {kind.__struct_config__.tag for kind in get_args(AnyDirective)} == set(LINES)


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", line("explode"), line("accept", agent="a"), line("contain", agent="a", step="maim"),
    line("release", role="crm", brnigs={}), line("ratify", role="crm", time="yesterday"),
    json.dumps({"directive": "ratify", "time": 0, "role": "crm"}).encode(),
])
def test_what_cannot_be_taken_is_refused_with_its_place(body: bytes) -> None:
    with pytest.raises(BadDirective, match=r"^told:7: "):
        decode(body, "told:7")


def test_a_file_is_read_by_time_and_those_of_one_time_in_order(tmp_path: Path) -> None:
    file = tmp_path / "told.jsonl"
    file.write_bytes(b"\n".join([
        line("ratify", role="late", time=200), b"", line("release", role="first", time=100), line("ratify", role="second", time=100),
    ]))
    told = read(file)
    assert [d.role for d in told if isinstance(d, Ratify | Release)] == ["first", "second", "late"]


def test_a_bad_line_of_a_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "told.jsonl"
    file.write_bytes(line("ratify", role="crm") + b"\n\nno json\n")
    with pytest.raises(BadDirective, match=r"told\.jsonl:3: "):
        read(file)


@pytest.mark.parametrize(("time", "seconds"), [
    (12, 12.0), (12.5, 12.5), ("1970-01-01T00:00:12Z", 12.0), ("1970-01-01T01:00:12+01:00", 12.0), ("1970-01-01T00:00:12", 12.0),
])
def test_times(time: float | str, seconds: float) -> None:
    assert seconds_of(time) == seconds
