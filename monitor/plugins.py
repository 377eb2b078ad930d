"""Finds what was added as one file: sources, formats, sinks, hooks and detectors. No list of them is kept anywhere."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import get_args

from pydantic import BaseModel

from detectors import Detector, discover


@cache
def modules(package: str) -> tuple[str, ...]:
    """The modules of a package that may hold a plug-in, by their short names; none is imported for that."""
    paths = import_module(package).__path__
    return tuple(sorted(m.name for m in pkgutil.iter_modules(paths) if m.name != "base" and not m.name.startswith("_")))


def kinds(package: str) -> dict[str, type]:
    """All plug-ins of a package by their `kind`; imports every module of the package."""
    return {kind: plugin for module in modules(package) for kind, plugin in _in_module(package, module).items()}


def find(package: str, kind: str) -> type | None:
    """The plug-in of this kind; other modules than the one of that name are only imported when it is not there."""
    here = _in_module(package, kind) if kind in modules(package) else {}
    return here.get(kind) or kinds(package).get(kind)


def settings_class(plugin: type) -> type[BaseModel]:
    """The settings of a plug-in: the class in the same file whose `type` is the plug-in's kind."""
    module, kind = import_module(plugin.__module__), kind_of(plugin)
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, BaseModel) and found.__module__ == module.__name__:
            field = found.model_fields.get("type")
            if field is not None and kind in get_args(field.annotation):
                return found
    raise LookupError(f"{module.__name__} has no settings class with type: Literal[{kind!r}]")


def kind_of(found: type) -> str | None:
    """What a plug-in is called in settings: its `kind`, or the `name` of a format; None for any other class."""
    called = getattr(found, "kind", None) or (getattr(found, "name", None) if hasattr(found, "decode") else None)
    return called if isinstance(called, str) else None


def detectors() -> dict[str, type[Detector]]:
    """All detector classes by their name."""
    return {detector.name: detector for detector in discover()}


def _in_module(package: str, short: str) -> dict[str, type]:
    module = import_module(f"{package}.{short}")
    classes = [c for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__]
    return {kind: found for found in classes if (kind := kind_of(found))}
