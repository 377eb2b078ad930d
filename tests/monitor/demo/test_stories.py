import gzip
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from detectors.core.event import decode
from monitor import directives
from monitor.demo import stories
from monitor.demo.stories.story import Line, Story
from monitor.demo.stories.world import REFERENCE_DAYS, START
from monitor.demo.stories.writing import files, to_lines

TRACES = Path(__file__).parents[3] / "sample_traces"
BYTES_MAX = 150_000
STORIES = pytest.mark.parametrize("story", stories.all(), ids=lambda story: story.name)


def attacked(story: Story) -> list[Line]:
    return list(story.attack(story.everyday()))


def when(event: Line) -> datetime:
    return datetime.fromisoformat(event["time"])


def test_each_module_with_a_story_is_found_by_its_name() -> None:
    here = Path(stories.__file__).parent
    modules = {path.stem for path in here.glob("*.py") if "\nSTORY = " in path.read_text()}
    assert {story.name for story in stories.all()} == modules
    assert len(modules) >= 7
    assert stories.named("mass_deletion").name == "mass_deletion"
    with pytest.raises(LookupError, match="no story is called nothing"):
        stories.named("nothing")


def test_traces_hold_the_stories_and_nothing_else() -> None:
    assert {path.name for path in TRACES.iterdir() if path.is_dir()} == {story.name for story in stories.all()}


@STORIES
def test_what_is_committed_is_what_the_generator_makes(story: Story) -> None:
    place = TRACES / story.name
    made = dict(files(story))
    assert gzip.decompress((place / "events.jsonl.gz").read_bytes()) == made.pop("events.jsonl")
    for name in ("README.md", "directives.jsonl", "settings.yaml"):
        assert (place / name).exists() == (name in made), name
    assert {name: (place / name).read_bytes() for name in made} == made


@STORIES
def test_a_trace_is_small_and_has_one_line_of_prose(story: Story) -> None:
    assert (TRACES / story.name / "events.jsonl.gz").stat().st_size <= BYTES_MAX
    assert (TRACES / story.name / "README.md").read_text().count("\n") == 1


def test_another_process_makes_the_same(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "monitor.demo.stories", "write", str(tmp_path / seed), "mass_deletion"]
        subprocess.run(command, check=True, env={"PYTHONHASHSEED": seed}, cwd=TRACES.parent, stdout=subprocess.PIPE)
    first, second = ((tmp_path / seed / "mass_deletion/events.jsonl.gz").read_bytes() for seed in ("1", "2"))
    assert first == second


@STORIES
def test_every_event_is_one_of_the_contract(story: Story) -> None:
    unknown: list[str] = []
    for line in to_lines(attacked(story)).splitlines():
        event = decode(line, unknown.append)
        assert event.id
        assert event.role
        assert event.target
    assert unknown == []


@STORIES
def test_events_come_by_time_and_ids_are_used_once(story: Story) -> None:
    events = attacked(story)
    assert all(when(a) <= when(b) for a, b in pairwise(events))
    assert Counter(event["id"] for event in events).most_common(1)[0][1] == 1


@STORIES
def test_the_whole_reference_comes_before_the_attack(story: Story) -> None:
    first = {event["agent"]: when(event) for event in reversed(list(story.everyday()))}
    struck: dict[str, datetime] = {}
    for event in story.strike():
        struck.setdefault(event["agent"], when(event))
    assert when(next(story.everyday())) < START + timedelta(days=1)
    for agent, start in struck.items():
        assert start - first[agent] >= timedelta(days=REFERENCE_DAYS), agent


@STORIES
def test_an_attack_adds_its_events_and_changes_no_other(story: Story) -> None:
    added = [event for event in attacked(story) if event["id"].startswith("attack-")]
    assert len(added) >= 5
    assert [event for event in attacked(story) if event not in added] == list(story.everyday())
    assert list(story.events()) == (list(story.everyday()) if story.quiet else attacked(story))


def test_an_agent_is_in_one_story_only() -> None:
    homes: dict[str, set[str]] = {}
    for story in stories.all():
        for crew in story.crews:
            assert 4 <= len(crew.names) <= 10 or story.name == "one_cause"
            for agent in crew.agents():
                homes.setdefault(agent, set()).add(story.name)
    assert [agent for agent, names in homes.items() if len(names) > 1] == []


def test_everyday_work_is_varied() -> None:
    events = list(stories.named("a_quiet_week").everyday())
    assert {"ok", "error", "denied"} == {event.get("outcome", "ok") for event in events}
    assert any(event.get("approval") == "granted" for event in events)
    assert any("amount" in event for event in events)
    assert _most_common_share(event["target"] for event in events) < 0.05
    assert 3 <= len(events) / len({event["session"] for event in events}) <= 6


def test_day_agents_sleep_at_night_and_cron_agents_between_their_jobs() -> None:
    day = [when(event).hour for event in stories.named("day_night_agent").everyday() if event["role"] == "frontdesk"]
    assert min(day) >= 8
    assert max(day) <= 18
    assert {when(event).hour for event in stories.named("cron_agent").everyday()} == {2, 14}


def test_directives_can_be_read() -> None:
    told = directives.read(TRACES / "announced_release/directives.jsonl")
    assert [type(directive).__name__ for directive in told] == ["Release"]


def test_a_story_is_json_a_line() -> None:
    first = to_lines(stories.named("mass_deletion").events()).splitlines()[0]
    assert list(json.loads(first))[:3] == ["id", "time", "agent"]


def _most_common_share(names: Iterable[str]) -> float:
    counts = Counter(names)
    return counts.most_common(1)[0][1] / counts.total()
