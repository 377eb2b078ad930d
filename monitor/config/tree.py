"""Settings before they are checked: nested mappings in layers, and where each key was said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str | int, ...]


@dataclass(slots=True)
class Layer:
    """What one place said: values as nested mappings, and for every key where it stands (`driftd.yaml:12`)."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Key, str] = field(default_factory=dict)

    def put(self, key: list[str], value: Any, place: str) -> None:
        """Set one key, given by its parts; a value that stood there before is replaced."""
        inner = self.values
        for part in key[:-1]:
            below = inner.get(part)
            inner[part] = inner = below if isinstance(below, dict) else {}
        inner[key[-1]] = value
        for end in range(1, len(key) + 1):
            self.places[tuple(key[:end])] = place


def merged(layers: list[Layer]) -> Layer:
    """All layers in one, later ones winning; mappings are joined key by key, anything else is replaced."""
    whole = Layer()
    for layer in layers:
        _join(whole.values, layer.values)
        whole.places |= layer.places
    return whole


def _join(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping):
            below = into.get(key)
            into[key] = below if isinstance(below, dict) else {}
            _join(into[key], value)
        else:
            into[key] = value


def dotted(key: Key) -> str:
    """`rules.0.effect`, as keys are written to people."""
    return ".".join(str(part) for part in key)
