"""What is read through the interface is what the store holds."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from monitor.findings import Alert, Containment, encode
from monitor.formats.base import DeadLetter
from monitor.sources.base import Partition
from monitor.storage.decision import AuditEntry, Decision, Position, Verdict
from monitor.web.answers import Health


def alert(number: int, state: str = "firing", level: str = "page") -> Alert:
    return Alert(
        id=f"a{number}", state=state, time="2026-03-02T09:00:00.000Z", event="e", agent=f"billing/{number}",  # type: ignore[arg-type]
        role="billing", level=level, why="opened", score=120.0,  # type: ignore[arg-type]
    )  # fmt: skip


def say(daemon: Any, *findings: tuple[str, int, Any]) -> None:
    daemon.store.record(Verdict(findings=list(findings), audit=[AuditEntry("ada", "said", b'{"x":1}')]))


@pytest.mark.parametrize(
    ("agent", "path"),
    [
        ("billing/7", "billing/7"),
        ("billing/7", "billing%2F7"),
        ("a/b/state", "a/b/state"),
        ("plain", "plain"),
        ("a b?c#d%", quote("a b?c#d%", safe="")),
        ("//x", "%2F%2Fx"),
        ("größe/é", quote("größe/é", safe="")),
        ("..", "%2e%2e"),
    ],
)
def test_the_state_of_an_agent_of_any_name(client: httpx.Client, daemon: Any, agent: str, path: str) -> None:
    answer = client.get(f"/v1/agents/{path}/state", params={"tenant": "t"})
    assert (answer.status_code, answer.json()) == (200, {"step": None})
    assert daemon.asked == [("t", agent)]


def test_an_unchanged_state_is_not_sent_again(client: httpx.Client, daemon: Any) -> None:
    first = client.get("/v1/agents/billing/7/state")
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get("/v1/agents/billing/7/state", headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    daemon.state = {"step": "kill"}
    changed = client.get("/v1/agents/billing/7/state", headers={"if-none-match": tag})
    assert (changed.status_code, changed.json()) == (200, {"step": "kill"})


@pytest.mark.parametrize("path", ["/v1/agents/billing", "/v1/agents/billing/7/states", "/v1/agents//state", "/v1/none"])
def test_what_is_not_there_is_a_problem(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["status"]) == (404, 404)
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_agent_asks_about_itself_alone(serve: Any, badge: Any) -> None:
    client = serve(badge.tokens)
    assert client.get("/v1/agents/billing/7/state", headers=badge.of("agent")).status_code == 200
    assert client.get("/v1/agents/support/7/state", headers=badge.of("agent")).status_code == 403


def test_only_the_agent_itself_acknowledges_its_state(serve: Any, badge: Any, daemon: Any) -> None:
    client, path = serve(badge.tokens), "/v1/agents/billing/7/state"
    tag = client.get(path, headers=badge.of("agent")).headers["etag"]
    for who, known in (("agent", '"old"'), ("agent", "*"), ("operator", tag)):
        client.get(path, headers=badge.of(who) | {"if-none-match": known})
    assert daemon.shown == []
    client.get(path, headers=badge.of("agent") | {"if-none-match": tag})
    assert daemon.shown == [("", "billing/7", {"step": None})]


def test_alerts_by_state_and_page(client: httpx.Client, daemon: Any) -> None:
    say(daemon, *((f"a{n}", 1, alert(n, level="critical" if n == 4 else "page")) for n in range(5)))
    say(daemon, ("a1", 2, alert(1, "resolved")), ("a3", 2, alert(3, "resolved")))

    def ids(**query: Any) -> list[str]:
        return [one["id"] for one in client.get("/v1/alerts", params=query).raise_for_status().json()["items"]]

    assert ids() == ["a3", "a1", "a4", "a2", "a0"]
    assert ids(state="open") == ["a4", "a2", "a0"]
    assert ids(state="open", role="billing", limit=2) == ["a4", "a2"]
    assert ids(state="resolved", limit=1) == ["a3"]
    assert ids(level="critical", agent="billing/4") == ["a4"]
    first = client.get("/v1/alerts", params={"limit": 2}).json()
    assert ids(limit=2, before=first["next"]) == ["a4", "a2"]
    lines = client.get("/v1/alerts", params={"findings": "true", "limit": 6}).json()
    assert [one["id"] for one in lines["items"]] == ["a0", "a1", "a2", "a3", "a4", "a1"]
    assert ids(findings="true", after=lines["next"]) == ["a3"]


def test_an_alert_with_its_lines_exactly_as_they_were_said(client: httpx.Client, daemon: Any) -> None:
    say(daemon, ("a1", 1, alert(1)), ("a1", 2, alert(1, "resolved")))
    answer = client.get("/v1/alerts/a1")
    assert answer.json()["alert"]["state"] == "resolved"
    assert encode(alert(1)) in answer.content
    assert client.get("/v1/alerts/other").status_code == 404
    assert client.get("/v1/alerts/known/explain").json() == {"text": "It did."}
    assert client.get("/v1/alerts/other/explain").status_code == 404


def test_containments_dead_letters_audit(client: httpx.Client, daemon: Any) -> None:
    step = Containment(
        id="c1", time="2026-03-02T09:00:00.000Z", event="e", agent="billing/7", role="billing", step="kill",
        mode="enforce", gate_score=2000.0, armed=True, not_armed_because=None, reason="mass deletion",
    )  # fmt: skip
    claim = daemon.store.claim(Partition("topic", 3), "me")
    letter = DeadLetter(4, 0, "not_json", "billing/7", "d", b"\xff{", 5.0)
    decision = Decision(position_after=Position(5), dead=[letter], findings=[("c1", 1, step)])
    decision.audit = [AuditEntry("ada", "said", b'{"x":1}')]
    daemon.store.commit(claim, decision)
    (found,) = client.get("/v1/containments").json()["items"]
    assert (found["id"], found["step"], found["status"], found["ended_at"]) == ("c1", "kill", "decided", None)
    assert client.get("/v1/containments", params={"active": "false"}).json()["items"] == []
    dead = client.get("/v1/dead-letters").json()
    assert dead["counts"] == {"not_json": 1}
    assert (dead["items"][0]["source"], dead["items"][0]["partition"], dead["items"][0]["excerpt"]) == ("topic", 3, "�{")
    audited = client.get("/v1/audit").json()
    assert (audited["items"][0]["who"], audited["items"][0]["body"]) == ("ada", {"x": 1})
    assert audited["head"]["hash"] == audited["items"][0]["hash"]
    assert client.get("/v1/containments/readiness/a%2Fb").json()["missing"] == ["x"]
    assert client.get("/v1/containments/readiness/c").status_code == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "level=loud", "state=shut"])
def test_a_wrong_query_is_named(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/v1/alerts?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json()["detail"]


def test_probes(client: httpx.Client, daemon: Any) -> None:
    assert client.get("/healthz", headers={"host": "10.0.0.7:8765"}).json() == {"ok": True, "ill": []}
    daemon.health = Health(ok=False, problems={"loop": "it stands still; secret detail"})
    ill = client.get("/readyz")
    assert (ill.status_code, ill.json()) == (503, {"ok": False, "ill": ["loop"]})


def test_metrics_count_requests_by_route_and_never_by_path(client: httpx.Client) -> None:
    client.get("/v1/alerts/one")
    client.get("/nowhere/else")
    text = client.get("/metrics").text
    assert 'driftd_http_requests_total{route="/v1/alerts/{alert}",status="404"} 1.0' in text
    assert "nowhere" not in text
