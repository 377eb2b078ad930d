"""Random streams, cut anywhere and broken off anywhere, through the whole pipeline: the same findings, the same state.

A thousand of them: DRIFTD_CAMPAIGN=1000 pytest tests/property
"""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detectors import discover
from detectors.core.conformance import Case
from detectors.core.conformance.case import Line, Told, play, same
from detectors.core.event import Event
from detectors.core.records import Records
from detectors.core.state import EngineSettings
from tests.support.fleets import fleet
from tests.support.piped import Piped

SETTINGS = EngineSettings(reference_days=1.5, interesting=1.0)
CASE = Case(tuple(kind for kind in discover() if kind.name != "scale_spike"), fleet, SETTINGS, Piped)
WITH_RATES = Case(tuple(discover()), fleet, SETTINGS, Piped)
START = 1_772_409_600.0
#: seconds since the record before, seconds by which its time is wrong, and its fields
Drawn = list[tuple[float, float, dict[str, Any]]]

agents = st.sampled_from(["a/1", "a/2", "b/1", "b/tool"])
#: seconds from one record to the next: bursts, hours, days, back in time, and far ahead
gaps = st.one_of(st.floats(0, 5), st.floats(60, 4000), st.floats(0, 9 * 3600), st.sampled_from([-1800.0, 86_400.0, 3 * 86_400.0]))
jumps = st.sampled_from([0.0] * 30 + [3 * 86_400.0, 50 * 86_400.0])
events = st.fixed_dictionaries(
    {"agent": agents, "action": st.sampled_from(["read", "write", "iam:grant", "rm:all"])},
    optional={
        "id": st.integers(0, 30).map(lambda k: f"e{k}"),
        "tenant": st.sampled_from(["", "acme"]),
        "scope": st.integers(0, 12).map(lambda k: f"scope{k}"),
        "target": st.integers(0, 40).map(lambda k: f"area{k % 7}/item{k}"),
        "effect": st.sampled_from(["read", "delete", "grant"]),
        "privileged": st.booleans(),
        "outcome": st.sampled_from(["ok", "denied"]),
        "count": st.integers(1, 50),
        "via": st.lists(agents, min_size=1, max_size=2),
        "host": st.sampled_from(["h1", "h2"]),
    },
)
streams = st.lists(st.tuples(gaps, jumps, events), min_size=20, max_size=200)


def logged(stream: Drawn) -> Records:
    """Four agents met often enough to move in, then what was drawn."""
    known: Drawn = [(600.0, 0.0, {"agent": name, "action": "read"}) for _ in range(6) for name in ("a/1", "a/2", "b/1", "b/tool")]
    records, now = Records(), START
    for k, (gap, jump, fields) in enumerate([*known, *stream]):
        now = max(now + gap, START)
        line = msgspec.json.encode({**fields, "time": now + jump})
        records.events.append(msgspec.json.decode(line, type=Event))
        records.contents.append(line)
        records.offsets.append(k)
        records.indexes.append(0)
        records.arrivals.append(now + jump)
        records.times.append(now + jump)
    return records


def broken_off(case: Case, records: Records, cuts: list[int], crashes: set[int], *, everything: bool) -> Told:
    run, lines, before = case.run(), list[Line](), 0
    parts: dict[str, bytes] = {}
    for cut in (*cuts, len(records)):
        lines += run.read(records.part(before, cut))
        before = cut
        parts |= run.dump(everything=everything)
        if cut in crashes:
            run = case.run()
            run.load(parts)
    lines += run.finish(max(records.arrivals))
    return Told(lines, run.dump(everything=True))


@given(streams, st.data(), st.booleans())
def test_cuts_and_crashes_change_nothing(stream: Drawn, data: st.DataObject, everything: bool) -> None:
    records = logged(stream)
    places = st.integers(1, len(records) - 1)
    cuts = sorted(data.draw(st.sets(places, max_size=40), "cuts"))
    crashes = data.draw(st.sets(st.sampled_from(cuts), max_size=6), "crashes") if cuts else set()
    told = broken_off(CASE, records, cuts, crashes, everything=everything)
    same(told, play(CASE.run(), records), f"cuts {cuts}, crashes {crashes}")


@given(st.integers(0, 1 << 30), st.data())
def test_a_fleet_told_in_pieces_is_told_the_same(seed: int, data: st.DataObject) -> None:
    records = fleet(seed, days=4.0, agents_a_role=1)
    places = st.integers(1, len(records) - 1)
    cuts = sorted(data.draw(st.sets(places, min_size=1, max_size=30), "cuts"))
    crashes = data.draw(st.sets(st.sampled_from(cuts), max_size=3), "crashes")
    told = broken_off(WITH_RATES, records, cuts, crashes, everything=False)
    same(told, play(WITH_RATES.run(), records), f"seed {seed}, cuts {cuts}, crashes {crashes}")
