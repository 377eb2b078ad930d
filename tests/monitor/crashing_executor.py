"""Runs an executor that is killed (-9) before or after its n-th record, then one that recovers; says what happened.

The hook acts by adding a line to a file, which tells an action that was executed twice from one executed once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).parents[2]))

from detectors.core.inputs import Receipt
from monitor.brake import Brake
from monitor.executor import Executor
from monitor.hooks.base import Order, Plan, StepName
from monitor.intent_log import IntentLog
from monitor.intents import Record

RECORDS = 10  # intent, attempt, done, verified, finished, reported; release, undone, finished, reported
ORDER = Order("c1", 1.0, "", "billing/1", "billing", "kill", 1234.0, "reached")


class Lines:
    kind: ClassVar[str] = "lines"
    name = "lines"
    steps: tuple[StepName, ...] = ("kill",)
    deadline_seconds = 5.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def told(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().split() if path.exists() else []

    def add(self, name: str, line: str) -> None:
        with (self.folder / name).open("a") as out:
            out.write(f"{line}\n")

    def plan(self, order: Order) -> Plan:
        return Plan("add a line", ("the file",))

    def apply(self, order: Order, plan: Plan) -> dict[str, Any]:
        self.add("applied", order.id)
        return {}

    def verify(self, order: Order, plan: Plan) -> bool | None:
        return order.id in self.told("applied")

    def undo(self, order: Order, plan: Plan, done: dict[str, Any]) -> None:
        if order.id not in self.told("undone"):  # as the contract of hooks asks
            self.add("undone", order.id)


class Crashing(IntentLog):
    """Dies at a record."""

    crash = 0
    after = False
    written = 0

    def append(self, record: Record) -> None:
        self.written += 1
        if self.written == self.crash and not self.after:
            os.kill(os.getpid(), signal.SIGKILL)
        super().append(record)
        if self.written == self.crash and self.after:
            os.kill(os.getpid(), signal.SIGKILL)


def live(folder: Path, crash: int, *, after: bool) -> None:
    def report(receipt: Receipt) -> None:
        with (folder / "receipts").open("a") as out:
            out.write(json.dumps([receipt.step, receipt.outcome, receipt.time]) + "\n")

    log = Crashing(folder / "log")
    log.crash, log.after = crash, after
    executor = Executor(log, Brake(folder), (Lines(folder),), report, pause_seconds=0.01)
    executor.start()
    executor.submit(ORDER)  # as the daemon does that decides again after a crash: the id makes it one
    executor.idle(20)
    executor.release("", "billing/1", why="released")
    executor.idle(20)
    executor.check()
    executor.stop()


def run(folder: Path, crash: int, *, after: bool) -> bool:
    """In a process of its own; True when it was killed."""
    child = os.fork()
    if not child:
        status = 1
        try:
            live(folder, crash, after=after)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), status
    return status != 0


def main(folder: Path) -> None:
    for crash in range(1, RECORDS + 1):
        for after in (False, True):
            place = folder / f"{crash}{'after' if after else 'before'}"
            place.mkdir()
            crashed = run(place, crash, after=after)
            assert not run(place, 0, after=False)
            hook = Lines(place)
            receipts = {tuple(json.loads(line)) for line in (place / "receipts").read_text().splitlines()}
            sys.stdout.write(json.dumps({
                "place": place.name, "crashed": crashed, "applied": hook.told("applied"), "undone": hook.told("undone"),
                "outcomes": sorted(receipt[:2] for receipt in receipts),
            }) + "\n")  # fmt: skip


main(Path(sys.argv[1]))
