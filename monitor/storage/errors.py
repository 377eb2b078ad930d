"""The errors of operation of the storage: few, typed, each with a problem and a cure that a person can act on."""

from __future__ import annotations


class StorageError(Exception):
    """The storage cannot do this; `cure` says what a person can do about it."""

    def __init__(self, problem: str, cure: str = "") -> None:
        super().__init__(f"{problem} {cure}".strip())
        self.problem, self.cure = problem, cure


class StorageUnavailable(StorageError):
    """Not now: locked, full or unreachable; the same call may be tried again as it is.

    Nothing was written, unless the answer to a commit got lost: trying that commit again is then refused with Fenced.
    """


class Fenced(StorageError):
    """The claim is old, or the position is not the one the claim knows: drop what is in memory and claim again."""


class Duplicate(StorageError):
    """A line, a containment or a message with this id was written before: something was about to be decided twice."""


class Refused(StorageError):
    """What a person asked for cannot be done: unknown, already done, or the same person twice."""
