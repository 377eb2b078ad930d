"""Exit codes, the same for every command."""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2
UNREADABLE = 3
UNREACHABLE = 4
INTERRUPTED = 130

TOLD = """Exit codes: 0 done; 1 the operation failed; 2 wrong usage or settings; 3 an input cannot be read;
4 the daemon cannot be reached; 130 interrupted."""


#: errors of operation by the names of their classes, so that nothing is imported to tell them
BY_NAME = {"SettingsError": USAGE, "BadDirective": UNREADABLE, "SourceError": UNREADABLE, "StorageError": FAILED}


class CommandError(Exception):
    """A command cannot go on; `code` is the exit code."""

    def __init__(self, problem: str, code: int = FAILED) -> None:
        super().__init__(problem)
        self.code = code


def of(problem: Exception) -> int | None:
    """The exit code of an error of operation; None for a bug, which is to crash."""
    if isinstance(problem, CommandError):
        return problem.code
    if (code := BY_NAME.get(type(problem).__name__)) is not None:
        return code
    if isinstance(problem, FileNotFoundError | PermissionError | IsADirectoryError | EOFError):
        return UNREADABLE
    return None
