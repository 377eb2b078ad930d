"""The interface as one application."""

from __future__ import annotations

from collections.abc import Collection

from litestar import Litestar, Router
from litestar.datastructures import ResponseHeader
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from monitor.metrics import Metrics
from monitor.web import directing, events, probes, reads
from monitor.web.answers import Answers
from monitor.web.gate import Gate
from monitor.web.problems import HANDLERS
from monitor.web.tokens import Tokens

_HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


def build_app(answers: Answers, tokens: Tokens | None = None, allow_hosts: Collection[str] = ()) -> Litestar:
    """The application. Without tokens everybody who can connect is let in: see `gate.check_bind`."""
    # registered as one: the framework wraps a function twice when a second one of its path comes by itself
    routes = Router("/", route_handlers=[*probes.ROUTES, *reads.ROUTES, *directing.routes(), events.append])
    return Litestar(
        route_handlers=[routes],
        dependencies={"answers": Provide(lambda: answers, sync_to_thread=False)},
        guards=[Gate(tokens, allow_hosts)],
        exception_handlers=HANDLERS,
        middleware=[_Counting(answers.metrics)],
        response_headers=[ResponseHeader(name=name, value=value) for name, value in _HEADERS.items()],
        request_max_body_size=answers.bytes_max,
        openapi_config=None,
        logging_config=None,
    )


class _Counting(ASGIMiddleware):
    """Counts answers by route and status."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, metrics: Metrics) -> None:
        self._requests = metrics.http_requests

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                # the template, never the path: what a caller types is no label
                self._requests.labels(scope.get("path_template") or "unknown", str(message["status"])).inc()
            await send(message)

        await next_app(scope, receive, counted)
