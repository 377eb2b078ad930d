"""Who gets in: the role that a route asks for, and without tokens only callers that mean this very machine."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from monitor.web.problems import Problem
from monitor.web.tokens import LOCAL, Role, Token, Tokens

#: `opt` of a route: the roles that may use it; a route without is closed to all
OPEN = "open"
READERS: frozenset[Role] = frozenset({"viewer", "operator", "admin"})
WATCHERS: frozenset[Role] = frozenset({"operator", "admin"})
ADMINS: frozenset[Role] = frozenset({"admin"})
SENDERS: frozenset[Role] = frozenset({"ingest", "operator", "admin"})

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class NakedBind(ValueError):
    """The address can be reached from outside, and nobody would be asked who they are."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_bind(bind: str, tokens: Tokens | None) -> None:
    """Raise NakedBind for an address beyond loopback without tokens."""
    if tokens is None and not is_loopback(bind):
        raise NakedBind(f"{bind} can be reached from outside: set api.tokens_file, or bind 127.0.0.1")


class Gate:
    """The guard of every route."""

    def __init__(self, tokens: Tokens | None, allow_hosts: Collection[str] = ()) -> None:
        self._tokens = tokens
        self._hosts = _LOOPBACK_NAMES | {host.lower() for host in allow_hosts}

    def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], route: BaseRouteHandler) -> None:
        """Let the caller in or raise Problem; afterwards `request.user` is its Token."""
        may = route.opt.get("may", frozenset())
        if may == OPEN:
            return
        if self._tokens is None:
            self._check_neighbour(connection)
            connection.scope["user"] = LOCAL
            return
        token = self._token(connection, self._tokens)
        if token.role not in may:
            raise Problem(403, f"{token.name} has the role {token.role}, and this is for {', '.join(sorted(may))}")
        connection.scope["user"] = token

    def _token(self, connection: ASGIConnection[Any, Any, Any, Any], tokens: Tokens) -> Token:
        scheme, _, presented = connection.headers.get("authorization", "").partition(" ")
        token = tokens.find(presented.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise Problem(401, "a bearer token is needed", headers={"www-authenticate": 'Bearer realm="driftd"'})
        return token

    def _check_neighbour(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        """Refuse web pages in a browser on this machine: by the name they call, or by the page they say they are of."""
        if _name(connection.headers.get("host", "")) not in self._hosts:
            raise Problem(403, "called by an unknown name: see api.allow_hosts")
        origin = connection.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != connection.headers.get("host", "").lower():
            raise Problem(403, "called from a page of another origin")


def _name(host: str) -> str:
    """The name of a Host header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
