"""What is wrong with settings, said so that a person can mend it: place, key, what, cure."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, NamedTuple, get_args

import msgspec
from pydantic import BaseModel, ValidationError

from monitor.config.structs import section_of
from monitor.config.tree import Key, Layer, dotted
from monitor.section import secret_fields


class Problem(NamedTuple):
    """One thing to mend. `place` is a file and line, a variable or an option; `key` is dotted."""

    place: str
    key: str
    what: str
    cure: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, self.key, self.what) if part) + f" ({self.cure})"


class SettingsError(Exception):
    """The settings cannot be used; `problems` are all of the reasons that were found at once."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def explained(error: ValidationError, model: type[BaseModel], whole: Layer) -> SettingsError:
    """What pydantic refused, in driftd's words."""
    return SettingsError([_problem(dict(one), model, whole) for one in error.errors(include_url=False)])


def _problem(one: dict[str, Any], model: type[BaseModel], whole: Layer) -> Problem:
    key: Key = one["loc"]
    place = next((whole.places[key[:end]] for end in range(len(key), 0, -1) if key[:end] in whole.places), "settings")
    if one["type"] == "extra_forbidden":
        return Problem(place, dotted(key), "unknown key", _nearest(str(key[-1]), key[:-1], model))
    if one["type"] == "missing":
        return Problem(place, dotted(key), "missing", f"add {key[-1]}")
    told = one["msg"].removeprefix("Value error, ")
    if one["type"] == "value_error":
        what, colon, cure = told.rpartition(": ")
        return Problem(place, dotted(key), what, cure) if colon else Problem(place, dotted(key), told, "see above")
    return Problem(place, dotted(key), f"{one['input']!r} does not fit", told[0].lower() + told[1:])


def _nearest(name: str, parents: Key, model: type[BaseModel]) -> str:
    inner = model_at(model, parents)
    known = [*inner.model_fields, *(f"{secret}_file" for secret in secret_fields(inner))] if inner else []
    if close := get_close_matches(name, known, n=1, cutoff=0.5):
        return f"did you mean {dotted((*parents, close[0]))}?"
    deepest_first = sorted(_keys(model), key=lambda key: -key.count("."))
    elsewhere = {key.rpartition(".")[2]: key for key in deepest_first}
    if close := get_close_matches(name, elsewhere, n=1, cutoff=0.7):
        return f"did you mean {elsewhere[close[0]]}?"
    return f"known here: {', '.join(sorted(known))}" if known else "remove it"


def model_at(model: type[BaseModel], key: Key) -> type[BaseModel] | None:
    """The part of the settings that stands at a key; None when none does."""
    inner: type[BaseModel] | None = model
    for part in key:
        if isinstance(part, int) or inner is None:
            continue
        field = inner.model_fields.get(part)
        inner = _model_in(field.annotation) if field else None
    return inner


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return section_of(annotation)
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        if below := _model_in(field.annotation):
            yield from _keys(below, f"{prefix}{name}.")
