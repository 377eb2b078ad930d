from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from monitor.hooks import _process
from monitor.hooks.base import Hook, HookError
from monitor.hooks.exec import ExecHook, ExecSettings, ProcessSettings
from tests.monitor.hooks.contract import HookContract, order

Start = Callable[..., subprocess.Popen[bytes]]
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


@pytest.fixture
def start() -> Iterator[Start]:
    """Toy agents: real processes that loop until they are ended."""
    children: list[subprocess.Popen[bytes]] = []

    def begin(code: str = "import time; print('up', flush=True); time.sleep(60)") -> subprocess.Popen[bytes]:
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        children.append(child)
        return child

    yield begin
    for child in children:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def register(registry: Path, agent: str, pid: int) -> Path:
    path = registry / _process.file_name("", agent)
    path.write_text(_process.registration(pid))
    return path


def ender(registry: Path, **settings: Any) -> ExecHook:
    return ExecHook(ExecSettings(process=ProcessSettings(registry=registry, grace_seconds=0.3), **settings))


def command(code: str, **settings: Any) -> ExecHook:
    """A hook whose apply runs this Python."""
    given: dict[str, Any] = {"apply": (sys.executable, "-c", code), "exclusive": True} | settings
    return ExecHook(ExecSettings(**given))


class TestProcessContract(HookContract):
    undoes = False

    @pytest.fixture
    def hook(self, tmp_path: Path, start: Start) -> Hook:
        self.agents = {f"billing/{n}": start() for n in (1, 2)}
        for agent, child in self.agents.items():
            register(tmp_path, agent, child.pid)
        return ender(tmp_path)

    def contained(self, agent: str) -> bool:
        return self.agents[agent].poll() is not None


class TestCommandContract(HookContract):
    @pytest.fixture
    def hook(self, tmp_path: Path) -> Hook:
        self.folder = tmp_path
        name = f"import json, sys, pathlib, urllib.parse as u; o = json.load(sys.stdin)['order']; \
p = pathlib.Path({str(tmp_path)!r}) / u.quote(o['agent'], safe='');"
        python = (sys.executable, "-c")
        return ExecHook(
            ExecSettings(
                apply=(*python, name + "p.touch()"),
                verify=(*python, name + "sys.exit(not p.exists())"),
                undo=(*python, name + "p.unlink(missing_ok=True)"),
                exclusive=True,
            )
        )

    def contained(self, agent: str) -> bool:
        return (self.folder / agent.replace("/", "%2F")).exists()


def test_it_ends_a_process_that_does_not_listen(tmp_path: Path, start: Start) -> None:
    child = start(STUBBORN)
    register(tmp_path, "billing/1", child.pid)
    hook = ender(tmp_path)
    plan = hook.plan(order())
    assert f"process {child.pid} started at tick" in plan.text
    assert hook.apply(order(), plan) == {"process": "ended on SIGKILL"}
    assert hook.verify(order(), plan) is True


def test_a_pid_that_was_given_to_another_process_is_not_touched(tmp_path: Path, start: Start) -> None:
    innocent = start()
    path = register(tmp_path, "billing/1", innocent.pid)
    hook = ender(tmp_path)
    plan = hook.plan(order())
    recycled = plan._replace(state={"pid": innocent.pid, "start": plan.state["start"] - 1})
    assert hook.apply(order(), recycled) == {"process": "was gone"}
    path.write_text(f"{innocent.pid} {plan.state['start'] - 1}\n")
    with pytest.raises(HookError, match="does not run any more"):
        hook.plan(order())
    assert innocent.poll() is None


def test_a_pidfile_older_than_its_process_is_of_another_one(tmp_path: Path, start: Start) -> None:
    innocent = start()
    path = tmp_path / "billing%2F1.pid"
    path.write_text(f"{innocent.pid}\n")
    hook = ExecHook(ExecSettings(process=ProcessSettings(pidfile=str(tmp_path / "{agent}.pid"))))
    assert hook.plan(order()).exclusive
    os.utime(path, (1, time.time() - 3600))
    with pytest.raises(HookError, match="started after it was written"):
        hook.plan(order())


@pytest.mark.parametrize("text", ["", "many", "1", "-5", "99999999"])
def test_a_file_that_names_no_agents_process_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "billing%2F1").write_text(text)
    with pytest.raises(HookError):
        ender(tmp_path).plan(order())


def test_a_file_that_anybody_may_write_is_refused(tmp_path: Path, start: Start) -> None:
    register(tmp_path, "billing/1", start().pid).chmod(0o666)
    with pytest.raises(HookError, match="chmod"):
        ender(tmp_path).plan(order())


def test_driftd_itself_is_never_an_agent(tmp_path: Path) -> None:
    register(tmp_path, "billing/1", os.getpid())
    with pytest.raises(HookError, match="never an agent"):
        ender(tmp_path).plan(order())


def test_a_process_of_several_agents_is_shared_and_nothing_is_exclusive(tmp_path: Path, start: Start) -> None:
    child = start()
    for agent in ("billing/1", "billing/2"):
        register(tmp_path, agent, child.pid)
    register(tmp_path, "billing/3", start().pid)
    plan = ender(tmp_path).plan(order())
    assert plan.exclusive == ()
    assert plan.shared[1:] == ("billing%2F2",)


