"""Stories to files: `sample_traces/NAME/` with the events, what people said, the settings, and a line of prose."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from monitor.demo.stories.story import Line, Story


def to_lines(events: Iterable[Line]) -> bytes:
    """One JSON object a line."""
    return "".join(f"{json.dumps(event, separators=(',', ':'), ensure_ascii=False)}\n" for event in events).encode()


def files(story: Story) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of a story; the events are not compressed yet."""
    yield "README.md", f"{story.prose}\n".encode()
    yield "events.jsonl", to_lines(story.events())
    if story.told:
        yield "directives.jsonl", to_lines(story.directives())
    if story.settings:
        yield "settings.yaml", story.settings.encode()


def write(story: Story, folder: Path) -> Path:
    """Write a story below `folder`; returns its own folder. The same story gives the same bytes."""
    place = folder / story.name
    place.mkdir(parents=True, exist_ok=True)
    for name, content in files(story):
        if name == "events.jsonl":
            (place / f"{name}.gz").write_bytes(gzip.compress(content, 9, mtime=0))
        else:
            (place / name).write_bytes(content)
    return place
