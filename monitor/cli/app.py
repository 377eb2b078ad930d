"""The application: which module holds which command."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from monitor.cli import exits

#: command -> module below monitor.cli; what is not here is a directive
MODULES = {
    "demo": "run",
    "run": "run",
    "replay": "replay",
    "learn": "replay",
    "agents": "show",
    "alerts": "show",
    "explain": "show",
    "dead-letters": "show",
    "containment": "readiness",
    "config": "settings",
    "version": "run",
}
DIRECTIVES = "directives"


class Lazy(TyperGroup):
    """A group whose commands are imported when they are called, or listed."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command, directives last."""
        return [*MODULES, *self._in(DIRECTIVES)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, or None."""
        return self._in(MODULES.get(cmd_name, DIRECTIVES)).get(cmd_name)

    def _in(self, module: str) -> dict[str, Any]:
        group = typer.main.get_group(import_module(f"monitor.cli.{module}").app)
        return dict(group.commands)


app = typer.Typer(
    cls=Lazy,
    help="The behavioural drift monitor for autonomous AI agents.",
    epilog=exits.TOLD,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _driftd() -> None:
    """Watch what autonomous agents do, say in agent-months per false alarm how odd it is, and contain."""
