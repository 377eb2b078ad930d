"""Every route and every role: who gets in stands here in full, and a route that is not listed fails the test."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.web.app import build_app
from monitor.web.tokens import Role

ROLES: tuple[Role, ...] = ("viewer", "agent", "ingest", "pipeline", "operator", "admin")
EVERYBODY = {*ROLES, "nobody"}
READERS, WATCHERS = {"viewer", "operator", "admin"}, {"operator", "admin"}
LISTED: dict[tuple[str, str], set[str]] = {
    ("GET", "/healthz"): EVERYBODY,
    ("GET", "/readyz"): EVERYBODY,
    ("GET", "/metrics"): READERS,
    ("POST", "/v1/events"): {"ingest", "operator", "admin"},
    ("GET", "/v1/agents"): READERS,
    ("GET", "/v1/agents/{rest:path}"): READERS | {"agent"},
    ("GET", "/v1/alerts"): READERS,
    ("GET", "/v1/alerts/{alert:str}"): READERS,
    ("GET", "/v1/alerts/{alert:str}/explain"): READERS,
    ("GET", "/v1/containments"): READERS,
    ("GET", "/v1/containments/readiness/{role:path}"): READERS,
    ("GET", "/v1/dead-letters"): WATCHERS,
    ("GET", "/v1/audit"): WATCHERS,
    ("GET", "/v1/settings"): WATCHERS,
    ("GET", "/v1/directives"): READERS,
    ("POST", "/v1/directives"): WATCHERS | {"pipeline"},
    ("POST", "/v1/directives/release"): WATCHERS | {"pipeline"},
    ("POST", "/v1/directives/arm"): {"admin"},
    **{
        ("POST", f"/v1/directives/{tag}"): WATCHERS
        for tag in (
            *("accept", "ratify", "silence", "calendar", "contain", "uncontain", "resolve", "disarm", "confirm"),
        )
    },
}


def routes(daemon: Any) -> set[tuple[str, str]]:
    # OPTIONS is made by the framework for each path, and as closed as the rest: see below
    every = build_app(daemon.answers).routes
    return {(method, route.path) for route in every for method in route.methods if method != "OPTIONS"}


def test_every_route_is_listed(daemon: Any) -> None:
    assert routes(daemon) == set(LISTED)


def test_each_role_gets_in_where_it_is_listed_and_nowhere_else(serve: Any, badge: Any) -> None:
    client = serve(badge.tokens)
    found: dict[tuple[str, str], set[str]] = {}
    for method, path in LISTED:
        asked = path.replace("{rest:path}", "billing/7/state").replace("{alert:str}", "x").replace("{role:path}", "x")
        for who in (*ROLES, "nobody"):
            answer = client.request(method, asked, headers=badge.of(who) if who != "nobody" else {})
            assert (answer.status_code == 401) <= (who == "nobody"), (method, path, who, answer.text)
            if answer.status_code not in (401, 403):
                found.setdefault((method, path), set()).add(who)
    assert found == LISTED


def test_what_the_framework_answers_by_itself_is_closed(serve: Any, badge: Any) -> None:
    client = serve(badge.tokens)
    assert client.options("/v1/alerts").status_code == 401
    assert client.get("/schema").status_code == 404
    assert client.delete("/v1/alerts").status_code == 405


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer x", "Basic dTpw", "Bearer driftd_é".encode()])
def test_a_wrong_token_is_no_token(serve: Any, badge: Any, value: str | bytes) -> None:
    answer = serve(badge.tokens).get("/v1/alerts", headers={"authorization": value})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="driftd"')
    assert answer.headers["content-type"] == "application/problem+json"
