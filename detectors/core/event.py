"""The native event, version 1: one action of one agent, with its constraints in the types, and its strict decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Annotated, Literal

import msgspec
import numpy as np

from detectors.core.bad_record import BadRecord, reason_of
from detectors.core.strict import DEPTH_MAX, TIME_MAX, check_depth, is_clean, seconds_of

#: an object of one event, in bytes
BYTES_MAX = 64 * 1024

Effect = Literal["read", "write", "delete", "execute", "send", "grant", "remember"]
Outcome = Literal["ok", "error", "denied"]
Approval = Literal["not-required", "granted", "skipped", "refused"]

Short = Annotated[str, msgspec.Meta(max_length=128)]
Name = Annotated[str, msgspec.Meta(max_length=256)]
Required = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Long = Annotated[str, msgspec.Meta(max_length=1024)]
#: a finite number that is not negative
Amount = Annotated[float, msgspec.Meta(ge=0, le=1.7976931348623157e308)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=TIME_MAX)]


class Unread(msgspec.Struct, gc=False, frozen=True):
    """An object that is checked to be one and then passed over: its text stays in the record's bytes."""


class Origin(msgspec.Struct, gc=False, frozen=True):
    """Where a target came from; each part is None while unknown."""

    source: Name | None = msgspec.field(default=None, name="from")
    trusted: bool | None = None
    in_request: bool | None = None


class Event(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One action of one agent, as it stands on the wire; the meaning of each field is the contract's.

    `time` is a number of epoch seconds or None once it was decoded. Null stands for absent where the default is None.
    """

    agent: Required
    action: Required
    id: Short | None = None
    time: Seconds | Annotated[str, msgspec.Meta(max_length=64)] | None = None
    tenant: Short = ""
    role: Name | None = None
    version: Name | None = None
    session: Name | None = None
    principal: Name | None = None
    via: Annotated[tuple[Name, ...], msgspec.Meta(max_length=16)] = ()
    target: Long | None = None
    scope: Name | None = None
    effect: Effect | None = None
    privileged: bool | None = None
    outcome: Outcome = "ok"
    amount: Amount | None = None
    unit: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    count: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    approval: Approval = "not-required"
    approver: Name | None = None
    approval_seconds: Amount | None = None
    host: Name | None = None
    origin: Origin | None = None
    objective: Long | None = None
    digests: dict[str, str] | None = None
    attrs: Unread | None = None


class OpenEvent(Event, gc=False, forbid_unknown_fields=False):
    """An event that came with further fields; they were counted and passed over."""


_decode = msgspec.json.Decoder(Event).decode
_decode_open = msgspec.json.Decoder(OpenEvent).decode
_decode_names = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_KNOWN = frozenset(field.encode_name for field in msgspec.structs.fields(Event))
#: all that the decoders raise for what a line holds
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_TEXTS = (
    *("agent", "action", "id", "tenant", "role", "version", "session", "principal", "target", "scope"),
    *("unit", "approver", "host", "objective"),
)
_texts = attrgetter(*_TEXTS)
_time = attrgetter("time")
# looking for a byte by its number is three times as quick as looking for a string of it
_BACKSLASH, _DEL, _SQUARE = 0x5C, 0x7F, 0x5B
#: an opening square bracket with this bit set is a curly one
_CURLY, _BRACKETS_DIFFER_BY = np.uint8(0x7B), np.uint8(0x20)
#: bytes that make a line one to look at by itself
_NOT_PLAIN = (_BACKSLASH, _DEL, 0x0A)


def decode(line: bytes, unknown: Callable[[str], None] | None = None) -> Event:
    """The event on this line. `unknown` is called with the name of each top-level field that is not of the contract.

    Raises BadRecord, and nothing else for whatever the line holds.
    """
    if len(line) > BYTES_MAX and len(line.strip()) > BYTES_MAX:
        raise BadRecord("too_large")
    names: list[str] = []
    try:
        event = _decode(line)
    except _UNDECODABLE as error:
        event = _decode_other(line, error, names)
    if not line.isascii() or _BACKSLASH in line or _DEL in line:
        _check_text(line, event)
    if line.count(b"{") + (line.count(b"[") if _SQUARE in line else 0) > DEPTH_MAX:
        check_depth(line)
    if event.time.__class__ is str:
        event.time = seconds_of(str(event.time))
    if unknown is not None:
        for name in names:
            unknown(name)
    return event


def decode_plain(lines: Sequence[bytes]) -> list[Event] | None:
    """All these events at once, when each of them is plain; None when a line has to be looked at by itself.

    Plain is one valid line of ASCII without escapes, unknown fields and deep nesting: nearly all that is ever read.
    """
    longest = max(map(len, lines), default=0)
    if longest > BYTES_MAX:
        return None
    text = b"".join(lines)  # looked through at once: a look at each line costs ten times as much
    if not text.isascii() or any(byte in text for byte in _NOT_PLAIN) or _may_be_deep(text, longest):
        return None
    try:
        events = list(map(_decode, lines))
        if str in set(map(type, map(_time, events))):
            for event in events:
                if event.time.__class__ is str:
                    event.time = seconds_of(str(event.time))
    except (*_UNDECODABLE, BadRecord):
        return None
    return events


def _may_be_deep(text: bytes, longest: int) -> bool:
    """Whether any stretch of the length of a line opens more objects and arrays than may be nested."""
    opening = np.flatnonzero(np.frombuffer(text, np.uint8) | _BRACKETS_DIFFER_BY == _CURLY)
    return bool((opening[DEPTH_MAX:] - opening[:-DEPTH_MAX] < longest).any())


def _decode_other(line: bytes, error: Exception, names: list[str]) -> Event:
    """The event of a line that the quick decoder refused, with the names of its unknown fields."""
    if not str(error).startswith("Object contains unknown field"):
        raise BadRecord(reason_of(error, line)) from None
    try:
        event = _decode_open(line)
        names += [name for name in _decode_names(line) if name not in _KNOWN]
    except _UNDECODABLE as other:
        raise BadRecord(reason_of(other, line)) from None
    return event


def _check_text(line: bytes, event: Event) -> None:
    """Refuse what the JSON decoder lets pass: bytes that are no UTF-8 in what it skips, and forbidden characters."""
    try:
        line.decode()
    except UnicodeDecodeError:
        raise BadRecord("not_utf8") from None
    escapes = _BACKSLASH in line
    # C1 controls start with C2, the separators with E2 80: text of most languages leaves here
    if not (escapes or 0xC2 in line or b"\xe2\x80" in line or _DEL in line):
        return
    origin = (event.origin and event.origin.source) or ""
    if not "".join((*filter(None, _texts(event)), *event.via, origin)).isprintable():
        _check_fields(event, origin)
    # the known strings are clean, so this one is in attrs, digests or a field that nobody knows
    if escapes and b"\\u0000" in line and b"\\u0000" in line.replace(b"\\\\", b"__"):
        raise BadRecord("null_character")


def _check_fields(event: Event, origin: str) -> None:
    """Refuse forbidden characters and name the field; what is not printable may still be allowed."""
    for field, text in zip(_TEXTS, _texts(event), strict=True):
        if text and not is_clean(text):
            raise BadRecord(f"control_character:{field}")
    if not all(map(is_clean, event.via)):
        raise BadRecord("control_character:via")
    if not is_clean(origin):
        raise BadRecord("control_character:origin")
