"""One order with its hooks: plan, look at the brake, act, verify; or undo. Every step of it is in the intent log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore, Thread
from typing import Any, TypeVar

from monitor.brake import Brake
from monitor.clock import Clock
from monitor.hooks.base import Hook, HookError, Order, Plan
from monitor.intent_log import IntentLog
from monitor.intents import Act, Attempt, Done, Failed, OrderState, Outcome, Undone, Verified, outcome_of

T = TypeVar("T")
#: calls of one hook that may hang before it is not called any more
VERBS_MAX = 16
#: beyond a hook's own deadline
GRACE_SECONDS = 1.0


class _Braked(Exception):
    """A person stopped it before it acted."""


class Acting:
    """Carries orders out and takes them back; hooks work beside each other, each with its own deadline."""

    def __init__(
        self, log: IntentLog, brake: Brake, hooks: Sequence[Hook], clock: Clock, tries: int, pause_seconds: float
    ) -> None:
        """`tries` bounds verify and undo, with pauses that double from `pause_seconds`."""
        self._log, self._brake, self._hooks, self._clock = log, brake, tuple(hooks), clock
        self._tries, self._pause_seconds = tries, pause_seconds
        self._slots = {hook.name: BoundedSemaphore(VERBS_MAX) for hook in hooks}

    def carry_out(self, state: OrderState) -> tuple[Outcome, str]:
        """Plan, act and verify with every hook of the step. Raises OSError when log or brake cannot be used."""
        step = state.intent.order.step
        if state.intent.refused is not None:
            return "skipped", state.intent.refused
        hooks = [hook for hook in self._hooks if step in hook.steps]
        if not hooks:
            return "skipped", f"no hook carries out {step}"
        self._each([hook for hook in hooks if not state.acts.get(hook.name, Act()).ended], self._act, state)
        return outcome_of(state.acts)

    def _each(self, hooks: list[Hook], verb: Callable[[Hook, OrderState], None], state: OrderState) -> None:
        """All hooks at once; raises what one raised when all have ended."""
        if len(hooks) == 1:
            verb(hooks[0], state)
        elif hooks:
            with ThreadPoolExecutor(len(hooks)) as pool:
                list(pool.map(lambda hook: verb(hook, state), hooks))

    def _act(self, hook: Hook, state: OrderState) -> None:
        order, act = state.intent.order, state.acts.get(hook.name, Act())
        interrupted = act.plan is not None
        try:
            plan = act.plan or self._planned(hook, order)
            if act.done is None and not (interrupted and self._did(hook, order, plan)):
                self._heed(state)
                if not interrupted:
                    self._log.append(Attempt(order.id, hook.name, plan))
                    self._heed(state)
                self._log.append(Done(order.id, hook.name, self._call(hook, hook.apply, order, plan)))
            self._log.append(Verified(order.id, hook.name, self._verified(hook, order, plan)))
        except _Braked as stopped:
            # an attempt that was interrupted may have acted: nobody can say that it was skipped
            self._log.append(Failed(order.id, hook.name, str(stopped), braked=not interrupted))
        except HookError as problem:
            self._log.append(Failed(order.id, hook.name, str(problem)))

    def _planned(self, hook: Hook, order: Order) -> Plan:
        plan = self._call(hook, hook.plan, order)
        if not plan.exclusive:
            raise HookError(f"nothing is this agent's alone: {plan.text}")
        return plan

    def _did(self, hook: Hook, order: Order, plan: Plan) -> bool:
        """An attempt of an earlier life had worked; if nobody knows it is made again, by the same plan and id."""
        if not self._call(hook, hook.verify, order, plan):
            return False
        self._log.append(Done(order.id, hook.name, {}))
        return True

    def _heed(self, state: OrderState) -> None:
        """The last look before an act. Raises _Braked."""
        intent = state.intent
        if state.release is not None:
            raise _Braked(state.release)
        stopped = self._brake.refuses(
            intent.order.tenant, intent.order.role, at=intent.at, after=intent.brake, by_person=intent.by_person
        )
        if stopped is not None:
            raise _Braked(stopped)

    def _verified(self, hook: Hook, order: Order, plan: Plan) -> bool | None:
        worked: bool | None = None
        for attempt in range(self._tries):
            if attempt:
                self._clock.sleep(self._pause_seconds * 2 ** (attempt - 1))
            worked = self._call(hook, hook.verify, order, plan)
            if worked:
                break
        return worked

    def take_back(self, state: OrderState) -> tuple[Outcome, str]:
        """Undo with every hook that may have acted. Raises OSError as above."""
        acted = [hook for hook in self._hooks if (act := state.acts.get(hook.name)) and act.plan and not act.undone]
        self._each(acted, self._undo, state)
        problems = {
            name: act.undo_problem or "its hook is not attached any more"
            for name, act in sorted(state.acts.items()) if act.plan and not act.undone and not act.braked
        }  # fmt: skip
        if problems:
            return "failed", "; ".join(f"{name}: {problem}" for name, problem in problems.items())
        return "undone", state.release or ""

    def _undo(self, hook: Hook, state: OrderState) -> None:
        order, act = state.intent.order, state.acts[hook.name]
        if act.plan is None or act.braked:
            return
        problem = ""
        for attempt in range(self._tries):
            if attempt:
                self._clock.sleep(self._pause_seconds * 2 ** (attempt - 1))
            try:
                self._call(hook, hook.undo, order, act.plan, act.done or {})
            except HookError as raised:
                problem = str(raised)
            else:
                self._log.append(Undone(order.id, hook.name))
                return
        self._log.append(Failed(order.id, hook.name, problem, undo=True))

    def _call(self, hook: Hook, verb: Callable[..., T], *given: Any) -> T:
        """Call a verb in a thread of its own, so that one that hangs costs its deadline and nothing else."""
        slot, answer = self._slots[hook.name], Future[T]()
        if not slot.acquire(timeout=hook.deadline_seconds):
            raise HookError(f"{VERBS_MAX} earlier calls hang")
        Thread(target=_answer, args=(answer, slot, verb, given), name=f"hook {hook.name}", daemon=True).start()
        try:
            return answer.result(hook.deadline_seconds + GRACE_SECONDS)
        except HookError:
            raise
        except TimeoutError:
            raise HookError(f"no answer within {hook.deadline_seconds:g} s") from None
        except Exception as problem:  # a hook that raises costs its own part and is reported
            raise HookError(f"{type(problem).__name__}: {problem}") from problem


def _answer(answer: Future[T], slot: BoundedSemaphore, verb: Callable[..., T], given: tuple[Any, ...]) -> None:
    try:
        result = verb(*given)
    except BaseException as problem:  # noqa: BLE001 - it is raised where the answer is awaited
        answer.set_exception(problem)
    else:
        answer.set_result(result)
    finally:
        slot.release()
