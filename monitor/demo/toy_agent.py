"""A toy agent: a real program that deletes rows of a scratch database, one after the other, and tells driftd of each.

It is what the demo stops. `python -m monitor.demo.toy_agent --help` says how to let it loose by hand.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from monitor.demo.stories.mass_deletion import AGENT, CURATORS, WANTED, deletion
from monitor.demo.stories.story import Line
from monitor.demo.stories.world import who

ACCEPTED = 202


class Untold(Exception):
    """An event could not be told; an agent that is not watched does not act."""


def furnish(database: Path, rows: int = WANTED) -> None:
    """Make the scratch database with so many catalogue rows."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE catalogue (id INTEGER PRIMARY KEY, title TEXT NOT NULL)")
        titles = ((20_000 + n, f"article {n}") for n in range(rows))
        connection.executemany("INSERT INTO catalogue VALUES (?, ?)", titles)


def rows_left(database: Path) -> int:
    """Rows that are still there."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM catalogue").fetchone()[0])


def rampage(database: Path, tell: Callable[[Line], None], pause: Callable[[], None]) -> int:
    """Delete every row, tell of each and pause after it; how many were deleted."""
    with closing(sqlite3.connect(database)) as connection:
        rows = [row for (row,) in connection.execute("SELECT id FROM catalogue ORDER BY id")]
        for row in rows:
            with connection:
                connection.execute("DELETE FROM catalogue WHERE id = ?", (row,))
            tell(event_of(row))
            pause()
    return len(rows)


def event_of(row: int) -> Line:
    """The event of one deletion; driftd stamps its time when it arrives."""
    event = {"id": f"toy-{row}", **who(CURATORS, AGENT, 0, 99), **deletion(row)}
    return {name: value for name, value in event.items() if name != "time"}


class Teller:
    """Posts events to driftd, over one connection. Raises Untold."""

    def __init__(self, url: str, token: str | None = None) -> None:
        where = urlsplit(url)
        self._connection = HTTPConnection(where.hostname or "127.0.0.1", where.port or 80, timeout=10)
        self._path = f"{where.path.rstrip('/')}/v1/events"
        self._headers = {"Content-Type": "application/x-ndjson"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def __call__(self, event: Line) -> None:
        """Returns once driftd has the event on disk."""
        try:
            self._connection.request("POST", self._path, json.dumps(event).encode(), self._headers)
            answer = self._connection.getresponse()
            said = answer.read()
        except (OSError, HTTPException) as problem:
            raise Untold(f"driftd cannot be reached: {problem}") from None
        if answer.status != ACCEPTED:
            raise Untold(f"driftd answered {answer.status}: {said.decode(errors='replace')[:200]}")


def main(arguments: list[str] | None = None) -> int:
    """Delete until nothing is left or somebody stops this process."""
    parser = argparse.ArgumentParser(prog="toy_agent", description=__doc__)
    parser.add_argument("--database", type=Path, required=True, help="the scratch database; see `furnish`")
    parser.add_argument("--url", default="http://127.0.0.1:8765", help="where driftd listens")
    parser.add_argument("--per-second", type=float, default=6.0, help="deletions a second")
    chosen = parser.parse_args(arguments)
    tell = Teller(chosen.url, os.environ.get("DRIFTD_TOKEN"))
    try:
        rampage(chosen.database, tell, lambda: time.sleep(1 / chosen.per_second))
    except Untold as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
