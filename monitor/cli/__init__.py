"""The command line. A command's module is imported when the command is called, so that `driftd version` is quick."""

from __future__ import annotations

import os
import sys

from monitor.cli import exits


def main() -> None:
    """Run `driftd` with the process's arguments and leave with a documented exit code."""
    from monitor.cli.app import app

    try:
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
