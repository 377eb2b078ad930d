"""What the daemon answers is shown to people and to programs; a real HTTP server stands in for the daemon."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest

from monitor.cli import exits, main

ALERT = {
    "kind": "alert", "id": "a1", "state": "firing", "time": "2026-03-02T09:00:00.000Z", "agent": "billing/[7]",
    "level": "page", "score": 1234.5, "why": "opened", "detectors": [{"reason": "40 new permissions in 2 h"}],
}  # fmt: skip


class Told(NamedTuple):
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


class Api:
    """Answers by path, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, str, str | None, bytes]] = []
        api = self

        class Routes(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                api.asked.append((self.command, self.path, self.headers.get("authorization"), body))
                code, answer = api.answers.get(self.path.partition("?")[0], (404, {"detail": "nothing here"}))
                self.send_response(code)
                self.end_headers()
                self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

            do_POST = do_GET  # noqa: N815 - the server's name for it

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Routes)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    thread = threading.Thread(target=api.server.serve_forever)
    thread.start()
    yield api
    api.server.shutdown()
    thread.join()
    api.server.server_close()


def driftd(api: Api, *arguments: str) -> Told:
    """Run the command in this process: that it starts as one of its own is shown in test_app."""
    out, err = io.StringIO(), io.StringIO()
    environment = {"DRIFTD_URL": api.url, "COLUMNS": "200"}
    with (
        patch.object(sys, "argv", ["driftd", *arguments]),
        patch.dict(os.environ, environment),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as left,
    ):
        main()
    assert isinstance(left.value.code, int)
    return Told(left.value.code, out.getvalue(), err.getvalue())


def test_alerts_are_a_table_for_people_and_json_for_programs(api: Api) -> None:
    api.answers["/v1/alerts"] = 200, {"items": [ALERT]}
    told = driftd(api, "alerts").stdout
    assert "2026-03-02 09:00:00" in told
    assert "billing/[7]" in told, "what looks like markup is shown as it is"
    assert "1,234" in told
    assert "40 new permissions in 2 h" in told
    assert json.loads(driftd(api, "alerts", "--json").stdout) == {"items": [ALERT]}
    assert [path for _, path, _, _ in api.asked] == ["/v1/alerts?state=open&limit=50"] * 2


def test_findings_are_lines_as_the_contract_has_them(api: Api) -> None:
    api.answers["/v1/alerts"] = 200, {"items": [ALERT, ALERT]}
    assert [json.loads(line) for line in driftd(api, "alerts", "--findings").stdout.splitlines()] == [ALERT, ALERT]


def test_nothing_is_said_in_a_sentence(api: Api) -> None:
    for route in ("agents", "alerts", "dead-letters"):
        api.answers[f"/v1/{route}"] = 200, {"items": []}
        assert driftd(api, route).stdout.strip().endswith(".")


def test_an_explanation_is_plain_text_and_ids_are_escaped(api: Api) -> None:
    api.answers["/v1/alerts/a%2F1/explain"] = 200, {"text": "One.\nTwo [x]."}
    assert driftd(api, "explain", "a/1").stdout == "One.\nTwo [x].\n"


def test_readiness_has_an_exit_code(api: Api) -> None:
    api.answers["/v1/containments/readiness/r"] = 200, {"ready": False, "missing": ["ratified"], "would_have": {"kill": 1}}
    told = driftd(api, "containment", "readiness", "r")
    assert told.returncode == exits.FAILED
    assert "ratified" in told.stdout
    api.answers["/v1/containments/readiness/r"] = 200, {"ready": True, "missing": [], "would_have": {}}
    assert driftd(api, "containment", "readiness", "r").returncode == exits.OK


def test_the_token_is_read_from_its_file(api: Api, tmp_path: Path) -> None:
    api.answers["/v1/agents"] = 200, []
    (tmp_path / "token").write_text("t0\n")
    assert driftd(api, "agents", "--token-file", str(tmp_path / "token")).returncode == exits.OK
    assert api.asked[0][2] == "Bearer t0"


@pytest.mark.parametrize(
    ("answer", "code", "told"),
    [
        ((401, {}), exits.FAILED, "wants a token"),
        ((409, {"detail": "not ratified"}), exits.FAILED, "refuses (409): not ratified"),
        ((500, b"<html>"), exits.FAILED, "refuses (500): <html>"),
        ((200, b"<html>"), exits.UNREACHABLE, "not driftd's"),
    ],
)
def test_refusals_are_one_sentence(api: Api, answer: tuple[int, Any], code: int, told: str) -> None:
    api.answers["/v1/agents"] = answer
    done = driftd(api, "agents")
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_directive_is_posted_to_its_route(api: Api) -> None:
    api.answers["/v1/directives/contain"] = 201, {"id": "d1"}
    assert driftd(api, "contain", "a", "restrict", "--by", "ann").stdout == "contain d1: done\n"
    ((verb, _, _, body),) = api.asked
    assert verb == "POST"
    assert json.loads(body)["step"] == "restrict"
