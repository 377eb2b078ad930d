"""Finds what was added as one file: sources, formats, sinks, hooks and detectors. No list of them is kept anywhere."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from detectors import Detector, discover


@cache
def modules(package: str) -> tuple[str, ...]:
    """The modules of a package that may hold a plug-in, by their short names; none is imported for that."""
    paths = import_module(package).__path__
    return tuple(sorted(m.name for m in pkgutil.iter_modules(paths) if m.name != "base" and not m.name.startswith("_")))


def kinds(package: str) -> dict[str, type]:
    """All plug-ins of a package by their `kind`; imports every module of the package."""
    found: dict[str, type] = {}
    for module in modules(package):
        for plugin in _in_module(import_module(f"{package}.{module}")):
            found[plugin.kind] = plugin
    return found


def find(package: str, kind: str) -> type | None:
    """The plug-in of this kind; other modules than the one of that name are only imported when it is not there."""
    if kind in modules(package):
        here: dict[str, type] = {p.kind: p for p in _in_module(import_module(f"{package}.{kind}"))}
        if kind in here:
            return here[kind]
    return kinds(package).get(kind)


def settings_class(plugin: type) -> type[BaseModel]:
    """The settings of a plug-in: the class in the same file whose `type` is the plug-in's kind."""
    module = import_module(plugin.__module__)
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, BaseModel) and found.__module__ == module.__name__:
            field = found.model_fields.get("type")
            if field is not None and plugin.kind in getattr(field.annotation, "__args__", ()):  # type: ignore[attr-defined]
                return found
    raise LookupError(f"{module.__name__} has no settings class with type: Literal[{plugin.kind!r}]")  # type: ignore[attr-defined]


def detectors() -> dict[str, type[Detector]]:
    """All detector classes by their name."""
    return {detector.name: detector for detector in discover()}


def _in_module(module: ModuleType) -> list[Any]:
    return [
        found
        for found in vars(module).values()
        if isinstance(found, type) and found.__module__ == module.__name__ and getattr(found, "kind", None) is not None
    ]
