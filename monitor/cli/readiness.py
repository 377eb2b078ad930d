"""`driftd containment readiness ROLE`: what is missing before a role may be armed."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli import exits, options, screen

app = typer.Typer()
containment = typer.Typer(help="Ask about containment.", no_args_is_help=True)
app.add_typer(containment, name="containment")


@containment.command()
def readiness(
    role: Annotated[str, typer.Argument(help="The role.")],
    as_json: options.Json = False,
    config: options.Config = None,
    url: options.Url = None,
    token_file: options.TokenFile = None,
) -> None:
    """Say what is missing before a role may be armed, and what the past weeks would have done. Exit 1: not ready."""
    found = options.client_of(config, url, token_file).get("containments", "readiness", role)
    if as_json:
        screen.as_json(found)
    else:
        screen.table(("missing",), [(missing,) for missing in found["missing"]], f"{role} may be armed.")
        screen.table(("step", "would have"), sorted(found["would_have"].items()), "No step would have been taken.")
    if not found["ready"]:
        raise typer.Exit(exits.FAILED)


@containment.command("list")
def listed(
    as_json: options.Json = False,
    config: options.Config = None,
    url: options.Url = None,
    token_file: options.TokenFile = None,
) -> None:
    """List the containment steps, newest first."""
    found = options.client_of(config, url, token_file).get("containments")
    if as_json:
        return screen.as_json(found)
    rows = [
        (step["id"], screen.moment(step["time"]), step["agent"], step["step"], step["mode"], step["not_armed_because"])
        for step in (found["items"] if isinstance(found, dict) else found)
    ]
    return screen.table(("step", "time", "agent", "what", "mode", "not armed because"), rows, "No step was decided.")
