"""`POST /v1/events`: events into the ingest log, acknowledged when they are on disk."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.params import RawBody

from monitor.sources.ingest import Broken, Full
from monitor.web.answers import Given
from monitor.web.gate import SENDERS
from monitor.web.problems import Problem, answer
from monitor.web.tokens import Token

_JSON, _LINES = "application/json", "application/x-ndjson"


class _Named(msgspec.Struct):
    """The least of an event: its id, for a sender that repeats what was not acknowledged."""

    id: str
    agent: str | None = None
    tenant: str | None = None


_named = msgspec.json.Decoder(_Named)


# the size of a body is bounded by the setting of the source, for which see `build_app`
@post("/v1/events", status_code=202, sync_to_thread=True, opt={"may": SENDERS})
def append(request: Request[Token, Any, Any], body: RawBody, answers: Given) -> Response[bytes]:
    """Take one JSON object, or one a line. 202: on disk. 429: full, try later. 400: no line was taken."""
    if answers.append is None:
        raise Problem(404, "no source of type ingest is set")
    if len(body) > answers.bytes_max:
        raise Problem(413, f"a body may have {answers.bytes_max} bytes")
    lines = _lines(request, body)
    for number, line in enumerate(lines, 1):
        _check(number, line, request.user)
    values = [line for line in lines if line.strip()]
    if not values:
        raise Problem(400, "the body holds no event")
    try:
        offset = answers.append(values)
    except Full as error:
        raise Problem(429, "the ingest log is full", headers={"retry-after": str(error.retry_after_seconds)}) from None
    except Broken as error:
        raise Problem(503, f"the ingest log cannot be written: {error}", headers={"retry-after": "5"}) from None
    except ValueError as error:
        raise Problem(413, str(error)) from None
    return answer({"events": len(values), "offset": offset}, 202)


def _lines(request: Request[Token, Any, Any], body: bytes) -> list[bytes]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, "compressed bodies are not taken")
    if kind == _LINES:
        return body.split(b"\n")
    if kind != _JSON:
        raise Problem(415, f"send {_JSON} or {_LINES}")
    try:
        # a line feed ends a record
        return [msgspec.json.format(body, indent=-1) if b"\n" in body else body]
    except msgspec.DecodeError as error:
        raise Problem(400, f"line 1: {error}", line=1) from None


def _check(number: int, line: bytes, token: Token) -> None:
    """Refuse a line that is no object with an id. Everything else about it is judged when it is read."""
    if not line.strip():
        return
    try:
        event = _named.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"line {number}: {error}; every event needs an id", line=number) from None
    if not event.id:
        raise Problem(400, f"line {number}: the id is empty", line=number)
    if token.agents and not token.covers(event.agent or ""):
        raise Problem(403, f"line {number}: {token.name} may not send events of {event.agent!r}", line=number)
