"""The detectors: events in, scores out. Pure: no input or output, no clock, no randomness.

from detectors import Engine, Records, discover

engine = Engine([kind() for kind in discover()])
scores = list(engine.step(records))
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from detectors.core.detector import Detector
from detectors.core.engine import Engine
from detectors.core.family import Explanation, Family
from detectors.core.records import Records
from detectors.core.scored import Scored
from detectors.core.state import EngineSettings

__all__ = ["Detector", "Engine", "EngineSettings", "Explanation", "Family", "Records", "Scored", "discover"]


def discover() -> list[type[Detector]]:
    """The detector classes of this package, one a file, by name."""
    found: dict[str, type[Detector]] = {}
    for module in iter_modules(__path__, "detectors."):
        if module.ispkg:
            continue
        for thing in vars(import_module(module.name)).values():
            if isinstance(thing, type) and issubclass(thing, Detector) and thing.name and thing.__module__ == module.name:
                found[thing.name] = thing
    return [found[name] for name in sorted(found)]
