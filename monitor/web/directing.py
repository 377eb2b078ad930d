"""`POST /v1/directives`: what people tell the daemon. One route for each directive, derived from the structs."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter, RawBody

from detectors.core.inputs import AnyDirective, Release
from monitor.storage.directives import State
from monitor.web.answers import Given
from monitor.web.gate import ADMINS, READERS, WATCHERS
from monitor.web.problems import Problem, answer
from monitor.web.tokens import Role, Token

#: to arm is to hand over the switch; all else an operator may, and the brake above all
_ROLES: dict[str, frozenset[Role]] = {"arm": ADMINS, "release": WATCHERS | {"pipeline"}}
_BYTES_MAX = 65_536
_fields = msgspec.json.Decoder(dict[str, Any])


def roles_of(tag: str) -> frozenset[Role]:
    """Who may give this directive."""
    return _ROLES.get(tag, WATCHERS)


@get("/v1/directives", sync_to_thread=True, opt={"may": READERS})
def waiting(
    answers: Given,
    in_state: Annotated[State | None, QueryParameter(name="state")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> Response[bytes]:
    """Directives, newest first; `state=pending`: those that wait for a second person."""
    found = answers.directives.all(in_state, limit)
    return answer({"items": [proposal._asdict() for proposal in found]})


def routes() -> list[HTTPRouteHandler]:
    """All routes about directives."""
    tags = [str(directive.__struct_config__.tag) for directive in get_args(AnyDirective)]
    return [waiting, _route(None), *(_route(tag) for tag in tags)]


def _route(tag: str | None) -> HTTPRouteHandler:
    path = "/v1/directives" if tag is None else f"/v1/directives/{tag}"
    may = WATCHERS | {"pipeline"} if tag is None else roles_of(tag)

    def tell(request: Request[Token, Any, Any], body: RawBody, answers: Given) -> Response[bytes]:
        directive = _directive(request, body, tag, answers)
        alone = _may_alone(directive, request.user, answers)
        told = answers.direct(directive, alone)
        return answer(told, 200 if told.confirmed else 202)

    tell.__name__ = f"tell_{tag or 'any'}"
    return post(path, status_code=200, sync_to_thread=True, request_max_body_size=_BYTES_MAX, opt={"may": may})(tell)


def _directive(request: Request[Token, Any, Any], body: bytes, tag: str | None, answers: Given) -> AnyDirective:
    """The directive of a body. Who says it and when is not the body's to say."""
    # a form of another page cannot send this type without asking first
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "send application/json")
    try:
        told = _fields.decode(body)
        if tag is not None and told.setdefault("directive", tag) != tag:
            raise Problem(400, f"the body is a {told['directive']!r}, and this is the route of {tag!r}")
        told |= {"by": request.user.name, "time": answers.now()}
        directive: AnyDirective = msgspec.convert(told, AnyDirective)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Problem(400, str(error)) from None
    given = str(directive.__struct_config__.tag)
    if request.user.role not in roles_of(given):
        raise Problem(403, f"{request.user.name} has the role {request.user.role}, and may not {given}")
    return directive


def _may_alone(directive: AnyDirective, token: Token, answers: Given) -> bool:
    """Whether it counts without a second person: a pipeline's release for its own role, without privileged scopes."""
    if token.role != "pipeline":
        return False
    if not isinstance(directive, Release) or directive.role != token.releases:
        raise Problem(403, f"{token.name} may announce releases of {token.releases} alone")
    privileged = [scope for scope in directive.brings.scopes if answers.is_privileged(scope)]
    if privileged:
        raise Problem(403, f"a person has to announce privileged scopes: {', '.join(privileged)}")
    return True
