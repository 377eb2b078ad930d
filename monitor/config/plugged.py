"""The parts of the settings whose form comes from plug-ins and detectors: built from what is found, when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache, reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

import msgspec
from pydantic import BaseModel, Field, create_model, model_validator

from monitor import plugins
from monitor.config.problems import Problem, SettingsError
from monitor.config.sections import DetectorTable, PluginTable, Settings
from monitor.config.tree import Layer
from monitor.section import Section

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


class _Entry(Section):
    """One detector's settings; `struct` gives them as the detector wants them."""

    struct_class: ClassVar[type[msgspec.Struct]]

    def struct(self) -> msgspec.Struct:
        """The settings as the detector's own struct."""
        return msgspec.convert(self.model_dump(), self.struct_class)

    @model_validator(mode="after")
    def _fits(self) -> _Entry:
        try:
            self.struct()
        except msgspec.ValidationError as problem:
            raise ValueError(f"{problem}: see the detector's page") from None
        return self


@cache
def _detector_table() -> type[DetectorTable]:
    fields: dict[str, Any] = {}
    for name, detector in sorted(plugins.detectors().items()):
        entry = _entry(name, detector.Settings)
        fields[name] = (entry, Field(default_factory=entry, description=(detector.__doc__ or "").partition("\n")[0]))
    return create_model("Detectors", __base__=DetectorTable, **fields)


def _entry(name: str, struct: type[msgspec.Struct]) -> type[_Entry]:
    hints = {field.name: field.type for field in msgspec.structs.fields(struct)}
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        if field.default is not msgspec.NODEFAULT:
            default = Field(field.default)
        else:
            default = Field(default_factory=field.default_factory)
        fields[field.encode_name] = (for_pydantic(hints[field.name]), default)
    entry = create_model(name, __base__=_Entry, **fields)
    entry.struct_class = struct
    return entry


def for_pydantic(annotation: Any) -> Any:
    """A type of msgspec as one that pydantic checks alike: constraints become pydantic's."""
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        fields = [_field(mark) for mark in marks if isinstance(mark, msgspec.Meta)]
        return Annotated[(for_pydantic(inner), *fields)]
    if get_origin(annotation) in {Union, UnionType}:
        return reduce(or_, (for_pydantic(part) for part in get_args(annotation)))
    if get_origin(annotation) is Literal or not get_args(annotation):
        return annotation
    return get_origin(annotation)[tuple(for_pydantic(part) for part in get_args(annotation))]


def _field(mark: msgspec.Meta) -> Any:
    limits = ("ge", "gt", "le", "lt", "multiple_of", "pattern", "min_length", "max_length", "description")
    return Field(**{limit: value for limit in limits if (value := getattr(mark, limit)) is not None})

