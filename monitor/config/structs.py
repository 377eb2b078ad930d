"""msgspec structs as parts of the settings: the core declares what it can be told, here it is checked and described."""

from __future__ import annotations

from functools import cache, reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from pydantic import Field, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema

from monitor.section import Section

LIMITS = ("ge", "gt", "le", "lt", "multiple_of", "pattern", "min_length", "max_length", "description")


class AsStruct:
    """Marks a struct in a section: `Annotated[RoleRule, AsStruct()]` is checked key by key and becomes a RoleRule."""

    def __get_pydantic_core_schema__(self, struct: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def plain(given: Any) -> Any:
            return msgspec.to_builtins(given) if isinstance(given, struct) else given

        def made(section: Section) -> msgspec.Struct:
            try:
                whole: msgspec.Struct = msgspec.convert(section.model_dump(), struct)
            except msgspec.ValidationError as problem:
                raise ValueError(f"{problem}: see the reference of this part") from None
            return whole

        return core_schema.no_info_before_validator_function(
            plain,
            core_schema.no_info_after_validator_function(made, handler(section_of(struct))),
            serialization=core_schema.plain_serializer_function_ser_schema(msgspec.to_builtins),
        )


@cache
def section_of(struct: type[msgspec.Struct]) -> type[Section]:
    """The section with a struct's fields, limits and defaults."""
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        default: Any = ...
        if field.default is not msgspec.NODEFAULT:
            default = Field(field.default)
        elif field.default_factory is not msgspec.NODEFAULT:
            default = Field(default_factory=field.default_factory)
        fields[field.encode_name] = (for_pydantic(field.type), default)
    doc = (struct.__doc__ or "").strip()
    return create_model(struct.__name__, __base__=Section, __doc__=doc, __module__=struct.__module__, **fields)


def for_pydantic(annotation: Any) -> Any:
    """A type of msgspec as one that pydantic checks alike: constraints become pydantic's, structs become sections."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return section_of(annotation)
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
    return Field(**{limit: value for limit in LIMITS if (value := getattr(mark, limit)) is not None})
