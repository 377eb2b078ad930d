"""The brake: a file that one command writes without daemon or database, and that is looked at before every act.

Lines are only ever appended. A line that cannot be read stops everything: in doubt the brake is on.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import msgspec

FILE_NAME = "brake.jsonl"


class Pulled(msgspec.Struct, frozen=True, kw_only=True, tag_field="brake", forbid_unknown_fields=True):
    """A line: who pulled, when (epoch seconds of the machine), why, and an id for the audit."""

    id: str
    time: float
    by: str
    reason: str = ""


class Disarmed(Pulled, frozen=True, tag="disarm"):
    """No step decided by the ladder is executed for this role, or for any role when none is named."""

    role: str | None = None
    tenant: str = ""


class Released(Pulled, frozen=True, tag="release"):
    """Every step ordered since then (epoch seconds) and until now ends, and is never executed."""

    since: float


class Rearmed(Pulled, frozen=True, tag="arm"):
    """A person armed the role again, after everything before this line."""

    role: str
    tenant: str = ""


class Unreadable(Pulled, frozen=True, tag="unreadable"):
    """A line that cannot be read; it disarms every role."""


AnyPull = Disarmed | Released | Rearmed | Unreadable
_decoder: msgspec.json.Decoder[AnyPull] = msgspec.json.Decoder(AnyPull)


class Found(NamedTuple):
    """A line, and the length of the file up to its end."""

    pull: AnyPull
    end: int


class Brake:
    """The brake file of a state folder. Safe to use from any thread and any process."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / FILE_NAME
        self._lock = Lock()
        self._known: tuple[int, list[Found]] = (0, [])

    def disarm(self, by: str, *, role: str | None = None, tenant: str = "", reason: str = "") -> str:
        """Stop executing, for a role or for all. Returns the line's id; raises OSError when the folder is not there."""
        return self._append(Disarmed(id=_fresh(), time=time.time(), by=by, reason=reason, role=role, tenant=tenant))

    def release(self, by: str, *, since: float, reason: str = "") -> str:
        """End every step ordered since (epoch seconds). Returns the line's id; raises OSError."""
        return self._append(Released(id=_fresh(), time=time.time(), by=by, reason=reason, since=since))

    def arm(self, by: str, *, role: str, tenant: str = "", reason: str = "") -> str:
        """Lift what disarmed this role; for the daemon, when a directive armed it. Returns the line's id."""
        return self._append(Rearmed(id=_fresh(), time=time.time(), by=by, reason=reason, role=role, tenant=tenant))

    def size(self) -> int:
        """Length of the file: what was pulled up to now."""
        found = self.found()
        return found[-1].end if found else 0

    def found(self) -> list[Found]:
        """All lines. Looks at the file's length first, so that asking often is cheap."""
        with self._lock:
            try:
                size = self.path.stat().st_size
            except FileNotFoundError:
                size = 0
            if size != self._known[0]:
                self._known = (size, _parse(self.path.read_bytes()))
            return self._known[1]

    def refuses(self, tenant: str, role: str, *, at: float, after: int = 0, by_person: bool = False) -> str | None:
        """`disarmed` or `released` when an order may not be executed now, otherwise None.

        `at` is when it was ordered (epoch seconds of the machine) and `after` the length of the file then. What was
        pulled before a person ordered a step does not stop that step.
        """
        all_disarmed, disarmed, armed = False, False, False
        for pull, end in self.found():
            if isinstance(pull, Released) and end > after and pull.since <= at:
                return "released"
            if by_person and end <= after:
                continue
            if isinstance(pull, Unreadable) or (isinstance(pull, Disarmed) and pull.role is None):
                all_disarmed, armed = True, False
            elif isinstance(pull, Disarmed) and (pull.tenant, pull.role) == (tenant, role):
                disarmed, armed = True, False
            elif isinstance(pull, Rearmed) and (pull.tenant, pull.role) == (tenant, role):
                armed = True
        return "disarmed" if (all_disarmed or disarmed) and not armed else None

    def _append(self, pull: AnyPull) -> str:
        line = msgspec.json.encode(pull) + b"\n"
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                line = b"\n" + line  # somebody died while writing
            while line:
                line = line[os.write(handle, line) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        return pull.id


def _fresh() -> str:
    return secrets.token_hex(8)


def _parse(content: bytes) -> list[Found]:
    found, end = [], 0
    for line in content.splitlines(keepends=True):
        end += len(line)
        if line.strip():
            found.append(Found(_pull(line, end), end))
    return found


def _pull(line: bytes, end: int) -> AnyPull:
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Unreadable(id=f"unreadable at {end}", time=0.0, by="")
