"""The daemon's HTTP interface, as the command line uses it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx

from monitor.cli import exits
from monitor.cli.exits import CommandError


class Client:
    """Asks the daemon at `url`. Every verb raises CommandError: code 4 when it cannot be reached, 1 when it refuses."""

    def __init__(self, url: str, token: str | None = None, timeout_seconds: float = 10) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout_seconds)

    def get(self, *path: str, **query: str | int | None) -> Any:
        """The JSON at /v1/PATH; parts of the path may hold anything."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", path, params=given)

    def post(self, *path: str, body: dict[str, Any]) -> Any:
        """What the daemon answers to this body at /v1/PATH."""
        return self._ask("POST", path, json=body)

    def _ask(self, verb: str, path: tuple[str, ...], **how: Any) -> Any:
        try:
            answer = self._http.request(verb, "/v1/" + "/".join(quote(part, safe="") for part in path), **how)
        except httpx.TransportError as problem:
            told = f"no daemon answers at {self.url} ({problem}); is `driftd run` up, or --url another?"
            raise CommandError(told, exits.UNREACHABLE) from None
        if answer.is_error:
            raise CommandError(_refusal(answer))
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise CommandError(f"{self.url} answers something that is not driftd's", exits.UNREACHABLE) from None


def _refusal(answer: httpx.Response) -> str:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return "the daemon wants a token: give --token-file"
    try:
        told = answer.json()
    except ValueError:
        told = answer.text
    detail = told.get("detail", told) if isinstance(told, dict) else told
    return f"the daemon refuses ({answer.status_code}): {detail}"
