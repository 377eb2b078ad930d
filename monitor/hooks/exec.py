"""Contains an agent by running a command, or by ending the agent's own process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import msgspec
from pydantic import Field, model_validator

from monitor.hooks import _child, _process
from monitor.hooks.base import HookError, Order, Plan, StepName
from monitor.section import Section

#: the exit status by which a `verify` command says that it cannot know
UNKNOWN_STATUS = 2


class ProcessSettings(Section):
    """How an agent's process is found; each file says `PID START` (start: field 22 of /proc/PID/stat) or `PID`."""

    pidfile: str | None = Field(None, description="path of an agent's file; {agent} in it is the percent-encoded name")
    registry: Path | None = Field(None, description="folder with one file for each agent, named by its encoded name")
    grace_seconds: float = Field(5.0, ge=0, le=60, description="between SIGTERM and SIGKILL")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.pidfile is None) == (self.registry is None):
            raise ValueError("give one of pidfile and registry")
        if self.pidfile is not None and Path(self.pidfile).name.count("{agent}") != 1:
            raise ValueError("pidfile is one file for all agents: put {agent} into its last part, or use registry")
        return self


class ExecSettings(Section):
    """Commands as argument lists; each gets JSON on standard input: verb, order, plan and what apply returned."""

    type: Literal["exec"] = "exec"
    steps: tuple[StepName, ...] = Field(("kill",), min_length=1, description="steps that it carries out")
    process: ProcessSettings | None = Field(None, description="end the agent's own process; for kill alone")
    plan: tuple[str, ...] = Field((), description="prints JSON: text, exclusive, shared, state; changes nothing")
    apply: tuple[str, ...] = Field((), description="carries the step out; may print a JSON object that undo gets back")
    verify: tuple[str, ...] = Field((), description="exit 0: it worked, 1: it did not, 2: cannot know")
    undo: tuple[str, ...] = Field((), description="takes the step back")
    exclusive: bool = Field(False, description="the command touches nothing but the agent that it is told")
    deadline_seconds: float = Field(10.0, gt=0, le=300, description="for each command; then its group is killed")
    environment: tuple[str, ...] = Field(("PATH",), description="names of the daemon's variables that it may see")
    output_bytes_max: int = Field(65_536, ge=1024, le=1 << 20, description="kept of each of its outputs")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.apply) == (self.process is not None):
            raise ValueError("give one of apply and process")
        if self.process is not None and (set(self.steps) != {"kill"} or self.plan or self.verify):
            raise ValueError("process is for steps: [kill], with a plan and a check of its own")
        if self.apply and not self.plan and not self.exclusive:
            raise ValueError(
                "nothing proves that apply touches this agent alone: give plan, or declare exclusive: true"
            )
        return self


class ExecHook:
    """Runs the commands of its settings, or ends a process that is the agent's alone."""

    kind: ClassVar[str] = "exec"

    def __init__(self, settings: ExecSettings, *, name: str = "exec", state_dir: Path = Path()) -> None:
        """Nothing of it is kept in `state_dir`."""
        self.name, self.steps, self._settings = name, settings.steps, settings
        grace = settings.process.grace_seconds + _process.KILL_SECONDS_MAX if settings.process else 0.0
        self.deadline_seconds = settings.deadline_seconds + grace

    def plan(self, order: Order) -> Plan:
        """The process by pid and start time, or what the plan command prints."""
        if self._settings.process is not None:
            return self._plan_process(order, self._settings.process)
        if self._settings.plan:
            printed = self._run("plan", self._settings.plan, order)
            try:
                return msgspec.json.decode(printed.output, type=_Printed).plan()
            except msgspec.DecodeError as problem:
                raise HookError(f"plan printed no plan: {problem}") from None
        return Plan(f"run {self._settings.apply[0]}", (f"agent {order.agent}",))

    def apply(self, order: Order, plan: Plan) -> dict[str, Any]:
        """End the process, or run the command and keep the object that it prints."""
        if self._settings.process is not None:
            return {"process": _process.end(_of(plan), self._settings.process.grace_seconds)}
        ended = self._run("apply", self._settings.apply, order, plan)
        if not ended.output.strip():
            return {}
        try:
            return msgspec.json.decode(ended.output, type=dict[str, Any])
        except msgspec.DecodeError:
            return {"output": ended.output.decode(errors="replace")}

    def verify(self, order: Order, plan: Plan) -> bool | None:
        """Whether the process is gone, or what the verify command says; None without one."""
        if self._settings.process is not None:
            return not _of(plan).runs()
        if not self._settings.verify:
            return None
        status = self._run("verify", self._settings.verify, order, plan, statuses=(0, 1, UNKNOWN_STATUS)).status
        return None if status == UNKNOWN_STATUS else status == 0

    def undo(self, order: Order, plan: Plan, done: dict[str, Any]) -> None:
        """Run the undo command; without one nothing can be taken back."""
        if self._settings.undo:
            self._run("undo", self._settings.undo, order, plan, done)
        elif self._settings.process is None:
            raise HookError("there is no undo command: take it back by hand")
        elif not _of(plan).runs():
            raise HookError("a process that was ended cannot be restarted from here: start the agent again")

    def _plan_process(self, order: Order, settings: ProcessSettings) -> Plan:
        name = _process.file_name(order.tenant, order.agent)
        if settings.registry is not None:
            path, pattern = settings.registry / name, "*"
        else:
            path = Path(str(settings.pidfile).replace("{agent}", name))
            pattern = Path(str(settings.pidfile)).name.replace("{agent}", "*")
        process = _process.read(path)
        thing = f"process {process.pid} started at tick {process.start}"
        shared = _process.sharers(process, path, [found for found in path.parent.glob(pattern) if found.is_file()])
        state = {"pid": process.pid, "start": process.start}
        if shared:
            names = ", ".join(shared[:10])
            return Plan(f"{thing} is also that of {names}: not touched", (), (thing, *shared[:10]), state)
        return Plan(f"SIGTERM, then SIGKILL, to {thing}", (thing,), (), state)

    def _run(
        self, verb: str, command: tuple[str, ...], order: Order, plan: Plan | None = None,
        done: dict[str, Any] | None = None, *, statuses: tuple[int, ...] = (0,),
    ) -> _child.Ended:  # fmt: skip
        told = {"verb": verb, "order": order._asdict(), "plan": plan._asdict() if plan else None, "done": done}
        allowed = {name: os.environ[name] for name in self._settings.environment if name in os.environ}
        ended = _child.run(
            command, msgspec.json.encode(told) + b"\n", environment=allowed,
            seconds=self._settings.deadline_seconds, bytes_max=self._settings.output_bytes_max,
        )  # fmt: skip
        if ended.status not in statuses:
            said = ended.errors.decode(errors="replace").strip()[-500:]
            raise HookError(f"{verb}: {command[0]} ended with {ended.status}{': ' + said if said else ''}")
        return ended


class _Printed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    exclusive: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    state: dict[str, Any] = {}

    def plan(self) -> Plan:
        return Plan(self.text, self.exclusive, self.shared, self.state)


def _of(plan: Plan) -> _process.Process:
    return _process.Process(plan.state["pid"], plan.state["start"])
