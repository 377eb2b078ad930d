"""Without tokens only this machine gets in, and no page in a browser on it; beyond loopback nobody starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.web.gate import NakedBind, check_bind
from monitor.web.server import BindError, WebServer
from monitor.web.tokens import BadTokens, Tokens, new_token


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost", "LOCALHOST:1", "[::1]:8765", "driftd.internal"])
def test_known_names_get_in(serve: Any, host: str) -> None:
    assert serve(allow_hosts=("driftd.internal",)).get("/v1/alerts", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "localhost.evil.example", "127.0.0.1.evil.example", "[::", ""])
def test_a_name_that_was_bound_to_this_machine_by_others_does_not(client: httpx.Client, host: str) -> None:
    answer = client.get("/v1/alerts", headers={"host": host})
    assert answer.status_code in (400, 403)


def test_a_page_of_another_origin_does_not(client: httpx.Client) -> None:
    body = {"role": "billing"}
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        assert client.post("/v1/directives/disarm", json=body, headers={"origin": origin}).status_code == 403
    own = str(client.base_url).rstrip("/")
    assert client.post("/v1/directives/disarm", json=body, headers={"origin": own}).status_code == 200
    assert "access-control-allow-origin" not in client.options("/v1/alerts", headers={"origin": own}).headers


def test_a_form_cannot_give_a_directive(client: httpx.Client) -> None:
    form = {"content-type": "text/plain"}
    assert client.post("/v1/directives/disarm", content=b"{}", headers=form).status_code == 415


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.168.1.5", "driftd.internal"])
def test_beyond_loopback_tokens_are_needed(bind: str, badge: Any) -> None:
    with pytest.raises(NakedBind, match=r"set api\.tokens_file"):
        check_bind(bind, None)
    check_bind(bind, badge.tokens)


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_loopback_needs_none(bind: str) -> None:
    check_bind(bind, None)


def test_a_port_that_is_taken_is_said(serve: Any, daemon: Any) -> None:
    from monitor.web.app import build_app

    taken = serve().base_url.port
    with pytest.raises(BindError, match=r"Is another driftd up\?"):
        WebServer(build_app(daemon.answers), port=taken).start()


def test_tokens_are_read_from_a_file_of_hashes(tmp_path: Path) -> None:
    token, digest = new_token()
    path = tmp_path / "tokens.yaml"
    path.write_text(f"tokens:\n  - {{name: ada, role: operator, sha256: {digest}}}\n")
    found = Tokens.read(path).find(token)
    assert found is not None
    assert (found.name, found.role) == ("ada", "operator")
    assert Tokens.read(path).find(token[:-1]) is None
    assert token not in path.read_text()


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("", "no token is given"),
        ("{name: a, role: root, sha256: H}", "Invalid enum value 'root'"),
        ("{name: a, role: admin, sha256: short}", "sha256"),
        ("{name: a, role: admin, sha256: H, agent: x}", "unknown field `agent`"),
        ("{name: a, role: admin, sha256: H}, {name: b, role: viewer, sha256: H}", "two tokens are the same"),
        ("{name: a, role: pipeline, sha256: H}", "`releases`"),
        ("{name: a, role: viewer, sha256: H, releases: x}", "`releases`"),
        ("{name: a, role: agent, sha256: H}", "which `agents`"),
    ],
)
def test_a_wrong_file_of_tokens_is_refused(tmp_path: Path, entry: str, told: str) -> None:
    path = tmp_path / "tokens.yaml"
    path.write_text(f"tokens: [{entry.replace('H', 'a' * 64)}]")
    with pytest.raises(BadTokens, match=r"tokens\.yaml") as refused:
        Tokens.read(path)
    assert told in str(refused.value)


def test_a_file_that_is_no_yaml_or_missing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokens.yaml"
    with pytest.raises(BadTokens, match="No such file"):
        Tokens.read(path)
    path.write_text("tokens: [")
    with pytest.raises(BadTokens, match="not YAML"):
        Tokens.read(path)
