"""The kill path: an order is on disk, then carried out, checked and reported; neither database nor network is needed.

A failed or resisting hook is reported as failed. It never leads to a harder step.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Condition, Event, Thread

from detectors.core.inputs import Receipt
from monitor.acting import Acting
from monitor.brake import Brake, Found, Released
from monitor.budget import Budget, Holding
from monitor.clock import Clock, SystemClock
from monitor.hooks.base import Hook, Order
from monitor.intent_log import IntentLog
from monitor.intents import Finished, Intent, Obeyed, OrderState, Outcome, Release, Reported

Report = Callable[[Receipt], None]
#: agents worked on at once; what waits is in the intent log
LANES_MAX = 16
POLL_SECONDS = 0.1
UNBOUNDED = 1 << 30


class Executor:
    """Carries out orders. `report` gets every receipt at least once, `pulled` every new line of the brake file."""

    def __init__(
        self, log: IntentLog, brake: Brake, hooks: Sequence[Hook], report: Report, *, clock: Clock | None = None,
        pulled: Callable[[Found], None] | None = None, budget: Budget | None = None, tries: int = 5,
        pause_seconds: float = 0.2,
    ) -> None:  # fmt: skip
        """`tries` bounds verify and undo, with pauses that double from `pause_seconds`."""
        self._log, self._brake, self._report = log, brake, report
        self._clock, self._pulled, self._budget = clock or SystemClock(), pulled, budget or Budget()
        self._acting = Acting(log, brake, hooks, self._clock, tries, pause_seconds)
        self._pool = ThreadPoolExecutor(LANES_MAX, thread_name_prefix="contain")
        self._lanes: dict[tuple[str, str], deque[str]] = {}
        self._quiet = Condition()
        self._stalled: list[str] = []
        self._stopping = Event()
        self._broken: BaseException | None = None
        #: why orders wait, when they do: the intent log or the brake file cannot be used
        self.problem: str | None = None
        self._thread = Thread(target=self._watch, name="executor", daemon=True)
        for state in log.orders.values():
            self._count(state)

    def start(self) -> None:
        """Take up what a crash interrupted, and watch the brake."""
        for state in self._log.recover():
            self._enqueue(state.intent.order)
        self._thread.start()

    def stop(self) -> None:
        """Finish what was begun; every verb has its deadline."""
        self._stopping.set()
        self._thread.join()
        self._pool.shutdown(wait=True)

    def check(self) -> None:
        """Raise what broke a worker: a bug, or what `report` raised."""
        if self._broken is not None:
            raise self._broken

    def idle(self, seconds: float) -> bool:
        """Wait until nothing is under way; False when it took longer."""
        with self._quiet:
            return self._quiet.wait_for(lambda: not self._lanes and not self._stalled, seconds)

    def submit(
        self, order: Order, *, by_person: bool = False, role_size: int = UNBOUNDED, ratified_agents: int = UNBOUNDED
    ) -> bool:
        """Durable and counted when it returns; False when this id was submitted before, by whichever life of this.

        Over the budget of this daemon it is reported as skipped, with a detail that begins with `budget`. Raises
        OSError when it cannot be made durable; then nothing is done.
        """
        with self._log.lock:
            if order.id in self._log.orders:
                return False
            now, refused = self._clock.time(), None
            if order.step != "throttle":
                holding = Holding(order.tenant, order.agent, order.role)
                refused = self._budget.refuses(now, holding, role_size, ratified_agents)
            intent = Intent(order, now, time.time(), self._brake.size(), by_person, refused and f"budget: {refused}")
            self._log.append(intent)
            self._count(self._log.orders[order.id])
        self._enqueue(order)
        return True

    def ordered(self, id_: str) -> bool:
        """Whether an order with this id was ever submitted, by whichever life of this."""
        return id_ in self._log.orders

    def release(
        self, tenant: str, agent: str, *, containment: str | None = None, why: str = "released"
    ) -> tuple[str, ...]:
        """End one containment of an agent, or all: undone where carried out, never carried out again. Their ids."""
        with self._log.lock:
            ending = [
                state for id_, state in self._log.orders.items()
                if (state.intent.order.tenant, state.intent.order.agent) == (tenant, agent)
                and state.release is None and containment in (None, id_)
            ]  # fmt: skip
            for state in ending:
                self._let_go(state, why)
        return tuple(state.intent.order.id for state in ending)

    # -- lanes: one agent's orders one after the other, agents beside each other

    def _enqueue(self, order: Order) -> None:
        key = (order.tenant, order.agent)
        with self._quiet:
            if key in self._lanes:
                self._lanes[key].append(order.id)
                return
            self._lanes[key] = deque([order.id])
        self._pool.submit(self._drive, key)

    def _drive(self, key: tuple[str, str]) -> None:
        while True:
            with self._quiet:
                if not self._lanes[key]:
                    del self._lanes[key]
                    self._quiet.notify_all()
                    return
                id_ = self._lanes[key].popleft()
            try:
                self._run(self._log.orders[id_])
            except OSError as problem:  # the log or the brake cannot be used: nothing is done until they can
                self.problem = str(problem)
                with self._quiet:
                    self._stalled.append(id_)
            except BaseException as problem:  # noqa: BLE001 - raised where somebody sees it: in `check`
                self._broken = problem

    def _run(self, state: OrderState) -> None:
        if state.receipt is None:
            self._finish(state, *self._acting.carry_out(state))
        if not state.reported and state.receipt is not None:
            self._report(state.receipt)
            self._log.append(Reported(state.intent.order.id, release=False))
        if state.release is None:
            return
        if state.release_receipt is None:
            self._finish(state, *self._acting.take_back(state), release=True)
        if not state.release_reported and state.release_receipt is not None:
            self._report(state.release_receipt)
            self._log.append(Reported(state.intent.order.id, release=True))

    def _finish(self, state: OrderState, outcome: Outcome, detail: str, *, release: bool = False) -> None:
        order = state.intent.order
        step = "release" if release else order.step
        receipt = Receipt(order.id, self._clock.time(), order.tenant, order.agent, step, outcome, detail)
        self._log.append(Finished(receipt))

    def _count(self, state: OrderState) -> None:
        """Into the budget, before anything is done."""
        order, intent = state.intent.order, state.intent
        skipped = intent.refused is not None or (state.receipt is not None and state.receipt.outcome == "skipped")
        if order.step == "throttle" or skipped:
            return
        self._budget.spend(order.id, intent.time, Holding(order.tenant, order.agent, order.role))
        if state.release is not None:
            self._budget.free(order.tenant, order.agent)

    # -- the brake

    def _watch(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            try:
                self._obey()
                with self._quiet:
                    stalled, self._stalled = self._stalled, []
                for id_ in stalled:
                    self._enqueue(self._log.orders[id_].intent.order)
                    self.problem = None
            except OSError as problem:
                self.problem = str(problem)
            except BaseException as problem:  # noqa: BLE001 - raised where somebody sees it: in `check`
                self._broken = problem
                return

    def _obey(self) -> None:
        for found in self._brake.found():
            if found.end <= self._log.obeyed:
                continue
            if isinstance(found.pull, Released):
                with self._log.lock:
                    for state in self._log.orders.values():
                        intent = state.intent
                        if state.release is None and intent.at >= found.pull.since and intent.brake < found.end:
                            self._let_go(state, f"released by {found.pull.by}")
            if self._pulled is not None:
                self._pulled(found)
            self._log.append(Obeyed(found.end))

    def _let_go(self, state: OrderState, why: str) -> None:
        order = state.intent.order
        self._log.append(Release(order.id, why))
        others = [
            other for other in self._log.orders.values()
            if (other.intent.order.tenant, other.intent.order.agent) == (order.tenant, order.agent)
            and other.release is None
        ]  # fmt: skip
        if not others:
            self._budget.free(order.tenant, order.agent)
        self._enqueue(order)
