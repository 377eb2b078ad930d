"""The routes that only read: agents, alerts, containments, dead letters, audit, settings."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery, QueryParameter

from monitor.findings import Level
from monitor.storage.lines import Line
from monitor.web.answers import Given
from monitor.web.gate import READERS, WATCHERS
from monitor.web.problems import Problem, answer
from monitor.web.tokens import LOCAL, Token

Limit = Annotated[int, QueryParameter(ge=1, le=1000)]
_AGENTS, _STATE = b"/v1/agents/", b"/state"


@get("/v1/agents", sync_to_thread=True, opt={"may": READERS})
def agents(answers: Given, limit: Limit = 100) -> Response[bytes]:
    """The agents with the highest scores."""
    return answer({"items": answers.agents(limit)})


@get("/v1/agents/{rest:path}", sync_to_thread=True, opt={"may": READERS | {"agent"}})
def agent_state(request: Request[Token, Any, Any], answers: Given, tenant: FromQuery[str] = "") -> Response[bytes]:
    """`/v1/agents/{id}/state`: what the agent may do now. An id holds any character; "/" may stand as it is or as %2F.

    With If-None-Match the answer is 304 while nothing has changed.
    """
    # the decoded path has lost the difference between what was typed and what was escaped
    raw = bytes(request.scope.get("raw_path") or b"").partition(b"?")[0]
    if not (raw.startswith(_AGENTS) and raw.endswith(_STATE) and len(raw) > len(_AGENTS) + len(_STATE)):
        raise Problem(404, "agents have /v1/agents/{id}/state")
    agent = unquote(raw[len(_AGENTS) : -len(_STATE)].decode("ascii", "replace"), errors="replace")
    if not request.user.covers(agent):
        raise Problem(403, f"{request.user.name} may not ask about {agent}")
    state = answers.agent_state(tenant, agent)
    body = msgspec.json.encode(state)
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    wanted = request.headers.get("if-none-match", "")
    # what a person looks at is no proof that the agent has it
    if answers.state_seen is not None and tag in wanted and (request.user.role == "agent" or request.user is LOCAL):
        answers.state_seen(tenant, agent, state)
    if _matches(wanted, tag):
        return Response(b"", status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


@get("/v1/alerts", sync_to_thread=True, opt={"may": READERS})
def alerts(
    answers: Given,
    limit: Limit = 100,
    before: FromQuery[int | None] = None,
    after: FromQuery[int] = 0,
    findings: FromQuery[bool] = False,
    alert_state: Annotated[Literal["open", "firing", "updated", "resolved"] | None, QueryParameter(name="state")] = None,
    tenant: FromQuery[str | None] = None,
    agent: FromQuery[str | None] = None,
    role: FromQuery[str | None] = None,
    level: FromQuery[Level | None] = None,
    incident: FromQuery[str | None] = None,
) -> Response[bytes]:
    """The newest line of each alert, newest first; `next` is the `before` of the page that follows.

    `findings=true`: every line that was said past `after`, oldest first, as the contract has it.
    """
    if findings:
        return _page(answers.queries.findings(after, limit))
    fits = {"tenant": tenant, "agent": agent, "role": role, "level": level, "incident": incident}
    if alert_state == "open" and before is None and not any(fits.values()):
        return _page(answers.queries.open_alerts()[::-1][:limit])
    found: list[Line] = []
    while len(found) < limit:
        exact = None if alert_state == "open" else alert_state
        page = answers.queries.alerts(limit, before_seq=before, state=exact, **fits)  # type: ignore[arg-type]
        found += [line for line in page if exact or alert_state is None or _state(line) != "resolved"]
        if len(page) < limit:
            break
        before = page[-1].seq
    return _page(found[:limit])


@get("/v1/alerts/{alert:str}", sync_to_thread=True, opt={"may": READERS})
def alert_by_id(answers: Given, alert: FromPath[str]) -> Response[bytes]:
    """One alert: its newest line, and all of them in order."""
    lines = [msgspec.Raw(line.body) for line in answers.queries.alert(alert)]
    if not lines:
        raise Problem(404, f"there is no alert {alert}")
    return answer({"alert": lines[-1], "lines": lines})


@get("/v1/alerts/{alert:str}/explain", sync_to_thread=True, opt={"may": READERS})
def explain(answers: Given, alert: FromPath[str]) -> Response[bytes]:
    """What raised the alert, in plain sentences."""
    told = answers.explain(alert)
    if told is None:
        raise Problem(404, f"there is no alert {alert}")
    return answer(told)


@get("/v1/containments", sync_to_thread=True, opt={"may": READERS})
def containments(answers: Given, limit: Limit = 100, active: FromQuery[bool | None] = None) -> Response[bytes]:
    """Containment steps with what became of them, newest first."""
    found = answers.queries.containments(limit, active=active)
    items = [msgspec.to_builtins(state.line) | state._asdict() | {"line": None} for state in found]
    for item in items:
        del item["line"]
    return answer({"items": items})


@get("/v1/containments/readiness/{role:path}", sync_to_thread=True, opt={"may": READERS})
def readiness(answers: Given, role: FromPath[str], tenant: FromQuery[str] = "") -> Response[bytes]:
    """What a role lacks before it may be armed."""
    told = answers.readiness(tenant, role.removeprefix("/"))
    if told is None:
        raise Problem(404, f"no agent of role {role.removeprefix('/')} is known")
    return answer(told)


@get("/v1/dead-letters", sync_to_thread=True, opt={"may": WATCHERS})
def dead_letters(answers: Given, limit: Limit = 100, reason: FromQuery[str | None] = None) -> Response[bytes]:
    """Records that could not be judged, newest first, and how many are kept of each reason."""
    items = [
        {
            "seq": stored.seq, "source": stored.partition.source, "partition": stored.partition.number,
            **stored.letter._asdict(), "excerpt": stored.letter.excerpt.decode("utf-8", "replace"),
            "written_at": stored.written_at,
        }
        for stored in answers.queries.dead_letters(limit, reason)
    ]  # fmt: skip
    return answer({"items": items, "counts": answers.queries.dead_letter_counts()})


@get("/v1/audit", sync_to_thread=True, opt={"may": WATCHERS})
def audit(answers: Given, limit: Limit = 100) -> Response[bytes]:
    """Who did what, newest first, and the head of the chain."""
    records = [record._asdict() | {"body": msgspec.Raw(record.body)} for record in answers.queries.audit(limit)]
    return answer({"items": records, "head": answers.queries.audit_head()._asdict()})


@get("/v1/settings", sync_to_thread=True, opt={"may": WATCHERS})
def settings(answers: Given) -> Response[bytes]:
    """The settings in force, secrets masked."""
    return answer(answers.settings())


ROUTES = [
    agents, agent_state, alerts, alert_by_id, explain, containments, readiness, dead_letters, audit, settings,
]  # fmt: skip


def _page(lines: list[Line]) -> Response[bytes]:
    items = [msgspec.Raw(line.body) for line in lines]
    return answer({"items": items, "next": lines[-1].seq if lines else None})


class _State(msgspec.Struct):
    state: str


def _state(line: Line) -> str:
    return msgspec.json.decode(line.body, type=_State).state


def _matches(wanted: str, tag: str) -> bool:
    return any(one.strip().removeprefix("W/") in (tag, "*") for one in wanted.split(","))
