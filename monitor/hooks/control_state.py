"""Keeps for each agent what it may do now; agents and their gateways ask for it over HTTP, with an ETag."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import Field

from monitor.hooks.base import HookError, Order, Plan, StepName
from monitor.section import Section

State = Literal["active", "throttled", "restricted", "quarantined", "killed"]
STATES: dict[StepName, State] = {
    "throttle": "throttled", "restrict": "restricted", "quarantine": "quarantined", "kill": "killed",
}  # fmt: skip
RANKS = {step: rank for rank, step in enumerate(STATES)}


class ControlStateSettings(Section):
    """A file of states, and whether reading it back is proof enough."""

    type: Literal["control_state"] = "control_state"
    steps: tuple[StepName, ...] = Field(tuple(STATES), min_length=1, description="steps that it carries out")
    path: Path | None = Field(None, description="default: NAME.json in state_dir")
    acknowledged: bool = Field(False, description="confirmed only when the agent has asked and got the new state")
    deadline_seconds: float = Field(5.0, gt=0, le=60, description="for each verb")


class _Entry(msgspec.Struct):
    """What holds an agent: its orders with their steps; `seen` is the newest version that was asked for."""

    tenant: str
    agent: str
    orders: dict[str, StepName]
    version: int
    seen: int = 0

    def step(self) -> StepName:
        return max(self.orders.values(), key=RANKS.__getitem__)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int = 0
    agents: list[_Entry] = []


class ControlStateHook:
    """The states of all agents that are not simply active. Safe to ask from any thread."""

    kind: ClassVar[str] = "control_state"

    def __init__(
        self, settings: ControlStateSettings, *, name: str = "control_state", state_dir: Path = Path()
    ) -> None:
        """Reads the file. Raises HookError when it is there and cannot be read: forgetting would release everybody."""
        self.name, self.steps = name, settings.steps
        self.deadline_seconds = settings.deadline_seconds
        self._acknowledged = settings.acknowledged
        self._path = settings.path or state_dir / f"{name}.json"
        self._lock = Lock()
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=_File) if self._path.exists() else _File()
        except (OSError, msgspec.DecodeError) as problem:
            raise HookError(f"{self._path}: {problem}") from None
        self._version = kept.version
        self._agents = {(entry.tenant, entry.agent): entry for entry in kept.agents}

    def state(self, tenant: str, agent: str) -> dict[str, Any]:
        """What the agent may do now: `state`, `step`, `since` containment ids, `version` (0: nothing holds it)."""
        with self._lock:
            entry = self._agents.get((tenant, agent))
            step = entry.step() if entry else None
            return {
                "tenant": tenant, "agent": agent, "state": STATES[step] if step else "active", "step": step,
                "containments": sorted(entry.orders) if entry else [], "version": entry.version if entry else 0,
            }  # fmt: skip

    def etag(self, tenant: str, agent: str) -> str:
        """Changes whenever the state changes, and never comes back for another one; quotes included."""
        return f'"{self.state(tenant, agent)["version"]}"'

    def seen(self, tenant: str, agent: str, etag: str) -> None:
        """The agent was given, or still has, the state with this ETag: its acknowledgement."""
        with self._lock:
            entry = self._agents.get((tenant, agent))
            if entry is not None and etag == f'"{entry.version}"':
                entry.seen = entry.version

    def plan(self, order: Order) -> Plan:
        """The state that the agent will be given."""
        return Plan(f"state of {order.agent} becomes {STATES[order.step]}", (f"state of {order.tenant}/{order.agent}",))

    def apply(self, order: Order, plan: Plan) -> dict[str, Any]:
        """Write the state; the same order again changes nothing."""

        def hold(orders: dict[str, StepName]) -> None:
            orders[order.id] = order.step

        self._change(order, hold)
        return {"version": self.state(order.tenant, order.agent)["version"]}

    def verify(self, order: Order, plan: Plan) -> bool | None:
        """Read the file back. With `acknowledged`, None until the agent has got the state."""
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except (OSError, msgspec.DecodeError):
            return False
        key = (order.tenant, order.agent)
        if not any((entry.tenant, entry.agent) == key and order.id in entry.orders for entry in kept.agents):
            return False
        with self._lock:
            entry = self._agents.get(key)
            got = entry is not None and entry.seen == entry.version
        return True if got or not self._acknowledged else None

    def undo(self, order: Order, plan: Plan, done: dict[str, Any]) -> None:
        """This order holds the agent no longer; others may."""

        def free(orders: dict[str, StepName]) -> None:
            orders.pop(order.id, None)

        self._change(order, free)

    def _change(self, order: Order, change: Callable[[dict[str, StepName]], None]) -> None:
        key = (order.tenant, order.agent)
        with self._lock:
            held = self._agents.get(key)
            orders = dict(held.orders) if held else {}
            change(orders)
            if orders == (held.orders if held else {}):
                return
            agents = dict(self._agents)
            if orders:
                agents[key] = _Entry(order.tenant, order.agent, orders, self._version + 1)
            else:
                del agents[key]
            self._write(_File(self._version + 1, [agents[one] for one in sorted(agents)]))
            self._agents, self._version = agents, self._version + 1

    def _write(self, file: _File) -> None:
        """Durable before it counts: a new file in place of the old one."""
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            with new.open("wb") as out:
                out.write(msgspec.json.encode(file))
                out.flush()
                os.fsync(out.fileno())
            new.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as problem:
            raise HookError(f"{self._path}: {problem.strerror}") from None
