"""Adding one thing is adding one file: a sink and a hook dropped into their folders are found, with their settings.

The same for a detector is shown by the conformance suite.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import monitor.hooks
import monitor.sinks
from monitor import plugins
from monitor.config import SettingsError, load

SINK = """
from typing import ClassVar, Literal
from pydantic import Field
from monitor.section import Section
from monitor.sinks.base import Message


class CarbonCopySettings(Section):
    type: Literal["carbon_copy"] = "carbon_copy"
    copies: int = Field(1, ge=1, description="how many")


class CarbonCopy:
    kind: ClassVar[str] = "carbon_copy"

    def __init__(self, settings: CarbonCopySettings, *, name: str = "carbon_copy") -> None:
        self.name, self.delivered = name, []
        self.copies = settings.copies

    def deliver(self, message: Message) -> None:
        self.delivered += [message] * self.copies

    def close(self) -> None:
        pass
"""
HOOK = """
from typing import Any, ClassVar, Literal
from monitor.hooks.base import Order, Plan
from monitor.section import Section


class BellSettings(Section):
    type: Literal["bell"] = "bell"
    steps: tuple[str, ...] = ("throttle",)


class Bell:
    kind: ClassVar[str] = "bell"
    deadline_seconds = 1.0

    def __init__(self, settings: BellSettings, *, name: str = "bell") -> None:
        self.name, self.steps, self.rung = name, settings.steps, 0

    def plan(self, order: Order) -> Plan:
        return Plan("ring", ("the bell",))

    def apply(self, order: Order, plan: Plan) -> dict[str, Any]:
        self.rung += 1
        return {}

    def verify(self, order: Order, plan: Plan) -> bool | None:
        return self.rung > 0

    def undo(self, order: Order, plan: Plan, done: dict[str, Any]) -> None:
        self.rung = 0
"""


@pytest.fixture
def dropped(tmp_path: Path) -> Iterator[Path]:
    """The two files, in folders that belong to the packages."""
    for package, name, text in ((monitor.sinks, "carbon_copy", SINK), (monitor.hooks, "bell", HOOK)):
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / f"{name}.py").write_text(text)
        package.__path__.append(str(folder))
    plugins.modules.cache_clear()
    yield tmp_path
    for package in (monitor.sinks, monitor.hooks):
        package.__path__.pop()
    plugins.modules.cache_clear()


def test_a_sink_and_a_hook_are_one_file_each(dropped: Path) -> None:
    from monitor.clock import SystemClock
    from monitor.daemon import wiring

    config = dropped / "driftd.yaml"
    config.write_text("sinks: {second: {type: carbon_copy, copies: 2}}\nhooks: {bell: {steps: [throttle, restrict]}}\n")
    settings = load(config)
    (sink,) = wiring.sinks(settings, SystemClock())
    (hook,) = wiring.hooks(settings, SystemClock())
    assert (sink.name, sink.kind) == ("second", "carbon_copy")
    assert (hook.name, hook.steps) == ("bell", ("throttle", "restrict"))


def test_their_settings_are_checked_as_all_others_are(dropped: Path) -> None:
    config = dropped / "driftd.yaml"
    config.write_text("sinks: {second: {type: carbon_copy, copis: 2}}\n")
    with pytest.raises(SettingsError, match="copies"):
        load(config)
