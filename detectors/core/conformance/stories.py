"""The stories that a detector carries: it fires on those it must fire on, and stays quiet on the quiet ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from detectors.core.conformance.case import NOTICE, RESOLVE, Failed
from detectors.core.detector import Detector
from detectors.core.engine import Engine
from detectors.core.event import Event
from detectors.core.records import Records
from detectors.core.state import EngineSettings
from detectors.core.story import Act, Story

DAY = 86_400.0
#: Monday, 2026-03-02T00:00:00Z
START = 1_772_409_600.0
REFERENCE_DAYS = 14.0


def told(kind: type[Detector], story: Story) -> None:
    """Tell the detector one of its stories, alone in an engine."""
    highest = score(kind, story)
    if story.fires and highest < NOTICE:
        raise Failed(f"{kind.name} stays quiet on {story.name!r}: {highest:.3g}, and {NOTICE:g} is the notice level")
    if not story.fires and highest >= RESOLVE:
        raise Failed(f"{kind.name} fires on {story.name!r}: {highest:.3g}, which should stay below {RESOLVE:g}")


def both_kinds(kind: type[Detector]) -> None:
    """A detector has a story that it fires on, and one that it stays quiet on."""
    if {story.fires for story in kind.stories} != {True, False}:
        raise Failed(f"{kind.name} needs a story that it fires on and one that it stays quiet on")


def score(kind: type[Detector], story: Story) -> float:
    """The highest score, weight included, of any agent of the story after its reference."""
    engine = Engine([kind()], None, EngineSettings(reference_days=REFERENCE_DAYS, interesting=0.0))
    records = records_of(story)
    said = [*engine.step(records), *engine.finish(records.arrivals[-1])]
    return max((scored.score for scored in said), default=0.0)


def records_of(story: Story) -> Records:
    """A story as the log would have it."""
    end = START + (REFERENCE_DAYS + 1.0 + story.days) * DAY
    lines = [line for act in story.usual for line in _done(act, START, end)]
    lines += [line for act in story.drift for line in _done(act, end - story.days * DAY, end)]
    lines.sort(key=lambda line: line["time"])
    records = Records()
    for k, line in enumerate(lines):
        event = msgspec.convert(line, Event)
        records.events.append(event)
        records.contents.append(msgspec.json.encode(event))
        records.offsets.append(k)
        records.indexes.append(0)
        records.arrivals.append(line["time"])
        records.times.append(line["time"])
    return records


def _done(act: Act, start: float, end: float) -> Iterator[dict[str, Any]]:
    for k in range(int((end - start) // act.every)):
        fields = {name: value.replace("{k}", str(k)) if isinstance(value, str) else value
                  for name, value in act.fields.items()}  # fmt: skip
        yield {**fields, "time": start + (k + 0.5) * act.every}
