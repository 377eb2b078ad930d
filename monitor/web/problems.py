"""Errors as RFC 9457 problem documents: one form for every route."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from monitor import logs
from monitor.storage.errors import Duplicate, Refused, StorageUnavailable

MEDIA_TYPE = "application/problem+json"
_log = logs.get("web")


class Problem(Exception):
    """A request that cannot be answered. `more` are further members of the document (`line`, `field`)."""

    def __init__(self, status: int, detail: str, *, headers: dict[str, str] | None = None, **more: object) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers or {}, more


def answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    """JSON; `msgspec.Raw` inside it goes out as it is."""
    body = msgspec.json.encode(content)
    return Response(body, status_code=status, media_type="application/json", headers=headers or {})


def _document(problem: Problem) -> Response[bytes]:
    told = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        **problem.more,
    }
    return Response(
        msgspec.json.encode(told), status_code=problem.status, media_type=MEDIA_TYPE, headers=problem.headers
    )


def _problem(_: Request[Any, Any, Any], error: Problem) -> Response[bytes]:
    return _document(error)


def _http(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("request failed", exc_info=error)
        return _document(Problem(error.status_code, "driftd failed; its log says why"))
    detail = error.detail
    if isinstance(error.extra, list):
        detail = "; ".join([detail, *(f"{one.get('key')}: {one.get('message')}" for one in error.extra)])
    return _document(Problem(error.status_code, detail, headers=dict(error.headers or {})))


def _away(_: Request[Any, Any, Any], error: StorageUnavailable) -> Response[bytes]:
    return _document(Problem(503, str(error), headers={"retry-after": "1"}))


def _refused(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    return _document(Problem(409, str(error)))


def _bug(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    _log.error("request failed", exc_info=error)
    return _document(Problem(500, "driftd failed; its log says why"))


HANDLERS: ExceptionHandlersMap = {
    Problem: _problem,
    HTTPException: _http,
    StorageUnavailable: _away,
    Refused: _refused,
    Duplicate: _refused,
    Exception: _bug,
}
