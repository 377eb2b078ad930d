"""The base of every part of the settings: unknown keys are refused, secrets may stand in files, nothing changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator


class Section(BaseModel):
    """A part of the settings. A field `x` of type SecretStr may be given as `x_file`, the file that holds it."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _secrets_from_files(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        read = dict(given)
        for name in secret_fields(cls):
            if (path := read.pop(f"{name}_file", None)) is None:
                continue
            if name in read:
                raise ValueError(f"{name} and {name}_file are both given: keep one")
            read[name] = _secret(name, path)
        return read


def secret_fields(section: type[BaseModel]) -> list[str]:
    """The fields that hold secrets, which is to say that may be given as a file."""
    return [
        name
        for name, field in section.model_fields.items()
        if field.annotation is SecretStr or SecretStr in get_args(field.annotation)
    ]


def _secret(name: str, path: object) -> str:
    try:
        text = Path(str(path)).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "not UTF-8"
        raise ValueError(f"{name}_file {path}: {reason}") from None
    if not text:
        raise ValueError(f"{name}_file {path}: the file is empty")
    return text
