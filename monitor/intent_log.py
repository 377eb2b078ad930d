"""The intent log: what will be done to agents is on disk before it is done. Length, CRC-32C, JSON; only appended."""

from __future__ import annotations

import fcntl
import os
import struct
import time
from pathlib import Path
from threading import RLock

import crc32c
import msgspec

from monitor.intents import Obeyed, OrderState, Record, fold, order_of

FILE_NAME = "intents.log"
#: a longer log is rewritten when it is opened, without the orders that ended so long ago that no log brings them back
COMPACT_BYTES = 16 << 20
KEPT_SECONDS = 90 * 86_400.0
RECORD_BYTES_MAX = 1 << 20
_head = struct.Struct("<II")  # length and CRC-32C of the JSON after it
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


class IntentLogError(Exception):
    """The log cannot be used; `cure` says what a person can do."""

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(f"{problem} {cure}")
        self.problem, self.cure = problem, cure


class IntentLog:
    """All orders and what became of them. One process has it at a time; any of its threads may append."""

    def __init__(self, path: Path) -> None:
        """Read it, cut off what a crash left half written. Raises IntentLogError, OSError."""
        self.orders: dict[str, OrderState] = {}
        self.obeyed = 0
        self.lock = RLock()
        self._path = path
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._claim()
            self._size = self._read()
            os.ftruncate(self._handle, self._size)
            os.fsync(self._handle)
            if self._size > COMPACT_BYTES:
                self._compact(time.time() - KEPT_SECONDS)
            _sync_folder(path.parent)
        except BaseException:
            os.close(self._handle)
            raise

    def append(self, record: Record) -> None:
        """Durable when it returns, and only then taken in. Raises OSError; then the log is as it was."""
        whole = framed(record)
        with self.lock:
            try:
                written = _write(self._handle, whole, self._size)
                os.fdatasync(self._handle)
            except OSError:
                os.ftruncate(self._handle, self._size)
                raise
            self._size += written
            self._take(record)

    def recover(self) -> list[OrderState]:
        """Orders that were begun and of which something is still to be done or told, oldest first."""
        with self.lock:
            return [state for state in self.orders.values() if state.open]

    def close(self) -> None:
        """Let go of the file; appending is over."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _claim(self) -> None:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise IntentLogError(f"{self._path} is in use.", "Another driftd runs on this state folder.") from None
        if os.fstat(self._handle).st_ino != self._path.stat().st_ino:
            raise IntentLogError(f"{self._path} was replaced just now.", "Start again.")

    def _take(self, record: Record) -> None:
        obeyed = fold(self.orders, record)
        self.obeyed = self.obeyed if obeyed is None else obeyed

    def _read(self) -> int:
        """Take in all whole records; the length up to the end of the last."""
        content = os.pread(self._handle, os.fstat(self._handle).st_size, 0)
        at = 0
        while at < len(content):
            body = _body(content, at)
            if body is None:
                self._refuse_damage(content, at)
                break
            self._take(_decoder.decode(body))
            at += _head.size + len(body)
        return at

    def _compact(self, before: float) -> None:
        """Leave out what ended and was ordered before then (epoch seconds); what is in force stays."""
        for id_ in [id_ for id_, state in self.orders.items() if state.settled and state.intent.at < before]:
            del self.orders[id_]
        content = os.pread(self._handle, self._size, 0)
        kept, at = bytearray(framed(Obeyed(self.obeyed))), 0
        while at < len(content):
            body = _body(content, at) or b""
            if order_of(_decoder.decode(body)) in self.orders:
                kept += content[at : at + _head.size + len(body)]
            at += _head.size + len(body)
        new_path = self._path.with_name(f"{self._path.name}.new")
        new = os.open(new_path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(new, fcntl.LOCK_EX | fcntl.LOCK_NB)  # before it has the name, so that nobody gets in between
            self._size = _write(new, kept, 0)
            os.fsync(new)
            new_path.replace(self._path)
        except BaseException:
            os.close(new)
            raise
        os.close(self._handle)
        self._handle = new

    def _refuse_damage(self, content: bytes, at: int) -> None:
        """A crash leaves a last record that is short, wrong or zero; anything after it is damage, not a torn tail."""
        if _has_record(content[at:]):
            raise IntentLogError(
                f"{self._path} is damaged at byte {at}: steps already carried out would be forgotten.",
                "Move it away after checking which agents are contained.",
            )


def framed(record: Record) -> bytes:
    """A record as it stands in the file."""
    body = msgspec.json.encode(record)
    if len(body) > RECORD_BYTES_MAX:
        raise ValueError(f"a record of {len(body)} bytes")
    return _head.pack(len(body), crc32c.crc32c(body)) + body


def _body(content: bytes, at: int) -> bytes | None:
    """The JSON of the record here, None when it is not whole."""
    if len(content) < at + _head.size:
        return None
    length, checksum = _head.unpack_from(content, at)
    body = content[at + _head.size : at + _head.size + length]
    whole = 0 < length <= RECORD_BYTES_MAX and len(body) == length and crc32c.crc32c(body) == checksum
    return body if whole else None


def _has_record(rest: bytes) -> bool:
    """A whole record begins somewhere after the start."""
    at = rest.find(b'{"is":"', _head.size + 1)
    while at >= 0:
        if _body(rest, at - _head.size) is not None:
            return True
        at = rest.find(b'{"is":"', at + 1)
    return False


def _write(handle: int, content: bytes | bytearray, at: int) -> int:
    """All of it, in as many writes as it takes; its length."""
    written = 0
    while written < len(content):
        written += os.pwrite(handle, content[written:], at + written)
    return written


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
