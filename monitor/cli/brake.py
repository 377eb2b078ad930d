"""`driftd disarm` and `driftd release --since 10m --all`: they pull the brake, which needs no daemon and no database."""

from __future__ import annotations

import inspect
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from monitor.brake import FILE_NAME, Brake
from monitor.cli import exits, screen
from monitor.cli.exits import CommandError
from monitor.cli.spans import span_seconds

StateDir = Annotated[
    Path | None, typer.Option("--state-dir", help="The daemon's state folder.", show_default="from the settings")
]


def parameters(tag: str) -> list[inspect.Parameter]:
    """What a directive's command takes beside its own parameters, for the brake."""
    kind = inspect.Parameter.KEYWORD_ONLY
    state_dir = inspect.Parameter("state_dir", kind, default=None, annotation=StateDir)
    if tag == "disarm":
        return [state_dir]
    if tag != "uncontain":
        return []
    since = Annotated[str | None, typer.Option("--since", metavar="SPAN", help="With --all: contained since then (10m).")]
    every = Annotated[bool, typer.Option("--all", help="Every agent; works without daemon and database.")]
    return [
        inspect.Parameter("since", kind, default=None, annotation=since),
        inspect.Parameter("every", kind, default=False, annotation=every),
        state_dir,
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
    """Write the brake file, which the daemon looks at before every act and audits after.

    Of the settings only `state_dir` is read, so that no mistake in the rest of them keeps anybody from braking.
    """
    folder = given["state_dir"] or _state_dir(config)
    brake = Brake(folder)
    try:
        if tag == "disarm":
            told = brake.disarm(by, role=given["role"], tenant=given["tenant"] or "", reason=reason)
        else:
            told = brake.release(by, since=time.time() - span_seconds(given["since"]), reason=reason)
    except OSError as problem:
        where = f"{folder / FILE_NAME}: {problem.strerror}"
        raise CommandError(f"{where}; name the daemon's folder with --state-dir or --config", exits.UNREADABLE) from None
    screen.say(f"{'disarmed' if tag == 'disarm' else 'released'} ({told}), written to {folder / FILE_NAME}")


def _state_dir(config: Path | None) -> Path:
    from monitor.config.load import state_dir

    return state_dir(config)
