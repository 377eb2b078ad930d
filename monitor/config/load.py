"""From places to settings: defaults, then the file, then the environment, then the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from monitor.config import places
from monitor.config.plugged import model_for, model_of_all
from monitor.config.problems import explained
from monitor.config.sections import Settings
from monitor.config.tree import Key, Layer, merged
from monitor.plugins import find

Purpose = Literal["run", "replay"]
#: what differs from the defaults of the sections: a replay has nobody who could ratify
DEFAULTS: dict[Purpose, dict[str, Any]] = {
    "run": {"reference": {"ratify": "person"}},
    "replay": {"reference": {"ratify": "auto"}},
}
#: the source that is there when none is set
SOURCES: dict[Purpose, str] = {"run": "ingest", "replay": "file"}


@dataclass(frozen=True, slots=True)
class Reading:
    """Settings, and where each key was said; what is not in `places` is a default."""

    settings: Settings
    places: dict[Key, str]


def load(
    file: Path | None = None,
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    purpose: Purpose = "run",
    values: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings in force. Raises SettingsError, which names every problem with its place, key and cure.

    `environment` is the process's when None is given; `values` are settings of the program itself, below the file.
    """
    return read(file, overrides, environment, purpose, values).settings


def read(
    file: Path | None = None,
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    purpose: Purpose = "run",
    values: Mapping[str, Any] | None = None,
) -> Reading:
    """Like `load`, with the place of every key that was said."""
    said = merged([
        Layer(values=DEFAULTS[purpose]),
        Layer(values=dict(values or {})),
        places.from_file(file) if file else Layer(),
        places.from_environment(os.environ if environment is None else environment),
        places.from_overrides(overrides),
    ])
    _default_source(said.values, purpose)
    model = model_for(said)
    try:
        return Reading(model.model_validate(said.values), said.places)
    except ValidationError as problem:
        raise explained(problem, model, said) from None


def state_dir(file: Path | None = None, environment: Mapping[str, str] | None = None) -> Path:
    """The state folder alone, whatever else the settings say. Raises SettingsError when they cannot be read at all."""
    from_environment = places.from_environment(os.environ if environment is None else environment)
    said = merged([places.from_file(file) if file else Layer(), from_environment]).values.get("state_dir")
    return Path(str(said)) if said is not None else Path(Settings.model_fields["state_dir"].default)


def _default_source(values: dict[str, Any], purpose: Purpose) -> None:
    sources = values.setdefault("sources", {})
    if isinstance(sources, dict) and (purpose == "replay" or not sources) and find("monitor.sources", SOURCES[purpose]):
        sources.setdefault(SOURCES[purpose], {})


def schema() -> dict[str, Any]:
    """The JSON Schema of the settings file, with every detector and plug-in that is installed."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model_of_all().model_json_schema()}
