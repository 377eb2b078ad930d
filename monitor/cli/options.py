"""Options that several commands share, and the settings that come of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from monitor.cli.client import Client
    from monitor.config import Reading

Config = Annotated[
    Path | None, typer.Option("--config", "-c", envvar="DRIFTD_CONFIG", help="The settings file.", show_default=False)
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting, its key dotted: reference.days=21.")
]
Json = Annotated[bool, typer.Option("--json", help="JSON, for programs.")]
Url = Annotated[
    str | None, typer.Option("--url", envvar="DRIFTD_URL", help="The daemon's address.", show_default="from the settings")
]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", envvar="DRIFTD_TOKEN_FILE", help="File that holds the bearer token.")
]


def settings_of(config: Path | None, overrides: list[str] | None, purpose: Literal["run", "replay"] = "run") -> Reading:
    """The settings that these options make, with their places. Raises SettingsError."""
    from monitor.config import read

    return read(config, overrides or (), purpose=purpose)


def client_of(config: Path | None, url: str | None, token_file: Path | None) -> Client:
    """A client of the daemon; the settings are read only when no address is given. Raises SettingsError."""
    from monitor.cli.client import Client

    if url is None:
        api = settings_of(config, None).settings.api
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(api.bind, api.bind)  # noqa: S104 - where the daemon listens
        url = f"http://[{host}]:{api.port}" if ":" in host else f"http://{host}:{api.port}"
    token = token_file.read_text(encoding="utf-8").strip() if token_file else None
    return Client(url, token)
