"""A plug-in brings its settings in its own file; a detector's constraints hold in the settings too."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from pydantic import TypeAdapter, ValidationError

from monitor import plugins
from monitor.config import SettingsError, load, schema
from monitor.config.structs import for_pydantic

PLUGIN = """
from typing import ClassVar, Literal
from pydantic import SecretStr
from monitor.section import Section

class BellSettings(Section):
    type: Literal["bell"] = "bell"
    rings: int = 1
    secret: SecretStr | None = None

class Bell:
    kind: ClassVar[str] = "bell"
"""


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[None]:
    """A sink added as one file."""
    import monitor.sinks

    (tmp_path / "bell.py").write_text(PLUGIN)
    monitor.sinks.__path__.append(str(tmp_path))
    plugins.modules.cache_clear()
    yield
    monitor.sinks.__path__.remove(str(tmp_path))
    plugins.modules.cache_clear()
    sys.modules.pop("monitor.sinks.bell", None)


def sinks(*overrides: str) -> dict[str, object]:
    return dict(load(None, overrides, {}, "replay").sinks.by_name())


@pytest.mark.usefixtures("bell")
def test_one_file_brings_a_type_its_settings_and_its_schema() -> None:
    found = sinks("sinks.door={type: bell, rings: 3}", "sinks.bell.rings=2")
    assert {name: sink.rings for name, sink in found.items()} == {"door": 3, "bell": 2}  # type: ignore[attr-defined]
    assert "rings" in schema()["$defs"]["BellSettings"]["properties"]


@pytest.mark.usefixtures("bell")
@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("sinks.door={type: bel}", r"--set sinks\.door: sinks\.door\.type: no sink of type 'bel' \(did you mean bell\?\)"),
        ("sinks.bell.ring=2", r"sinks\.bell\.ring: unknown key \(did you mean sinks\.bell\.rings\?\)"),
        ("sinks.bell.secret_fil=2", r"did you mean sinks\.bell\.secret_file\?"),
        ("sinks.bell.rings=x", r"sinks\.bell\.rings: 'x' does not fit"),
    ],
)
def test_its_settings_are_checked(override: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        sinks(override)


def test_a_detectors_constraints_hold() -> None:
    adapter = TypeAdapter(for_pydantic(Annotated[int, msgspec.Meta(ge=1, le=3)] | None))
    assert adapter.validate_python(3) == 3
    assert adapter.validate_python(None) is None
    with pytest.raises(ValidationError):
        adapter.validate_python(4)
