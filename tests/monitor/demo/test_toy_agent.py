import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from detectors.core.event import Event, decode
from monitor.demo.stories.mass_deletion import AGENT, WANTED
from monitor.demo.toy_agent import furnish, rows_left

ENDS_SECONDS_MAX = 10


class Listener(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.events: list[Event] = []
        self.status = 202

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Listener

    def do_POST(self) -> None:
        assert self.path == "/v1/events"
        self.server.events.append(decode(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has there
        pass


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    furnish(tmp_path / "scratch.db")
    return tmp_path / "scratch.db"


def let_loose(database: Path, listener: Listener, per_second: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "monitor.demo.toy_agent", "--database", str(database), "--url", listener.url]
    return subprocess.Popen([*command, "--per-second", str(per_second)], stderr=subprocess.PIPE)


def wait_for(events: int, listener: Listener) -> None:
    end = time.monotonic() + ENDS_SECONDS_MAX
    while len(listener.events) < events:
        assert time.monotonic() < end, f"only {len(listener.events)} events"
        time.sleep(0.01)


def test_it_deletes_every_row_and_tells_of_each(database: Path, listener: Listener) -> None:
    agent = let_loose(database, listener, 10_000)
    assert agent.wait(ENDS_SECONDS_MAX) == 0
    assert rows_left(database) == 0
    assert len({event.id for event in listener.events}) == len(listener.events) == WANTED
    assert {(event.agent, event.action, event.time) for event in listener.events} == {
        (AGENT, "catalogue.row.delete", None)
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_stops_it_and_the_other_rows_stay(database: Path, listener: Listener, number: signal.Signals) -> None:
    agent = let_loose(database, listener, 20)
    wait_for(5, listener)
    os.kill(agent.pid, number)
    assert agent.wait(ENDS_SECONDS_MAX) == -number
    left = rows_left(database)
    assert 0 < left <= WANTED - 5
    # the event of the last deletion may not have been told any more
    assert WANTED - left - len(listener.events) in (0, 1)
    time.sleep(0.2)
    assert rows_left(database) == left


def test_it_does_not_act_unwatched(database: Path, listener: Listener) -> None:
    listener.status = 429
    agent = let_loose(database, listener, 10_000)
    _, said = agent.communicate(timeout=ENDS_SECONDS_MAX)
    assert agent.returncode == 1
    assert b"429" in said
    assert rows_left(database) == WANTED - 1
