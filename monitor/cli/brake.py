"""`driftd disarm` and `driftd release --since 10m --all`: they pull the brake, which needs no daemon and no database."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from monitor.cli import options, screen
from monitor.cli.spans import span_seconds


def parameters(tag: str) -> list[inspect.Parameter]:
    """What a directive's command takes beside its own parameters, for the brake."""
    if tag != "uncontain":
        return []
    since = Annotated[str | None, typer.Option("--since", metavar="SPAN", help="With --all: contained since then (10m).")]
    every = Annotated[bool, typer.Option("--all", help="Every agent; works without daemon and database.")]
    kind = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter("since", kind, default=None, annotation=since),
        inspect.Parameter("every", kind, default=False, annotation=every),
    ]


def takes(tag: str, given: dict[str, Any], url: str | None) -> bool:
    """Whether this call is the brake's. Raises typer.BadParameter when it asks for half of it."""
    if tag == "disarm":
        return url is None
    if tag != "uncontain":
        return False
    if given["every"] != (given["since"] is not None):
        raise typer.BadParameter("--all and --since go together: driftd release --since 10m --all")
    if given["every"] == (given["agent"] is not None):
        raise typer.BadParameter("name an agent, or --since 10m --all")
    return bool(given["every"])


def pull(tag: str, given: dict[str, Any], by: str, reason: str, config: Path | None) -> None:
    """Write the brake file, which the daemon obeys within a second and audits after."""
    raise NotImplementedError
