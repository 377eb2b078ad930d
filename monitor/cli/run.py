"""`driftd demo`, `driftd run`, `driftd version`."""

from __future__ import annotations

import platform
from importlib.metadata import version as version_of

import typer

from monitor.cli import options

app = typer.Typer()


@app.command()
def demo() -> None:
    """Show a fleet going astray and one agent being stopped, in a minute, without Kafka or settings."""
    from monitor.demo.run import run as perform

    raise typer.Exit(perform())


@app.command()
def run(config: options.Config = None, overrides: options.Set = None) -> None:
    """Watch: read the sources, judge, page, contain. Stops at SIGTERM, goes on where it stopped."""
    from monitor.daemon import run

    run(options.settings_of(config, overrides).settings)


@app.command()
def version(as_json: options.Json = False) -> None:
    """Say which driftd this is."""
    told = {"driftd": version_of("driftd"), "python": platform.python_version()}
    if as_json:
        import json

        typer.echo(json.dumps(told))
    else:
        typer.echo(f"driftd {told['driftd']} (Python {told['python']})")
