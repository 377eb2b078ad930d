"""The sample traces, made anew: `python -m monitor.demo.stories write|expect FOLDER [NAME...]`.

`write` writes the stories as files. `expect` writes beside them what driftd says of them now, as `expected.jsonl`:
read the difference before you commit it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from monitor.demo import stories
from monitor.demo.stories.expectation import expected
from monitor.demo.stories.writing import write


def main(arguments: list[str]) -> int:
    """Make all stories, or those named; the exit code."""
    if len(arguments) < 2 or arguments[0] not in ("write", "expect"):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    verb, folder, *names = arguments
    for story in [stories.named(name) for name in names] or stories.all():
        if verb == "write":
            place = write(story, Path(folder))
            sys.stdout.write(f"{place}: {(place / 'events.jsonl.gz').stat().st_size / 1000:.0f} kB of events\n")
        else:
            said = expected(Path(folder) / story.name)
            (Path(folder) / story.name / "expected.jsonl").write_text(said, encoding="utf-8")
            sys.stdout.write(f"{story.name}: {len(said.splitlines())} lines\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
