"""Silences: who is muted, until when, and that one agent's clock silences nothing for others."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detectors.core.inputs import Silence
from monitor.findings import Alert, Incident, Share
from monitor.silences import Silences

LINE = Alert(id="a", state="firing", time="2026-03-02T00:00:00.000Z", event=None, agent="crm/anna", role="crm",
             tenant="acme", level="page", why="opened", score=150.0,
             detectors=(Share("blast_radius", 150.0, 1.0, "so", None, None, None),))


def silence(until: float | str = 1000.0, **match: Any) -> Silence:
    return msgspec.convert({"time": 0, "by": "eve", "until": until, "match": match}, Silence)


def silences(*all_: Silence) -> Silences:
    held = Silences()
    for one in all_:
        held.add(one)
    return held


@pytest.mark.parametrize("match", [
    {}, {"agent": "crm/anna"}, {"role": "crm"}, {"tenant": "acme"}, {"level": "page"}, {"detector": "blast_radius"},
    {"agent": "crm/anna", "role": "crm", "tenant": "acme", "level": "page", "detector": "blast_radius"},
])
def test_what_matches_in_all_parts_is_muted(match: dict[str, str]) -> None:
    assert silences(silence(**match)).mutes(LINE, 10.0)


@pytest.mark.parametrize("match", [
    {"agent": "crm/bert"}, {"role": "erp"}, {"tenant": ""}, {"level": "critical"}, {"detector": "scale_spike"},
    {"agent": "crm/anna", "level": "notice"},
])
def test_what_differs_in_one_part_is_not(match: dict[str, str]) -> None:
    assert not silences(silence(**match)).mutes(LINE, 10.0)


def test_a_silence_ends() -> None:
    held = silences(silence(1000.0))
    assert held.mutes(LINE, 999.9)
    assert not held.mutes(LINE, 1000.0)
    assert not silences(silence("1970-01-01T00:10:00Z")).mutes(LINE, 600.0)


def test_an_agent_ahead_of_time_ends_no_silence_for_the_others() -> None:
    held = silences(silence(1000.0))
    assert not held.mutes(LINE, 5000.0)
    assert held.mutes(LINE, 10.0)


def test_silences_that_are_over_are_not_kept_for_ever() -> None:
    held = silences(*(silence(float(until)) for until in range(1, 50)))
    held.add(msgspec.structs.replace(silence(2000.0), time=100.0))
    assert len(held.all) == 1


@pytest.mark.parametrize(("match", "muted"), [
    ({}, True), ({"role": "crm"}, True), ({"role": "erp"}, False), ({"level": "page"}, True), ({"agent": "crm/anna"}, False),
    ({"detector": "blast_radius"}, False),
])
def test_incidents_are_muted_by_what_holds_for_all_of_them(match: dict[str, str], muted: bool) -> None:
    incident = Incident(id="i", time=LINE.time, state="firing", cause="role", name="crm", level="page",
                        agents=("crm/anna",), agents_total=3)
    assert silences(silence(**match)).mutes(incident, 10.0) == muted


def test_a_dump_put_back_mutes_the_same() -> None:
    held, other = silences(silence(agent="crm/anna")), Silences()
    other.load(held.dump())
    assert other.mutes(LINE, 10.0)
    assert other.all == held.all
