"""What can be set. Units stand last in names; a default is what a newcomer is safe with."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from detectors.core.detector import DetectorSettings
from detectors.core.inputs import Step
from detectors.core.rules import ActionRule, IdentityRule, RoleRule, Rules, RuleSet, TeamRule
from monitor.config.structs import AsStruct
from monitor.section import Section
from monitor.steps import STEPS, ContainmentSettings, Expiry, Mode, Thresholds


class Reference(Section):
    """The window in which an agent's normal is taken down."""

    days: float = Field(14, gt=0, le=366, description="length from the agent's first event, in days")
    ratify: Literal["auto", "person"] = Field(
        "person", description="who takes it as right; default `auto` in replay. Only a person's counts for arming"
    )


class Levels(Section):
    """Agent-months per false alarm from which an alert has the level."""

    notice: float = Field(10, gt=0, description="shown")
    page: float = Field(100, gt=0, description="wakes a person")
    critical: float = Field(1000, gt=0, description="wakes two")

    @model_validator(mode="after")
    def _rise(self) -> Self:
        if not self.notice <= self.page <= self.critical:
            raise ValueError("levels must rise: notice <= page <= critical")
        return self


class Alerting(Section):
    """When an alert is raised."""

    levels: Levels = Levels()


class Containment(Section):
    """What driftd may do to an agent. By default it only says what it would have done."""

    mode: Mode = Field("observe", description="observe: would have; approve: a person says yes; enforce: by itself")
    thresholds: Annotated[Thresholds, AsStruct()] = Thresholds()
    kill: bool = Field(False, description="opts in to kill; otherwise a kill is carried out as quarantine")
    protected: tuple[str, ...] = Field((), description="agents that are never contained; * stands for anything")
    age_seconds_max: float = Field(300, gt=0, description="on older evidence a person is asked, whatever the mode")
    expiry_seconds: Annotated[Expiry, AsStruct()] = Expiry()

    def for_ladder(self, hooked: tuple[Step, ...] = STEPS) -> ContainmentSettings:
        """What the ladder is told; `hooked` are the steps that have a hook."""
        return ContainmentSettings(
            self.mode, self.thresholds, self.kill, self.protected, self.age_seconds_max, self.expiry_seconds, hooked=hooked
        )


class Agents(Section):
    """Who is who: stable names, roles, teams, and how many. In every list the first rule that fits counts."""

    identity: tuple[Annotated[IdentityRule, AsStruct()], ...] = Field((), description="raw names to stable agents")
    roles: tuple[Annotated[RoleRule, AsStruct()], ...] = Field((), description="agents to roles")
    teams: tuple[Annotated[TeamRule, AsStruct()], ...] = Field((), description="agents and roles to teams")
    max: int = Field(1 << 20, ge=1, description="agents that one partition keeps")


class Storage(Section):
    """Where decisions are kept."""

    url: str | None = Field(None, description="SQLAlchemy URL; default: SQLite in state_dir")


def _is_loopback(bind: str) -> bool:
    try:
        return ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"


class Api(Section):
    """The HTTP interface: routes, console, metrics."""

    bind: str = Field("127.0.0.1", description="address; anything but loopback needs tokens_file")
    port: int = Field(8765, ge=0, le=65535)
    tokens_file: Path | None = Field(None, description="bearer tokens and their roles")
    allow_hosts: tuple[str, ...] = Field((), description="further names by which the interface may be called")

    @model_validator(mode="after")
    def _not_naked(self) -> Self:
        if self.tokens_file is None and not _is_loopback(self.bind):
            raise ValueError(f"bind {self.bind} is reachable from outside: set api.tokens_file, or bind 127.0.0.1")
        return self


class Privacy(Section):
    """What is kept of records beyond what judging needs."""

    excerpts: bool = Field(True, description="keep the first 4 KiB of bad records with their dead letters")


class PluginTable(Section):
    """Plug-ins by the name that a person gave them."""

    def by_name(self) -> dict[str, Section]:
        """The settings of each, in the order in which they were said."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class DetectorTable(Section):
    """One entry for each detector that was found: `enabled`, and the detector's own settings."""

    def by_name(self) -> dict[str, DetectorSettings]:
        """The settings of each as its own `Settings` struct."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class Settings(Section):
    """All settings of one installation."""

    state_dir: Path = Field(Path("driftd-state"), description="where the daemon keeps what it must not lose")
    tenant: str = Field("", max_length=128, description="namespace of agents whose records name none")
    one_person: bool = Field(False, description="nobody else can confirm: widening directives count at once, shown")
    reference: Reference = Reference()
    alerting: Alerting = Alerting()
    containment: Containment = Containment()
    detectors: DetectorTable = DetectorTable()
    sources: PluginTable = PluginTable()
    sinks: PluginTable = PluginTable()
    hooks: PluginTable = PluginTable()
    agents: Agents = Agents()
    rules: tuple[Annotated[ActionRule, AsStruct()], ...] = Field(
        (), description="what actions are, whatever their records claim"
    )
    storage: Storage = Storage()
    api: Api = Api()
    privacy: Privacy = Privacy()

    def rule_set(self) -> RuleSet:
        """The operator's rules, as the core takes them."""
        return RuleSet(self.agents.identity, self.agents.roles, self.agents.teams, self.rules)

    @model_validator(mode="after")
    def _rules_can_be_applied(self) -> Self:
        Rules(self.rule_set())
        return self
