"""Why a record is refused: a closed set of short reasons, named from what the decoder says."""

from __future__ import annotations

import re

import msgspec


class BadRecord(ValueError):
    """A record that breaks the contract. `reason` is one of a closed set: a word, mostly with the field it is about."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


_FIELD = re.compile(r"at `\$\.([a-z_]+)")
_MISSING = re.compile(r"missing required field `([a-z_]+)`")
#: a high surrogate that no low one follows, or a low one that no high one precedes
_LONE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}",
)
#: what the decoder says about a value, and the reason that follows; the first that is found counts
_SAID = (
    ("Expected `str` of length >=", "empty"),
    ("Expected `str` of length <=", "too_long"),
    ("Expected `array` of length <=", "too_many"),
    ("Invalid enum value", "unknown_value"),
    ("Expected `float` <= 1000", "milliseconds"),
    ("out of range", "out_of_range"),
    ("` >= ", "out_of_range"),
    ("` <= ", "out_of_range"),
)


def reason_of(error: Exception, line: bytes) -> str:
    """The reason behind an error of the decoder."""
    if isinstance(error, RecursionError):
        return "too_deep"
    if isinstance(error, UnicodeDecodeError):
        return "not_utf8"
    if isinstance(error, msgspec.ValidationError):
        return _reason_of_value(str(error))
    try:
        line.decode()
    except UnicodeDecodeError:
        return "not_utf8"
    return "surrogate" if _LONE.search(line.replace(b"\\\\", b"__")) else "not_json"


def _reason_of_value(said: str) -> str:
    missing = _MISSING.search(said)
    if missing:
        return f"missing_field:{missing[1]}"
    field = _FIELD.search(said)
    if field is None:
        return "not_an_object"
    for words, reason in _SAID:
        if words in said:
            return f"{reason}:{field[1]}"
    return f"wrong_type:{field[1]}"
