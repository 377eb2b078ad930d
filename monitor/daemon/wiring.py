"""Settings to parts: sources, sinks and hooks are made by what their files declare."""

from __future__ import annotations

import inspect
import os
import secrets
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from monitor import plugins
from monitor.clock import Clock
from monitor.formats.base import Format
from monitor.hooks.base import Hook
from monitor.sinks.base import Sink
from monitor.sources.base import Source

if TYPE_CHECKING:
    from monitor.config import Settings
    from monitor.section import Section


def sources(settings: Settings, clock: Clock) -> dict[str, tuple[Source, Section]]:
    """The sources by name, not started; what `replay` reads is none of them."""
    found = {}
    for name, section in settings.sources.by_name().items():
        if _type(section) != "file":
            found[name] = (cast("Source", _made("monitor.sources", name, section, settings, clock)), section)
    return found


def sinks(settings: Settings, clock: Clock) -> list[Sink]:
    """The sinks."""
    return [cast("Sink", _made("monitor.sinks", name, section, settings, clock))
            for name, section in settings.sinks.by_name().items()]


def hooks(settings: Settings, clock: Clock) -> list[Hook]:
    """The hooks."""
    return [cast("Hook", _made("monitor.hooks", name, section, settings, clock))
            for name, section in settings.hooks.by_name().items()]


def format_of(section: Section, settings: Settings) -> Format:
    """The format of a source."""
    kind = plugins.find("monitor.formats", getattr(section, "format", "native"))
    if kind is None:
        raise LookupError(f"there is no format {getattr(section, 'format', 'native')!r}")
    return cast("Format", kind(excerpts=settings.privacy.excerpts))


def digest_key(state_dir: Path) -> bytes:
    """The installation's secret, made on first use. Without it no agent's memory could be read again."""
    path = state_dir / "digest.key"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        key = secrets.token_bytes(32)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        return key


def fingerprint(key: bytes) -> str:
    """What may be stored of the key."""
    return blake2b(key, digest_size=16, person=b"driftd key").hexdigest()


def _type(section: Section) -> str:
    return str(getattr(section, "type", ""))


def _made(package: str, name: str, section: Section, settings: Settings, clock: Clock) -> Any:
    """A plug-in with what its constructor asks for."""
    kind = plugins.find(package, _type(section))
    if kind is None:
        raise LookupError(f"{package} has no {_type(section)!r}")
    offered = {"name": name, "clock": clock, "state_dir": settings.state_dir}
    wanted = inspect.signature(kind).parameters
    return kind(section, **{key: value for key, value in offered.items() if key in wanted})
