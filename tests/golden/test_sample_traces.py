"""The sample traces through `driftd replay`: what each story says is what was committed, and what it has to say."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from monitor.demo import stories
from monitor.demo.stories.expectation import settled
from monitor.demo.stories.story import Expects, Story
from monitor.demo.stories.writing import to_lines

ROOT = Path(__file__).parents[2]
TRACES = ROOT / "sample_traces"
LEVELS = ["notice", "page", "critical"]
STORIES = pytest.mark.parametrize("story", stories.all(), ids=lambda story: story.name)
#: one story for each way of arithmetic: counts and ratios, and first uses
ARITHMETIC = ("mass_deletion", "injected_exfiltration")

Finding = dict[str, Any]


def replayed(
    events: list[Path], directives: Path | None, config: Path | None = None, environment: dict[str, str] | None = None
) -> str:
    command = [sys.executable, "-m", "monitor", "replay", *map(str, events), "--findings", "-", "--quiet"]
    command += ["--directives", str(directives)] if directives else []
    command += ["--config", str(config)] if config else []
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def of_trace(story: Story, environment: dict[str, str] | None = None) -> str:
    place = TRACES / story.name
    told, config = (path if path.exists() else None for path in (place / "directives.jsonl", place / "settings.yaml"))
    return settled(replayed([place / "events.jsonl.gz"], told, config, environment))


@cache
def of_story(name: str) -> str:
    return of_trace(stories.named(name))


def findings(text: str) -> list[Finding]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def otherwise(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """All stories at once, the quiet ones with their attack put in and the others without theirs."""
    folder = tmp_path_factory.mktemp("otherwise")
    told = [line for story in stories.all() for line in story.directives()]
    (folder / "directives.jsonl").write_bytes(to_lines(told))
    for story in stories.all():
        events = story.attack(story.everyday()) if story.quiet else story.everyday()
        (folder / f"{story.name}.jsonl").write_bytes(to_lines(events))
    assert not any(story.settings for story in stories.all()), "stories with settings need a replay of their own"
    return findings(replayed(sorted(folder.glob("*_*.jsonl")), folder / "directives.jsonl"))


def alerts(found: list[Finding], agents: set[str], level: str) -> list[Finding]:
    wanted = LEVELS[LEVELS.index(level) :]
    return [
        f for f in found
        if f["kind"] == "alert" and f["agent"] in agents and f["state"] == "firing" and f["level"] in wanted
    ]  # fmt: skip


def agents_of(story: Story) -> set[str]:
    return {agent for crew in story.crews for agent in crew.agents()}


def assert_brought_about(found: list[Finding], expects: Expects) -> None:
    if expects.agent:
        said = [f for f in found if f["kind"] == "alert" and f["agent"] == expects.agent]
        reached = [f["time"] for f in alerts(said, {expects.agent}, expects.level)]
        assert reached, f"{expects.agent} never reached {expects.level}"
        assert expects.after <= reached[0] <= expects.before
        listed = {detector["name"] for f in said for detector in f["detectors"]}
        assert set(expects.detectors) <= listed
    if expects.step:
        steps = {f["step"]: f["time"] for f in found if f["kind"] == "containment" and f["agent"] == expects.agent}
        assert expects.step in steps
        assert expects.after <= steps[expects.step] <= expects.before
    incidents = [f for f in found if f["kind"] == "incident"]
    if expects.incident_agents_min:
        assert len({incident["id"] for incident in incidents}) == 1
        assert expects.after <= incidents[0]["time"] <= expects.before
        assert incidents[-1]["agents_total"] >= expects.incident_agents_min
    else:
        assert incidents == []


@STORIES
def test_a_trace_says_what_was_committed(story: Story) -> None:
    assert of_story(story.name) == (TRACES / story.name / "expected.jsonl").read_text()


@STORIES
def test_every_event_is_judged(story: Story) -> None:
    summary = findings(of_story(story.name))[-1]
    assert summary["events"] == sum(1 for _ in story.events())
    assert summary["agents"] == len(agents_of(story))
    assert (summary["dead_letters"], summary["duplicates"], summary["id_reuse"]) == (0, 0, 0)


@STORIES
def test_a_story_says_what_it_has_to(story: Story) -> None:
    found = findings(of_story(story.name))
    if story.quiet:
        assert alerts(found, agents_of(story), "page") == []
        assert [f for f in found if f["kind"] in ("containment", "incident")] == []
    else:
        assert_brought_about(found, story.expects)
        bystanders = agents_of(story) - {event["agent"] for event in story.strike()}
        assert alerts(found, bystanders, "page") == []


@STORIES
def test_the_same_stream_says_the_opposite_with_the_attack_in_or_out(story: Story, otherwise: list[Finding]) -> None:
    agents, end = agents_of(story), max(event["time"] for event in story.events())  # afterwards all of them are silent
    found = [
        f for f in otherwise[:-1]
        if f["time"] <= end and agents & ({f["agent"]} if "agent" in f else set(f["agents"]))
    ]  # fmt: skip
    if story.quiet:
        assert_brought_about(found, story.expects)
    else:
        assert alerts(found, agents, "page") == []
        assert [f for f in found if f["kind"] in ("containment", "incident")] == []


def test_one_cause_pages_once() -> None:
    found = findings(of_story("one_cause"))
    incident = next(f for f in found if f["kind"] == "incident")
    assert (incident["cause"], incident["name"]) == ("version", "courier 2.4.0")
    later = [f for f in found if f["kind"] == "alert" and f["time"] > incident["time"]]
    assert len({f["agent"] for f in later}) > 80
    assert {f["incident"] for f in later} == {incident["id"]}


def test_the_release_would_be_news_had_nobody_announced_it() -> None:
    place = TRACES / "announced_release"
    unannounced = findings(replayed([place / "events.jsonl.gz"], None))
    assert alerts(unannounced, agents_of(stories.named("announced_release")), "page")
    assert [f["name"] for f in unannounced if f["kind"] == "incident"][:1] == ["booking 4.0.0"]


@pytest.mark.parametrize("name", ARITHMETIC)
def test_another_cpu_says_the_same(name: str) -> None:
    assert of_trace(stories.named(name), {"NPY_DISABLE_CPU_FEATURES": _optional_features()}) == of_story(name)


def _optional_features() -> str:
    asked = "import numpy._core._multiarray_umath as m; print(*(f for f in m.__cpu_dispatch__ if m.__cpu_features__[f]))"
    names = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()
    assert names, "this CPU has no optional features, so nothing is shown here"
    return names
