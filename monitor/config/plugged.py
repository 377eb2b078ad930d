"""The parts of the settings whose form comes from plug-ins and detectors: built from what is found, when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any

from pydantic import BaseModel, Field, create_model

from monitor import plugins
from monitor.config.problems import Problem, SettingsError
from monitor.config.sections import DetectorTable, PluginTable, Settings
from monitor.config.structs import AsStruct
from monitor.config.tree import Layer

TABLES = ("sources", "sinks", "hooks")


def model_for(whole: Layer) -> type[Settings]:
    """Settings with one field for each detector that exists and each plug-in that is named. Raises SettingsError."""
    tables = [_table(table, whole) for table in TABLES]
    return _model(**{table.__name__: (table, Field(default_factory=table)) for table in tables})


def model_of_all() -> type[Settings]:
    """Settings in which every plug-in that exists may stand under any name: for the JSON Schema."""
    tables: dict[str, Any] = {}
    for table in TABLES:
        classes = [plugins.settings_class(plugin) for plugin in plugins.kinds(f"monitor.{table}").values()]
        any_of: Any = reduce(or_, classes) if classes else Any
        tables[table] = (dict[str, any_of], Field({}))
    return _model(**tables)


def _model(**tables: Any) -> type[Settings]:
    detectors = _detector_table()
    fields: dict[str, Any] = {"detectors": (detectors, Field(default_factory=detectors)), **tables}
    return create_model("Settings", __base__=Settings, __doc__=Settings.__doc__, **fields)


def _table(table: str, whole: Layer) -> type[PluginTable]:
    entries = whole.values.get(table)
    fields: dict[str, Any] = {}
    if isinstance(entries, Mapping):
        for name, entry in entries.items():
            settings = _class_of(table, name, entry, whole)
            if isinstance(entry, dict):
                entry.setdefault("type", name)
            fields[name] = (settings, ...)
    return create_model(table, __base__=PluginTable, **fields)


def _class_of(table: str, name: str, entry: object, whole: Layer) -> type[BaseModel]:
    kind = entry.get("type", name) if isinstance(entry, Mapping) else name
    plugin = plugins.find(f"monitor.{table}", kind) if isinstance(kind, str) else None
    if plugin is None:
        place = whole.places.get((table, name, "type")) or whole.places.get((table, name), "settings")
        known = sorted(plugins.kinds(f"monitor.{table}"))
        close = get_close_matches(str(kind), known, n=1, cutoff=0.5)
        cure = f"did you mean {close[0]}?" if close else f"types here: {', '.join(known)}"
        raise SettingsError([Problem(place, f"{table}.{name}.type", f"no {table[:-1]} of type {kind!r}", cure)])
    return plugins.settings_class(plugin)


@cache
def _detector_table() -> type[DetectorTable]:
    fields: dict[str, Any] = {}
    annotated: Any = Annotated  # types made at run time are no affair of the type checker
    for name, detector in sorted(plugins.detectors().items()):
        described = (detector.__doc__ or "").partition("\n")[0]
        entry = annotated[detector.Settings, AsStruct()]
        fields[name] = (entry, Field(default_factory=detector.Settings, description=described))
    return create_model("Detectors", __base__=DetectorTable, **fields)
