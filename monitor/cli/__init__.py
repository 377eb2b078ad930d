"""The command line. A command's module is imported when the command is called, so that `driftd version` is quick."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from monitor.cli import exits


def main() -> None:
    """Run `driftd` with the process's arguments and leave with a documented exit code."""
    from monitor.cli.app import app

    try:
        _alone()
        app(prog_name="driftd")
    except KeyboardInterrupt:
        sys.exit(exits.INTERRUPTED)
    except BrokenPipeError:
        # whoever read our output has gone: nothing is left to say, also not while Python closes standard output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(exits.OK)
    except Exception as problem:
        code = exits.of(problem)
        if code is None:
            raise
        from monitor.cli.screen import complain

        complain(problem)
        sys.exit(code)


def _alone() -> None:
    """Another distribution may install a package of the same name over ours: say so, before it fails in riddles."""
    spec = find_spec("detectors")
    found = Path(spec.origin).parent if spec and spec.origin else None
    if found != Path(__file__).parents[2] / "detectors":
        raise exits.CommandError(f"`detectors` at {found} is not driftd's: install driftd in an environment of its own")
