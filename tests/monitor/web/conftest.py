from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from monitor.web.app import build_app
from monitor.web.server import WebServer
from monitor.web.tokens import Tokens
from tests.monitor.web.parts import Badge, Daemon


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    yield made
    made.close()


Serve = Callable[..., httpx.Client]


@pytest.fixture
def serve(daemon: Daemon) -> Iterator[Serve]:
    """Starts a real server on loopback: `serve(tokens=None, allow_hosts=())` gives a client of it."""
    servers: list[WebServer] = []
    clients: list[httpx.Client] = []

    def start(tokens: Tokens | None = None, allow_hosts: tuple[str, ...] = ()) -> httpx.Client:
        server = WebServer(build_app(daemon.answers, tokens, allow_hosts))
        server.start()
        servers.append(server)
        clients.append(httpx.Client(base_url=server.url, trust_env=False))
        return clients[-1]

    yield start
    for client in clients:
        client.close()
    for server in servers:
        server.stop()


@pytest.fixture
def client(serve: Serve) -> httpx.Client:
    """A caller on this machine, without tokens."""
    return serve()


@pytest.fixture
def badge() -> Badge:
    return Badge()