def test_an_agents_name_leads_nowhere_else(tmp_path: Path, start: Start) -> None:
    child = start()
    (tmp_path / "registry").mkdir()
    register(tmp_path, "secret", child.pid)
    for name in ("../secret", "..", "/etc/passwd", "*"):
        with pytest.raises(HookError):
            ender(tmp_path / "registry").plan(order(name))
    assert child.poll() is None


def test_a_name_full_of_shell_is_only_a_name(tmp_path: Path) -> None:
    agent = "$(touch pwned); `touch pwned` | touch pwned & ' \" \n --force"
    hook = command("import sys; sys.stdout.write(sys.stdin.read())", environment=())
    echoed = hook.apply(order(agent), hook.plan(order(agent)))
    assert (echoed["verb"], echoed["order"]["agent"]) == ("apply", agent)
    assert not (tmp_path / "pwned").exists()
    assert not Path("/pwned").exists()


def test_an_argument_is_passed_as_it_is(tmp_path: Path) -> None:
    hook = ExecHook(ExecSettings(apply=("/bin/echo", f"$(touch {tmp_path}/pwned);"), exclusive=True))
    assert hook.apply(order(), hook.plan(order())) == {"output": f"$(touch {tmp_path}/pwned);\n"}
    assert not (tmp_path / "pwned").exists()


def test_the_environment_holds_what_is_allowed_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "s3cret")
    monkeypatch.setenv("REGION", "north")
    show = "import json, os; os.environ.pop('LC_CTYPE', None); print(json.dumps(dict(os.environ)))"
    hook = command(show, environment=("REGION", "ABSENT"))
    assert hook.apply(order(), hook.plan(order())) == {"REGION": "north"}


def test_at_the_deadline_the_whole_group_is_killed(tmp_path: Path) -> None:
    code = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
time.sleep(60)
"""
    hook = command(code, deadline_seconds=1.0)
    begun = time.monotonic()
    with pytest.raises(HookError, match="did not end within 1 s"):
        hook.apply(order(), hook.plan(order()))
    assert time.monotonic() - begun < 3
    pid = int((tmp_path / "pid").read_text())
    until = time.monotonic() + 5
    while _process.started(pid) is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert _process.started(pid) is None


def test_a_grandchild_that_holds_the_output_does_not_hold_the_hook() -> None:
    hook = command("import subprocess; subprocess.Popen(['sleep', '3']); print('{}', flush=True)", deadline_seconds=2.5)
    begun = time.monotonic()
    assert hook.apply(order(), hook.plan(order())) == {}
    assert time.monotonic() - begun < 2


def test_output_is_bounded_and_a_flood_does_not_block() -> None:
    hook = command("import sys; sys.stdout.write('x' * 5_000_000)", output_bytes_max=2048)
    assert hook.apply(order(), hook.plan(order())) == {"output": "x" * 2048}


def test_a_command_that_does_not_read_its_input_is_no_failure() -> None:
    hook = ExecHook(ExecSettings(apply=("/bin/true",), exclusive=True))
    big = hook.plan(order())._replace(state={"text": "x" * 1_000_000})
    assert hook.apply(order(), big) == {}


def test_a_failing_command_says_why() -> None:
    hook = command("import sys; sys.exit('no such unit')")
    with pytest.raises(HookError, match="ended with 1: no such unit"):
        hook.apply(order(), hook.plan(order()))
    missing = ExecHook(ExecSettings(apply=("/no/such/program",), exclusive=True))
    with pytest.raises(HookError, match="No such file"):
        missing.apply(order(), missing.plan(order()))


@pytest.mark.parametrize(("status", "worked"), [(0, True), (1, False), (2, None)])
def test_verify_by_exit_status(status: int, worked: bool | None) -> None:
    hook = command("", verify=(sys.executable, "-c", f"raise SystemExit({status})"))
    assert hook.verify(order(), hook.plan(order())) is worked


def test_a_plan_command_says_what_is_exclusive() -> None:
    plan = {"text": "stop unit a", "exclusive": ["unit a"], "shared": ["credential b"], "state": {"unit": "a"}}
    hook = command("", exclusive=False, plan=("/bin/echo", msgspec.json.encode(plan).decode()))
    assert hook.plan(order())._asdict() == plan | {"exclusive": ("unit a",), "shared": ("credential b",)}
    broken = command("", exclusive=False, plan=("/bin/echo", "[]"))
    with pytest.raises(HookError, match="printed no plan"):
        broken.plan(order())


def test_undo_may_be_a_command_that_starts_the_agent_again(tmp_path: Path, start: Start) -> None:
    register(tmp_path, "billing/1", start().pid)
    hook = ender(tmp_path, undo=("/bin/sh", "-c", f"cat > {tmp_path}/undone"))
    plan = hook.plan(order())
    hook.undo(order(), plan, hook.apply(order(), plan))
    assert msgspec.json.decode((tmp_path / "undone").read_bytes())["done"] == {"process": "ended on SIGTERM"}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "one of apply and process"),
        ({"apply": ["x"]}, "exclusive: true"),
        ({"process": {"registry": "/r"}, "apply": ["x"]}, "one of apply and process"),
        ({"process": {"registry": "/r"}, "steps": ["quarantine"]}, "steps: \\[kill\\]"),
        ({"process": {}}, "one of pidfile and registry"),
        ({"process": {"pidfile": "/run/agent.pid"}}, "put {agent}"),
        ({"apply": ["x"], "exclusive": True, "shell": True}, "shell"),
    ],
)
def test_settings_that_could_hit_somebody_else_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ExecSettings.model_validate(settings)
