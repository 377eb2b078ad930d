"""What a decoder of JSON does not check: characters, nesting, and that a time says which."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

from detectors.core.bad_record import BadRecord

#: arrays and objects inside each other, the event itself among them
DEPTH_MAX = 32
#: epoch seconds; what is larger looks like milliseconds
TIME_MAX = 1e11

_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_TO_SQUARE = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def seconds_of(text: str) -> float:
    """Epoch seconds of an RFC 3339 time. Raises BadRecord; a time without an offset could be any."""
    leap = text[16:19] == ":60"  # RFC 3339 has leap seconds, datetime has not
    try:
        moment = msgspec.convert(f"{text[:16]}:59{text[19:]}" if leap else text, datetime)
        if moment.tzinfo is None:
            raise BadRecord("no_offset:time")
        seconds = moment.timestamp() + leap
    except (msgspec.ValidationError, OverflowError):
        raise BadRecord("not_rfc3339:time") from None
    if not 0 <= seconds <= TIME_MAX:
        raise BadRecord("out_of_range:time")
    return seconds


def is_clean(text: str) -> bool:
    """No control, separator or surrogate character."""
    return text.isprintable() or _FORBIDDEN.search(text) is None


def check_depth(line: bytes) -> None:
    """Refuse nesting deeper than DEPTH_MAX; the line is valid JSON."""
    quoted = line.replace(b"\\\\", b"__").replace(b'\\"', b"__").split(b'"')
    brackets = b"".join(quoted[::2]).translate(_TO_SQUARE, _NOT_BRACKETS)
    for _ in range(DEPTH_MAX):
        brackets = brackets.replace(b"[]", b"")  # takes one level off, the innermost
    if brackets:
        raise BadRecord("too_deep")
