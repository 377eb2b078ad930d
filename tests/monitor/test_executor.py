"""Orders through a real intent log, a real brake file and real processes; the executor is killed at every record."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from detectors.core.inputs import Receipt
from monitor.brake import Brake, Disarmed, Found
from monitor.executor import Executor
from monitor.hooks import _process
from monitor.hooks.base import HookError, Order, Plan, StepName
from monitor.hooks.exec import ExecHook, ExecSettings, ProcessSettings
from monitor.intent_log import IntentLog

CRASHES = Path(__file__).with_name("crashing_executor.py")


class Recorder:
    """A hook that notes what it is asked, and does what a test wants."""

    kind: ClassVar[str] = "recorder"
    steps: tuple[StepName, ...] = ("throttle", "restrict", "quarantine", "kill")

    def __init__(self, name: str = "recorder", deadline_seconds: float = 5.0) -> None:
        self.name, self.deadline_seconds = name, deadline_seconds
        self.calls: list[tuple[str, str]] = []
        self.exclusive: tuple[str, ...] = ("a thing",)
        self.on_apply: Callable[[Order], Any] = lambda _: None
        self.works: list[bool | None] = []

    def plan(self, order: Order) -> Plan:
        self.calls.append(("plan", order.id))
        return Plan("do it", self.exclusive)

    def apply(self, order: Order, plan: Plan) -> dict[str, Any]:
        self.calls.append(("apply", order.id))
        self.on_apply(order)
        return {"from": order.id}

    def verify(self, order: Order, plan: Plan) -> bool | None:
        self.calls.append(("verify", order.id))
        return self.works.pop(0) if self.works else True

    def undo(self, order: Order, plan: Plan, done: dict[str, Any]) -> None:
        self.calls.append(("undo", order.id))
        assert done == {"from": order.id}

    def count(self, verb: str) -> int:
        return sum(called == verb for called, _ in self.calls)


class Bench:
    """An executor on a folder, and what it reported."""

    def __init__(self, folder: Path, *hooks: Any, **settings: Any) -> None:
        self.log, self.brake = IntentLog(folder / "intents.log"), Brake(folder)
        self.receipts: list[Receipt] = []
        self.pulled: list[Found] = []
        self.executor = Executor(
            self.log, self.brake, hooks, self.receipts.append, pulled=self.pulled.append, pause_seconds=0.01, **settings
        )
        self.executor.start()

    def done(self) -> list[tuple[str, str]]:
        assert self.executor.idle(20)
        self.executor.check()
        return [(receipt.step, receipt.outcome) for receipt in self.receipts]

    def stop(self) -> None:
        self.executor.stop()
        self.log.close()


Make = Callable[..., Bench]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Bench] = []

    def bench(*hooks: Any, **settings: Any) -> Bench:
        for earlier in made:
            earlier.stop()
        made[:] = [Bench(tmp_path, *hooks, **settings)]
        return made[0]

    yield bench
    for last in made:
        last.stop()


def order(id_: str = "c1", agent: str = "billing/1", step: StepName = "kill", role: str = "billing") -> Order:
    return Order(id_, time.time(), "", agent, role, step, 1234.0, "reached")


def until(true: Callable[[], Any], seconds: float = 5.0) -> float:
    begun = time.monotonic()
    while not true():
        assert time.monotonic() < begun + seconds
        time.sleep(0.002)
    return time.monotonic() - begun


def test_an_order_is_planned_applied_verified_and_reported_once(make: Make) -> None:
    hook = Recorder()
    bench = make(hook)
    assert bench.executor.submit(order())
    assert bench.done() == [("kill", "confirmed")]
    assert [verb for verb, _ in hook.calls] == ["plan", "apply", "verify"]
    assert not bench.executor.submit(order())
    again = make(hook)
    assert not again.executor.submit(order())
    assert again.done() == []
    assert hook.count("apply") == 1


def test_it_is_in_the_intent_log_before_anything_is_done(make: Make, tmp_path: Path) -> None:
    hook, seen = Recorder(), []
    hook.on_apply = lambda _: seen.append((tmp_path / "intents.log").read_bytes())
    bench = make(hook)
    bench.executor.submit(order())
    bench.done()
    assert seen[0].count(b'"is":"intent"') == seen[0].count(b'"is":"attempt"') == 1
    assert b'"is":"done"' not in seen[0]


def test_what_cannot_be_logged_is_not_done(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = Recorder()
    bench = make(hook)

    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(bench.log, "append", full)
        with pytest.raises(OSError, match="No space"):
            bench.executor.submit(order())
    assert bench.done() == []
    assert hook.calls == []


def test_when_the_disk_fills_in_between_it_goes_on_by_itself(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    hook, full = Recorder(), threading.Event()
    bench = make(hook)
    append = bench.log.append

    def limited(record: Any) -> None:
        if full.is_set() and type(record).__name__ == "Attempt":
            raise OSError(errno.ENOSPC, "No space left on device")
        append(record)

    monkeypatch.setattr(bench.log, "append", limited)
    full.set()
    bench.executor.submit(order())
    until(lambda: bench.executor.problem)
    assert hook.count("apply") == 0
    full.clear()
    assert bench.done() == [("kill", "confirmed")]
    assert bench.executor.problem is None


@pytest.mark.parametrize(
    ("works", "outcome"),
    [([True], "confirmed"), ([False, False, True], "confirmed"), ([None] * 5, "acted"), ([False] * 5, "failed")],
)
def test_confirmed_needs_the_hooks_own_check(make: Make, works: list[bool | None], outcome: str) -> None:
    hook = Recorder()
    hook.works = list(works)
    bench = make(hook)
    bench.executor.submit(order())
    assert bench.done() == [("kill", outcome)]
    assert (hook.count("apply"), hook.count("verify")) == (1, len(works))


def test_a_hook_that_fails_or_raises_is_reported_and_the_others_work(make: Make) -> None:
    failing, raising, fine = Recorder("failing"), Recorder("raising"), Recorder("fine")

    def fail(_: Order) -> None:
        raise HookError("the gateway said 503")

    failing.on_apply, raising.on_apply = fail, lambda _: dict[str, str]()["no such key"]
    bench = make(failing, raising, fine)
    bench.executor.submit(order(step="restrict"))
    assert bench.done() == [("restrict", "failed")]
    for part in ("failing: the gateway said 503", "raising: KeyError", "fine: verified"):
        assert part in bench.receipts[0].detail
    assert [hook.count("apply") for hook in (failing, raising, fine)] == [1, 1, 1]


def test_a_hook_that_hangs_costs_its_deadline_and_nothing_else(make: Make) -> None:
    hanging, quick = Recorder("hanging", deadline_seconds=0.3), Recorder("quick")
    let_go = threading.Event()
    hanging.on_apply = lambda _: let_go.wait(20)
    bench = make(hanging, quick)
    begun = time.monotonic()
    bench.executor.submit(order())
    assert until(lambda: quick.count("verify")) < 0.3
    assert bench.done() == [("kill", "failed")]
    assert time.monotonic() - begun < 3
    assert "hanging: no answer within 0.3 s" in bench.receipts[0].detail
    let_go.set()


def test_only_what_is_the_agents_alone_is_touched(make: Make) -> None:
    hook = Recorder()
    hook.exclusive = ()
    bench = make(hook)
    bench.executor.submit(order())
    assert bench.done() == [("kill", "failed")]
    assert hook.count("apply") == 0


def test_a_step_without_a_hook_is_skipped_and_said(make: Make) -> None:
    bench = make()
    bench.executor.submit(order())
    assert bench.done() == [("kill", "skipped")]


def test_a_release_undoes_and_a_released_order_is_never_executed_again(make: Make) -> None:
    hook = Recorder()
    bench = make(hook)
    bench.executor.submit(order())
    bench.done()
    assert bench.executor.release("", "billing/1", why="ann released it") == ("c1",)
    assert bench.executor.release("", "billing/1") == ()
    assert bench.done() == [("kill", "confirmed"), ("release", "undone")]
    again = make(hook)
    assert not again.executor.submit(order())
    assert again.done() == []
    assert (hook.count("apply"), hook.count("undo")) == (1, 1)


def test_an_order_released_while_it_waits_is_never_executed(make: Make) -> None:
    hook, go = Recorder(), threading.Event()
    hook.on_apply = lambda _: go.wait(20)
    bench = make(hook)
    bench.executor.submit(order("c1", step="throttle"))
    until(lambda: hook.count("apply"))
    bench.executor.submit(order("c2"))
    assert bench.executor.release("", "billing/1", containment="c2") == ("c2",)
    go.set()
    assert ("kill", "skipped") in bench.done()
    assert ("apply", "c2") not in hook.calls


def test_an_undo_that_fails_is_reported(make: Make) -> None:
    hook = Recorder()

    def cannot(*_: Any) -> None:
        raise HookError("start it by hand")

    hook.undo = cannot  # type: ignore[method-assign, assignment]
    bench = make(hook)
    bench.executor.submit(order())
    bench.done()
    bench.executor.release("", "billing/1")
    assert bench.done()[1:] == [("release", "failed")]
    assert bench.receipts[1].detail == "recorder: start it by hand"


# -- the budget of the daemon


def test_the_budget_holds_over_restarts_and_simultaneous_orders(make: Make) -> None:
    hook = Recorder()
    bench = make(hook)
    for life in range(3):
        bench = make(hook)
        threads = [
            threading.Thread(target=bench.executor.submit, args=(order(f"c{life}.{n}", f"billing/{n}"),))
            for n in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        bench.done()
    assert hook.count("apply") == 3
    skipped = [receipt for receipt in bench.receipts if receipt.outcome == "skipped"]
    assert len(skipped) == 20
    assert all(receipt.detail.startswith("budget: 3 in 10 minutes") for receipt in skipped)


# -- the brake


def test_the_brake_is_effective_within_a_second_also_for_what_is_under_way(make: Make) -> None:
    hook = Recorder()
    bench = make(hook)
    Brake(bench.brake.path.parent).disarm("ann", role="billing")
    bench.executor.submit(order())
    bench.executor.submit(order("c2", "sales/1", role="sales"))
    bench.done()
    assert {(receipt.agent, receipt.outcome) for receipt in bench.receipts} == {
        ("billing/1", "skipped"), ("sales/1", "confirmed"),
    }  # fmt: skip
    assert until(lambda: bench.pulled) < 1
    assert isinstance(bench.pulled[0].pull, Disarmed)


def test_the_brake_is_looked_at_immediately_before_the_act(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = Recorder()
    bench = make(hook)
    append = bench.log.append

    def pulled_last(record: Any) -> None:
        append(record)
        if type(record).__name__ == "Attempt":  # nothing is written between this record and the act
            Brake(bench.brake.path.parent).disarm("ann")

    monkeypatch.setattr(bench.log, "append", pulled_last)
    bench.executor.submit(order())
    assert bench.done() == [("kill", "skipped")]
    assert hook.count("apply") == 0


def test_arming_lifts_the_brake_and_a_persons_later_order_passes_it(make: Make) -> None:
    hook = Recorder()
    bench = make(hook)
    bench.brake.disarm("ann")
    bench.executor.submit(order("c1", "billing/1"))
    bench.executor.submit(order("c2", "billing/2"), by_person=True)
    bench.done()
    bench.brake.arm("ann", role="billing")
    bench.executor.submit(order("c3", "billing/3"))
    bench.executor.submit(order("c4", "sales/1", role="sales"))
    bench.done()
    assert {receipt.containment: receipt.outcome for receipt in bench.receipts} == {
        "c1": "skipped", "c2": "confirmed", "c3": "confirmed", "c4": "skipped",
    }  # fmt: skip


def test_release_all_undoes_within_a_second_what_was_ordered_since_then(make: Make, tmp_path: Path) -> None:
    hook = Recorder()
    bench = make(hook)
    bench.executor.submit(order("c1", "billing/1"))
    bench.done()
    Brake(tmp_path).release("ann", since=time.time() + 60)  # nothing is as young
    until(lambda: bench.pulled)
    assert hook.count("undo") == 0
    Brake(tmp_path).release("ann", since=time.time() - 600)
    assert until(lambda: hook.count("undo")) < 1
    assert bench.done() == [("kill", "confirmed"), ("release", "undone")]
    bench.executor.submit(order("c2", "billing/1"))  # decided after it: a new step
    assert bench.done()[2:] == [("kill", "confirmed")]


def test_the_brake_pulled_while_the_daemon_is_down_is_obeyed_first(make: Make, tmp_path: Path) -> None:
    hook = Recorder()
    bench = make(hook)
    bench.executor.submit(order())
    bench.done()
    bench.stop()
    Brake(tmp_path).release("ann", since=time.time() - 600)
    again = make(hook)
    until(lambda: hook.count("undo"))
    assert again.done() == [("release", "undone")]
    assert [found.pull.by for found in again.pulled] == ["ann"]
    third = make(hook)
    time.sleep(0.3)
    assert third.pulled == []


def test_a_line_of_the_brake_that_cannot_be_read_stops_everything(make: Make, tmp_path: Path) -> None:
    (tmp_path / "brake.jsonl").write_bytes(b'{"brake": "disarm", "by"')
    bench = make(Recorder())
    bench.executor.submit(order())
    assert bench.done() == [("kill", "skipped")]
    Brake(tmp_path).arm("ann", role="billing")
    bench.executor.submit(order("c2"))
    assert bench.done()[1:] == [("kill", "confirmed")]


def test_the_brake_needs_its_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Brake(tmp_path / "nowhere").disarm("ann")


# -- real processes, and kill -9


def test_a_real_agent_is_stopped_and_no_other(make: Make, tmp_path: Path) -> None:
    registry = tmp_path / "agents"
    registry.mkdir()
    code = f"import time\nwhile True: open({str(tmp_path)!r} + '/rows', 'a').write('deleted\\n'); time.sleep(0.01)"
    agents = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    try:
        for n, agent in enumerate(agents):
            name = _process.file_name("", f"billing/{n}")
            (registry / name).write_text(_process.registration(agent.pid))
        bench = make(ExecHook(ExecSettings(process=ProcessSettings(registry=registry))))
        bench.executor.submit(order(agent="billing/0"))
        assert bench.done() == [("kill", "confirmed")]
        assert agents[0].wait(5) != 0
        assert agents[1].poll() is None
    finally:
        for agent in agents:
            agent.kill()
            agent.wait()


def test_killed_at_every_record_each_action_is_executed_once_and_its_outcome_known(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, str(CRASHES), str(tmp_path)], capture_output=True, check=True, text=True, timeout=100,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(told) == 2 * 10
    for life in told:
        assert life["crashed"], life
        assert life["applied"] == ["c1"], life
        assert life["undone"] == ["c1"], life
        assert life["outcomes"] == [["kill", "confirmed"], ["release", "undone"]], life
