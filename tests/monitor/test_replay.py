"""`driftd replay`: files in, the contract's lines out, the same bytes every time."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.cli import exits
from monitor.config import load, settings_digest
from monitor.replay import replay
from tests.support.streams import AGENT, DAY, HOUR, START, event, every, ordered

ROOT = Path(__file__).parents[2]
DRIFTD = Path(sys.executable).with_name("driftd")
DAYS = "reference.days=2"
Line = dict[str, Any]


def lines_of(events: list[Any]) -> bytes:
    return b"".join(msgspec.json.encode({k: v for k, v in msgspec.to_builtins(e).items() if v not in (None, [])}) + b"\n"
                    for e in events)


STORY = ordered(
    *(every(HOUR, 0, 6 * DAY, agent=f"crm/{name}", target="crm/tickets/1") for name in "abc"),
    [event(3 * DAY + i * 4 * HOUR + 60, "act", f"crm/{name}", scope=f"{name}:new{i}", privileged=True, id=f"{name}{i}",
           target="crm/tickets/1", version="2") for name in "abc" for i in range(4)],
)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("story") / "events.jsonl"
    file.write_bytes(lines_of(STORY))
    return file


def said(paths: list[Path], out: Path, *overrides: str, directives: list[Line] | None = None) -> list[Line]:
    told = None
    if directives is not None:
        told = out.with_suffix(".told")
        told.write_bytes(b"".join(json.dumps({"by": "eve", **d}).encode() + b"\n" for d in directives))
    replay(paths, told, load(overrides=[DAYS, *overrides], environment={}, purpose="replay"), out)
    return [json.loads(line) for line in out.read_bytes().splitlines()]


def kinds(lines: list[Line], kind: str) -> list[Line]:
    return [line for line in lines if line["kind"] == kind]


def without_seconds(lines: list[Line]) -> list[Line]:
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def driftd(*arguments: object, **how: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([DRIFTD, *map(str, arguments)], capture_output=True, check=False, timeout=60, cwd=ROOT, **how)


def at(seconds: float) -> float:
    return START + seconds


def test_what_is_written_keeps_to_the_contract(story: Path, tmp_path: Path) -> None:
    """Held against the checker that judges every evaluation."""
    lines = said([story], tmp_path / "out.jsonl")
    assert {line["kind"] for line in lines} == {"alert", "containment", "incident", "summary"}
    checker = ROOT / "tests" / "evaluation"
    if not (checker / "evaluate" / "conformance.py").exists():
        pytest.skip("the evaluation's checker is not here")
    asked = "import sys; from pathlib import Path; from evaluate.conformance import faults; print(faults(Path(sys.argv[1])))"
    found = subprocess.run([sys.executable, "-c", asked, tmp_path / "out.jsonl"], capture_output=True, text=True,
                           check=True, cwd=checker)
    assert found.stdout.strip() == "[]"


def test_every_field_of_the_contract_is_there(story: Path, tmp_path: Path) -> None:
    lines = said([story], tmp_path / "out.jsonl")
    wanted = {
        "alert": "id state time event entity agent role tenant level why score joined breach detectors tags pattern incident",
        "containment": "id time event agent step mode gate_score armed not_armed_because reason",
        "incident": "id time state cause name agents agents_total",
        "summary": "events duplicates dead_letters agents first_time last_time seconds levels settings",
    }
    for kind, fields in wanted.items():
        for line in kinds(lines, kind):
            assert set(fields.split()) <= set(line)
    shares = [share for line in kinds(lines, "alert") for share in line["detectors"]]
    assert shares
    assert all(set(share) == {"name", "score", "share", "reason", "since", "observed", "expected"} for share in shares)
    assert all(sum(s["share"] for s in line["detectors"]) <= 1.001 for line in kinds(lines, "alert"))


def test_the_summary_is_the_last_line_and_counts(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    one = event(0, id="a")
    later = msgspec.structs.replace(event(60), id="a")
    file.write_bytes(lines_of([*every(1, 0, 5), one, one, later, event(90, agent="erp/x")])
                     + b'{"agent": "crm/anna"}\nno json\n\n'
                     + b'{"agent": "crm/anna", "action": "x", "time": "2026-03-02T01:00:00Z", "mood": 1}\n')
    *others, summary = said([file], tmp_path / "out.jsonl", "alerting.levels.notice=7")
    assert others == []
    settings = load(overrides=[DAYS, "alerting.levels.notice=7"], environment={}, purpose="replay")
    assert {k: v for k, v in summary.items() if k != "seconds"} == {
        "kind": "summary", "events": 9, "duplicates": 1, "id_reuse": 1, "dead_letters": 2, "agents": 2,
        "first_time": "2026-03-02T00:00:00.000Z", "last_time": "2026-03-02T01:00:00.000Z",
        "levels": {"notice": 7.0, "page": 100.0, "critical": 1000.0}, "settings": settings_digest(settings),
        "unknown_fields": {"mood": 1}, "clipped": 0,
    }
    assert summary["seconds"] >= 0


def test_two_runs_write_the_same_bytes(story: Path, tmp_path: Path) -> None:
    outs = []
    for name in ("one", "two"):
        assert driftd("replay", story, "--set", DAYS, "--findings", tmp_path / name, "--quiet").returncode == 0
        outs.append((tmp_path / name).read_bytes().splitlines())
    assert outs[0][:-1] == outs[1][:-1]
    assert without_seconds([json.loads(out[-1]) for out in outs])[0] == without_seconds([json.loads(outs[1][-1])])[0]
    assert len(outs[0]) > 5


def test_files_merged_by_time_say_the_same_but_for_ids(story: Path, tmp_path: Path) -> None:
    parts = []
    for name in "abc":
        part = tmp_path / f"{name}.jsonl.gz"
        part.write_bytes(gzip.compress(lines_of([e for e in STORY if e.agent == f"crm/{name}"])))
        parts.append(part)
    whole, merged = said([story], tmp_path / "whole"), said(parts, tmp_path / "merged")

    def nameless(lines: list[Line]) -> list[Line]:
        return [{k: v for k, v in line.items() if k not in ("id", "alert", "incident", "seconds")} for line in lines]

    assert nameless(merged) == nameless(whole)


def test_standard_input_and_output(story: Path, tmp_path: Path) -> None:
    piped = driftd("replay", "-", "--set", DAYS, "--findings", "-", input=story.read_bytes())
    assert piped.returncode == 0
    lines = [json.loads(line) for line in piped.stdout.splitlines()]
    assert without_seconds(lines) == without_seconds(said([story], tmp_path / "out.jsonl"))


def test_an_empty_file_has_an_empty_summary(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    [summary] = said([tmp_path / "empty"], tmp_path / "out.jsonl")
    assert (summary["events"], summary["agents"], summary["first_time"], summary["last_time"]) == (0, 0, None, None)


def test_exit_codes(story: Path, tmp_path: Path) -> None:
    out = ("--findings", tmp_path / "out")
    (tmp_path / "torn.gz").write_bytes(gzip.compress(story.read_bytes())[:-50])
    (tmp_path / "bad.jsonl").write_text('{"directive": "explode"}\n')
    calls: dict[tuple[object, ...], int] = {
        (story, *out, "--quiet"): exits.OK,
        (tmp_path / "nowhere", *out): exits.UNREADABLE,
        (tmp_path / "torn.gz", *out): exits.UNREADABLE,
        (story, *out, "--directives", tmp_path / "bad.jsonl"): exits.UNREADABLE,
        (story, *out, "--format", "runes"): exits.USAGE,
        (story, *out, "--set", "reference.dys=3"): exits.USAGE,
        ("-", "-", *out): exits.USAGE,
    }
    for arguments, code in calls.items():
        ran = driftd("replay", *arguments)
        assert ran.returncode == code, (arguments, ran.stderr)
        assert b"Traceback" not in ran.stderr


def test_a_format_is_chosen_by_name(story: Path, tmp_path: Path) -> None:
    ran = driftd("replay", story, "--format", "native", "--set", DAYS, "--findings", tmp_path / "out", "--quiet")
    assert (ran.returncode, ran.stdout) == (0, b"")
    ran = driftd("replay", story, "--format", "runes", "--findings", tmp_path / "out")
    assert b"native" in ran.stderr, "it says which there are"


def test_directives_are_told_at_their_time(story: Path, tmp_path: Path) -> None:
    scopes = [f"a:new{i}" for i in range(4)]

    def fired(when: float) -> list[str]:
        directive = {"directive": "release", "time": when, "role": "crm", "brings": {"scopes": scopes}}
        lines = said([story], tmp_path / "out.jsonl", directives=[directive])
        return sorted({line["agent"] for line in kinds(lines, "alert")})

    assert fired(at(3 * DAY)) == ["crm/b", "crm/c"]
    assert fired(at(5 * DAY)) == ["crm/a", "crm/b", "crm/c"]
    assert fired(at(900 * DAY)) == ["crm/a", "crm/b", "crm/c"], "what is told after the last event is not told"


def test_a_resolve_directive_is_decided_at_its_time_and_place(story: Path, tmp_path: Path) -> None:
    first = kinds(said([story], tmp_path / "out.jsonl"), "alert")[0]
    directive = {"directive": "resolve", "time": at(4 * DAY), "alert": first["id"]}
    lines = said([story], tmp_path / "out.jsonl", directives=[directive, {"directive": "confirm", "time": 0, "confirms": "x"}])
    resolved = next(line for line in kinds(lines, "alert") if line["why"] == "resolved")
    assert (resolved["id"], resolved["time"]) == (first["id"], "2026-03-06T00:00:00.000Z")
    times = [line["time"] for line in lines[:-1]]
    assert times == sorted(times)


def test_timers_fire_up_to_the_last_event_and_not_beyond(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(lines_of([*STORY, *every(HOUR, 6 * DAY, 9 * DAY, agent="crm/busy")]))
    lines = said([file], tmp_path / "out.jsonl")
    last = lines[-1]["last_time"]
    assert last == "2026-03-10T23:00:00.000Z"
    assert max(line["time"] for line in lines[:-1]) <= last


def test_one_record_from_the_future_fires_nobodys_timers(tmp_path: Path) -> None:
    """Else whoever writes one absurd time makes all others look silent for weeks."""
    file = tmp_path / "events.jsonl"
    usual = every(1200, 0, 16 * DAY, agent="crm/b")
    file.write_bytes(lines_of([*usual, event(27_000 * DAY, agent="crm/a"), event(16 * DAY, agent="crm/b")]))
    assert [line["kind"] for line in said([file], tmp_path / "out", "reference.days=14")] == ["summary"]


def test_unattested_files_page_and_never_contain(story: Path, tmp_path: Path) -> None:
    attested, unattested = said([story], tmp_path / "a"), said([story], tmp_path / "u", "sources.file.attested=false")
    steps = [line for line in kinds(unattested, "containment") if line["step"] != "release"]
    assert steps
    assert {(step["armed"], step["not_armed_because"]) for step in steps} == {(False, "unattested")}
    assert "unattested" not in {step["not_armed_because"] for step in kinds(attested, "containment")}
    assert {line["attested"] for line in kinds(unattested, "alert")} == {False}
    paged = [{line["agent"] for line in kinds(lines, "alert") if line["level"] != "notice"} for lines in (attested, unattested)]
    assert paged[0] == paged[1] != set()


def test_a_disabled_detector_has_no_part_and_nobody_gets_its_weight(story: Path, tmp_path: Path) -> None:
    usual = said([story], tmp_path / "a")
    without = said([story], tmp_path / "b", "detectors.target_novelty.enabled=false", "detectors.scale_spike.enabled=false",
                   "detectors.blast_radius.enabled=false")
    names = {d["name"] for line in kinds(without, "alert") for d in line["detectors"]}
    assert names == {"permission_creep"}
    scores = {a["event"]: a["score"] for a in kinds(usual, "alert")}
    alone = {a["event"]: a["score"] for a in kinds(without, "alert")}
    assert {event for event in scores if event} & {event for event in alone if event}
    assert all(alone[e] <= scores[e] for e in alone if e in scores)


def test_agents_stand_in_the_summary_whether_they_are_known_yet_or_not(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(lines_of([*every(HOUR, 0, 6 * HOUR, agent=AGENT), event(6 * HOUR, agent="new")]))
    assert said([file], tmp_path / "out")[-1]["agents"] == 2
