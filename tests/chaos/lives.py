"""Starts, kills and ends lives of a daemon, and reads what they wrote."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
Line = dict[str, Any]


class Lives:
    """One process that has imported everything and forks a life of the daemon whenever it is told to."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.child"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        self._running: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in list(self._running):
            os.kill(pid, signal.SIGKILL)
            self._wait(pid)
        assert self._parent.stdin is not None
        self._parent.stdin.close()
        self._parent.wait(timeout=10)

    def start(self, **spec: Any) -> int:
        """A life with this spec (see `child.live`); its process id."""
        (Path(spec["folder"]) / "url").unlink(missing_ok=True)
        spec["folder"] = str(spec["folder"])
        pid = int(self._ask({"start": spec})["pid"])
        self._running.add(pid)
        return pid

    def kill(self, pid: int) -> None:
        """SIGKILL, and gone when this returns."""
        os.kill(pid, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(self._wait(pid)) == -signal.SIGKILL, "it had ended by itself"

    def end(self, pid: int) -> None:
        """SIGTERM, and ended well when this returns."""
        os.kill(pid, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(self._wait(pid)) == 0

    @contextmanager
    def life(self, **spec: Any) -> Iterator[int]:
        """A life that is ended well."""
        pid = self.start(**spec)
        yield pid
        self.end(pid)

    def until(self, done: Callable[[], Any], seconds: float = 60.0, what: str = "") -> None:
        """Wait until it is so; a life that ends meanwhile is a failure at once."""
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, f"still waiting {what}".strip()
            assert not any(map(_ended, self._running)), "a life ended by itself; its traceback is on standard error"
            time.sleep(0.01)

    def url(self, folder: Path) -> str:
        """Where a life of this folder answers, as soon as it does."""
        self.until((folder / "url").exists, what="for the interface")
        return (folder / "url").read_text()

    def _wait(self, pid: int) -> int:
        self._running.discard(pid)
        return int(self._ask({"wait": pid})["status"])

    def _ask(self, question: Line) -> Line:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps(question) + "\n")
        self._parent.stdin.flush()
        answer: Line = json.loads(self._parent.stdout.readline())
        return answer


class Written:
    """What stands in the store of a folder, read from outside while the daemon writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "state" / "driftd.sqlite"

    def rows(self, query: str, *given: Any) -> list[Any]:
        """Rows of a query; none before the store has its tables."""
        if not self.path.exists():
            return []
        try:
            with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=5)) as connection:
                return connection.execute(query, given).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error) or "unable to open" in str(error):
                return []
            raise

    def decided(self) -> dict[tuple[str, int], int]:
        """Offset up to which each partition is decided."""
        return {(s, n): o for s, n, o in self.rows("SELECT source, number, next_offset FROM partition") if o is not None}

    def epochs(self) -> int:
        """How often partitions were claimed."""
        return sum(epoch for (epoch,) in self.rows("SELECT epoch FROM partition"))

    def applied(self) -> int:
        """Directives that stand in the inputs of every partition."""
        return len(self.rows("SELECT 1 FROM directive WHERE state = 'applied'"))

    def ticked(self) -> list[int]:
        """For each partition the hour of the last tick that was decided; -1 without one."""
        query = """SELECT (SELECT i.body FROM input i WHERE i.source = p.source AND i.number = p.number
            AND i.kind = 'tick' AND i.seq <= p.next_seq ORDER BY i.seq DESC LIMIT 1) FROM partition p"""
        return [int(json.loads(body)["time"] // 3600) if body else -1 for (body,) in self.rows(query)]

    def bodies(self, kind: str) -> list[bytes]:
        """The lines of a kind in the order in which they were written, exactly as they were."""
        found = self.rows("SELECT body FROM finding WHERE kind = ? ORDER BY seq", kind)
        return [body.encode() if isinstance(body, str) else bytes(body) for (body,) in found]

    def alerts(self, entity: str = "agent") -> list[bytes]:
        """Alert lines about this kind of entity, sorted: lines of different agents may be written in any order."""
        return sorted(body for body in self.bodies("alert") if json.loads(body)["entity"] == entity)

    def lines(self, kind: str) -> list[Line]:
        """The same, decoded."""
        return [json.loads(body) for body in self.bodies(kind)]

    def steps(self) -> list[tuple[str, str, str | None]]:
        """Containment lines by what has to be the same in every run."""
        return sorted((line["id"], line["step"], line["event"] or "") for line in self.lines("containment"))

    def waiting(self) -> int:
        """Messages that the receivers have not got yet."""
        return sum(number for (number,) in self.rows("SELECT count(*) FROM outbox WHERE state = 'pending'"))


def _ended(pid: int) -> bool:
    """Whether nothing is left of it but its exit status."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
