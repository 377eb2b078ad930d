"""`python -m monitor.demo.stories write FOLDER [NAME...]`: write the sample traces."""

from __future__ import annotations

import sys
from pathlib import Path

from monitor.demo import stories
from monitor.demo.stories.writing import write

USAGE = "usage: python -m monitor.demo.stories write FOLDER [NAME...]\n"


def main(arguments: list[str]) -> int:
    """Write all stories, or those named; the exit code."""
    if len(arguments) < 2 or arguments[0] != "write":
        sys.stderr.write(USAGE)
        return 2
    chosen = [stories.named(name) for name in arguments[2:]] or stories.all()
    for story in chosen:
        place = write(story, Path(arguments[1]))
        size = (place / "events.jsonl.gz").stat().st_size
        sys.stdout.write(f"{place}: {size / 1000:.0f} kB of events\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
