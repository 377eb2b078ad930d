"""What people see: tables on a terminal, plain lines in a pipe, complaints on standard error. NO_COLOR is honoured."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

LEVEL_STYLES = {"notice": "yellow", "page": "red", "critical": "bold white on red"}


def console() -> Console:
    """Standard output, as wide as the terminal; in a pipe no line is cut."""
    return Console(soft_wrap=True) if sys.stdout.isatty() else Console(width=200, soft_wrap=True)


def complain(problem: object) -> None:
    """Say on standard error what went wrong, one line for each problem."""
    errors = Console(stderr=True, soft_wrap=True)
    for line in str(problem).splitlines() or [type(problem).__name__]:
        errors.print(Text.assemble(("driftd: ", "bold red"), line))


def say(text: str) -> None:
    """One plain line; nothing in it is markup."""
    console().print(Text(text))


def as_json(value: Any) -> None:
    """One JSON document for programs."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """A table, or the sentence that there is nothing."""
    grid = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        grid.add_row(*(_cell(value) for value in row))
    console().print(grid if grid.row_count else Text(empty))


def number(value: Any) -> str:
    """A score as people read it: three digits, and a dash where there is none."""
    return "-" if value is None else f"{float(value):,.3g}" if abs(float(value)) < 1000 else f"{float(value):,.0f}"


def moment(value: Any) -> str:
    """A time, given as epoch seconds or as text, to the second in UTC."""
    if isinstance(value, int | float):
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S}"
    return str(value)[:19].replace("T", " ") if value else "-"


def _cell(value: object) -> Text:
    text = "-" if value is None else str(value)
    return Text(text, style=LEVEL_STYLES.get(text, ""))
