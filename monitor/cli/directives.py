"""One command for each directive, with the options that its struct asks for."""

from __future__ import annotations

import getpass
import inspect
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

import msgspec
import typer

from detectors.core.inputs import WIDENING, AnyDirective, Directive
from monitor.cli import brake, options, screen
from monitor.cli.spans import instant

app = typer.Typer()

#: the two directives whose command has another name: for people, to release is to let an agent go
COMMANDS = {"release": "announce", "uncontain": "release"}
#: of every directive, filled in by the command line
COMMON = {"time", "by", "id", "reason"}


class Given(NamedTuple):
    """A parameter of a command: the field it fills (`what.scope`), and how typer sees it."""

    path: tuple[str, ...]
    parameter: inspect.Parameter


def parameters(directive: type[msgspec.Struct], above: tuple[str, ...] = ()) -> list[Given]:
    """The parameters of a directive's command: what it cannot do without as arguments, the rest as options."""
    hints = get_type_hints(directive, include_extras=True)
    found: list[Given] = []
    for field in msgspec.structs.fields(directive):
        if not above and field.name in COMMON:
            continue
        hint = hints[field.name]
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            found += parameters(hint, (*above, field.name))
        else:
            found.append(Given((*above, field.name), _parameter(field, hint, nested=bool(above))))
    return sorted(found, key=lambda given: given.parameter.default is not inspect.Parameter.empty)


def _parameter(field: msgspec.structs.FieldInfo, hint: Any, *, nested: bool) -> inspect.Parameter:
    if field.required and not nested:
        default, annotation = inspect.Parameter.empty, Annotated[_plain(hint), typer.Argument(show_default=False)]
    elif hint is bool:
        default, annotation = field.default, Annotated[bool, typer.Option(_flag(field.name))]
    else:
        listed = getattr(hint, "__origin__", None) in {tuple, dict}
        default = None
        shape = list[str] | None if listed else _plain(hint) | None
        meta = "NAME=VALUE" if getattr(hint, "__origin__", None) is dict else None
        option = typer.Option(_flag(field.name), metavar=meta, show_default=False)
        annotation = Annotated[shape, option]
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(field.name, kind, default=default, annotation=annotation)


def _plain(hint: Any) -> Any:
    """What typer is to ask for: the words of a Literal, otherwise text (a time is text too)."""
    inner = [part for part in get_args(hint) if part is not type(None)] if type(None) in get_args(hint) else [hint]
    return inner[0] if len(inner) == 1 and getattr(inner[0], "__origin__", None) is not None else str


def _flag(name: str) -> str:
    return {"accept_unproven": "--i-accept-unproven"}.get(name, "--" + name.replace("_", "-"))


def made(directive: type[msgspec.Struct], given: dict[str, Any], by: str, reason: str, now: float) -> AnyDirective:
    """The directive that these parameters make. Raises typer.BadParameter when they do not fit."""
    told: dict[str, Any] = {"directive": directive.__struct_config__.tag, "time": now, "by": by, "reason": reason}
    for path, _ in parameters(directive):
        value = _value(path[-1], given[path[-1]], now, inside=directive)
        if value not in (None, [], {}):
            into = told
            for part in path[:-1]:
                into = into.setdefault(part, {})
            into[path[-1]] = value
    for field in msgspec.structs.fields(directive):
        if field.required and field.name not in told and field.name not in COMMON:
            flags = ", ".join(_flag(path[-1]) for path, _ in parameters(directive) if path[0] == field.name)
            raise typer.BadParameter(f"say which: {flags}")
    try:
        whole: AnyDirective = msgspec.convert(told, AnyDirective)
    except msgspec.ValidationError as problem:
        raise typer.BadParameter(str(problem)) from None
    return whole


def _value(name: str, given: Any, now: float, inside: type[msgspec.Struct]) -> Any:
    if name == "until":
        return datetime.fromtimestamp(instant(given, now), UTC).isoformat(timespec="seconds")
    if name == "digests" and given:
        pairs = [pair.partition("=") for pair in given]
        if not all(equals for _, equals, _ in pairs):
            raise typer.BadParameter("write --digests NAME=VALUE", param_hint=inside.__name__.lower())
        return {key: value for key, _, value in pairs}
    return given


def _command(directive: type[msgspec.Struct]) -> Callable[..., None]:
    tag = str(directive.__struct_config__.tag)
    own = parameters(directive)

    def command(
        by: str, reason: str, config: Path | None, url: str | None, token_file: Path | None, **given: Any
    ) -> None:
        if brake.takes(tag, given, url):
            brake.pull(tag, given, by, reason, config)
            return
        body = made(directive, given, by, reason, time.time())
        answer = options.client_of(config, url, token_file).post("directives", tag, body=msgspec.to_builtins(body))
        screen.say(_told(tag, answer, waits=isinstance(body, WIDENING)))

    shared = [*brake.parameters(tag), *_shared()]
    signature = [_loosened(given.parameter) if brake.parameters(tag) else given.parameter for given in own] + shared
    command.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]  # typer reads it
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in signature}
    command.__doc__ = directive.__doc__
    return command


def _loosened(parameter: inspect.Parameter) -> inspect.Parameter:
    """An argument that may be left out, because the brake can stand in its place."""
    if parameter.default is not inspect.Parameter.empty:
        return parameter
    return parameter.replace(default=None, annotation=Annotated[str | None, typer.Argument(show_default=False)])


def _shared() -> list[inspect.Parameter]:
    kind = inspect.Parameter.KEYWORD_ONLY
    by = Annotated[str, typer.Option("--by", envvar="DRIFTD_BY", help="Who says it.")]
    reason = Annotated[str, typer.Option("--reason", help="Why, for the audit.")]
    return [
        inspect.Parameter("by", kind, default=getpass.getuser(), annotation=by),
        inspect.Parameter("reason", kind, default="", annotation=reason),
        inspect.Parameter("config", kind, default=None, annotation=options.Config),
        inspect.Parameter("url", kind, default=None, annotation=options.Url),
        inspect.Parameter("token_file", kind, default=None, annotation=options.TokenFile),
    ]


def _told(tag: str, answer: Any, *, waits: bool) -> str:
    named = answer.get("id", "") if isinstance(answer, dict) else ""
    if waits and isinstance(answer, dict) and not answer.get("confirmed", False):
        return f"{tag} {named} waits for a second person: driftd confirm {named}"
    return f"{tag} {named}: done"


for _directive in get_args(AnyDirective):
    assert issubclass(_directive, Directive)  # noqa: S101 - the union holds nothing else
    _tag = str(_directive.__struct_config__.tag)
    app.command(COMMANDS.get(_tag, _tag))(_command(_directive))
