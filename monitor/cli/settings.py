"""`driftd config check|show|schema`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from monitor.cli import options, screen

app = typer.Typer()
config_app = typer.Typer(help="Check and show settings.", no_args_is_help=True)
app.add_typer(config_app, name="config")
Origin = Annotated[bool, typer.Option("--origin", help="Where each value was said.")]


@config_app.command()
def check(config: options.Config = None, overrides: options.Set = None) -> None:
    """Check settings: every problem with its file, line, key and cure. Exit 2 when there is one."""
    from monitor.config import settings_digest

    settings = options.settings_of(config, overrides).settings
    screen.say(f"The settings are fine ({settings_digest(settings)}).")


@config_app.command()
def show(
    config: options.Config = None, overrides: options.Set = None, origin: Origin = False, as_json: options.Json = False
) -> None:
    """Show every setting in force; secrets are masked."""
    reading = options.settings_of(config, overrides)
    whole = reading.settings.model_dump(mode="json")
    if as_json and not origin:
        return screen.as_json(whole)
    rows = [(key, value, _place(reading.places, path)) for path, key, value in _leaves(whole, ())]
    if as_json:
        return screen.as_json({key: {"value": value, "origin": place} for key, value, place in rows})
    if origin:
        return screen.table(("key", "value", "said by"), rows, "Nothing is set.")
    import yaml

    typer.echo(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True), nl=False)
    return None


@config_app.command()
def schema() -> None:
    """Print the JSON Schema of the settings, for editors."""
    from monitor.config import schema as schema_of

    screen.as_json(schema_of())


def _leaves(value: Any, path: tuple[str | int, ...]) -> list[tuple[tuple[str | int, ...], str, Any]]:
    parts: list[tuple[str | int, Any]] = list(value.items()) if isinstance(value, dict) else []
    parts = parts or (list(enumerate(value)) if isinstance(value, list) else [])
    if not parts:
        return [(path, ".".join(map(str, path)), value)] if path else []
    return [leaf for part, below in parts for leaf in _leaves(below, (*path, part))]


def _place(places: dict[tuple[str | int, ...], str], path: tuple[str | int, ...]) -> str:
    """Who said this very key; a mapping that was said says nothing about the keys it leaves out."""
    for end in range(len(path), 0, -1):
        if path[:end] in places and (end == len(path) or isinstance(path[end], int)):
            return places[path[:end]]
    return "default"
