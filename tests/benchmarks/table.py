"""What was measured, as text: printed as it comes, and kept for the record."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from pathlib import Path
from statistics import median

import numpy as np

from tests.benchmarks.timing import Costs

#: parts of 262,144 events that are looked at before each length
LAST = 4


class Table:
    """Lines for people."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.lines = args, list[str]()

    def say(self, line: str = "") -> None:
        """Print and keep a line."""
        print(line, flush=True)
        self.lines.append(line)

    def costs(self, title: str, costs: Costs) -> None:
        """Least and median microseconds of CPU per event."""
        self.say(f"{title:<58}{'least':>9}{'median':>9}  us/event")
        for name in costs:
            least, middle = costs.of(name)
            self.say(f"  {name:<56}{least:>9.3f}{middle:>9.3f}")

    def ratio(self, costs: Costs, over: str, under: str, goal: str) -> None:
        """How many times as much one way costs as another, by medians and by leasts of the same run."""
        a, b = costs.of(over), costs.of(under)
        self.say(f"  {over} / {under}: {a.middle / b.middle:.2f} (least {a.least / b.least:.2f}); {goal}")

    def lengths(self, costs: dict[int, list[float]]) -> None:
        """Cost before each length, the last million events of it."""
        self.say(f"{'cost by length of the log, records to findings':<58}{'least':>9}{'median':>9}  us/event")
        for mark, parts in costs.items():
            last = parts[-LAST:]
            self.say(f"  {f'the last {len(last)} parts before {mark:,} events':<56}{min(last):>9.3f}{median(last):>9.3f}")
        first, *_, last_mark = costs
        change = median(costs[last_mark][-LAST:]) / median(costs[first][-LAST:]) - 1.0
        self.say(f"  change: {100 * change:+.1f} %; goal: within 5")

    def record(self, path: Path) -> None:
        """Write what was said, with the command and the machine."""
        command = "make bench ARGS='" + " ".join(sys.argv[1:]) + "'"
        machine = f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, numpy {np.__version__}"
        text = "\n".join(self.lines)
        path.write_text(f"# The last recorded run\n\n`{command}` on {machine}.\n\n```\n{text}\n```\n")
