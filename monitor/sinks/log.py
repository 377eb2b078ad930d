"""Findings as JSON lines, to standard output or to a file."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import ClassVar, Literal

import msgspec
from pydantic import Field

from monitor.section import Section
from monitor.sinks.base import DeliveryError, Message


class LogSettings(Section):
    """One line for each finding: the contract's object, with the message's id as `message`."""

    type: Literal["log"] = "log"
    path: Path | None = Field(None, description="a file that is only ever appended to; default: standard output")


class Log:
    """Writes one line at a time. A repeated delivery repeats the line, with the same `message`."""

    kind: ClassVar[str] = "log"

    def __init__(self, settings: LogSettings, *, name: str = "log") -> None:
        self.name = name
        self._path = settings.path

    def deliver(self, message: Message) -> None:
        """Write the line; with a file it is on disk on return. Raises DeliveryError."""
        line = line_of(message)
        try:
            if self._path is None:
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()
            else:
                _append(self._path, line)
        except OSError as error:
            raise DeliveryError(f"{self._path or 'standard output'}: {error.strerror or error}") from error

    def close(self) -> None:
        """Nothing stays open between lines, so that the file may be moved away at any time."""


def line_of(message: Message) -> bytes:
    """The finding as one line with its line feed."""
    finding = msgspec.json.decode(message.body, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({"message": message.id, **finding}) + b"\n"


def _append(path: Path, line: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        before = os.fstat(file).st_size
        try:
            _write(file, line)
        except OSError:
            # half a line would swallow the next one
            os.ftruncate(file, before)
            raise
    finally:
        os.close(file)


def _write(file: int, line: bytes) -> None:
    if os.write(file, line) != len(line):
        raise OSError(errno.ENOSPC, "there is no room for the line")
    os.fsync(file)
