"""One sink with its worker: tries its messages in order, and writes down what became of each."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from monitor.clock import Clock
from monitor.outbox.circuit import Circuit, backoff_seconds
from monitor.outbox.urgency import is_urgent
from monitor.outbox.waiting import Due, Waiting, Watcher
from monitor.sinks.base import DeliveryError, Gone, Sink
from monitor.storage.errors import StorageUnavailable

#: a message that the receiver refuses and nobody is paged by is dropped after so many tries
REFUSALS_MAX = 10
#: and one that cannot be delivered after so many: about a day
ATTEMPTS_MAX = 300
#: pause before what could not be written down is tried again, in seconds
REWRITE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all lanes share; `chance` gives numbers from 0 to 1, `wake` calls for more messages."""

    waiting: Waiting
    watcher: Watcher
    clock: Clock
    chance: Callable[[], float]
    wake: Callable[[], None]


class Lane:
    """One sink. `run` is the body of its thread; everything else is called by the one that shares out."""

    def __init__(self, sink: Sink, around: Surroundings) -> None:
        self.sink, self.name = sink, sink.name
        self.circuit = Circuit()
        #: when the try under way began, by the monotonic clock
        self.began: float | None = None
        self._around = around
        self._given = threading.Condition()
        self._turn: deque[Due] | None = None
        self._ended = threading.Event()
        self._unwritten: deque[Callable[[], None]] = deque()

    def may_take(self, now: float) -> bool:
        """Whether it waits for messages, and its receiver is worth a try."""
        with self._given:
            return self._turn is None and self.circuit.may_try(now)

    def give(self, turn: Iterable[Due]) -> None:
        """Messages to try, in order."""
        with self._given:
            self._turn = deque(turn)
            self._given.notify()

    def end(self) -> None:
        """No further tries after the one under way."""
        with self._given:
            self._ended.set()
            self._given.notify()

    def run(self) -> None:
        """Take turns until the end."""
        while (turn := self._next()) is not None:
            for due in turn:
                if self._ended.is_set() or self._unwritten or not self._carry(due):
                    break
            # not idle before all is written down: the storage would give the same messages again
            while not self._written() and not self._ended.wait(REWRITE_SECONDS):
                pass
            with self._given:
                self._turn = None
            self._around.wake()

    def _next(self) -> deque[Due] | None:
        with self._given:
            self._given.wait_for(lambda: self._ended.is_set() or self._turn is not None)
            return None if self._ended.is_set() else self._turn

    def _carry(self, due: Due) -> bool:
        """Try one message; whether the next one may be tried at once."""
        if (error := self._tried(due)) is not None:
            return self._failed(due, error)
        message = due.message
        self._note(lambda: self._around.waiting.delivered(message.id, self.name))
        self._around.watcher.attempted(self.name, "delivered")
        if self.circuit.succeeded():
            self._around.watcher.up(self.name)
        return True

    def _tried(self, due: Due) -> DeliveryError | None:
        self.began = self._around.clock.monotonic()
        try:
            self.sink.deliver(due.message)
        except DeliveryError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a sink with a bug costs delay and a report, not the daemon
            return DeliveryError(f"{type(error).__name__}: {error}")
        finally:
            self.began = None
        return None

    def _failed(self, due: Due, error: DeliveryError) -> bool:
        around, message, problem = self._around, due.message, str(error)
        now, attempts = around.clock.time(), due.attempts + 1
        if not is_urgent(message) and attempts >= (ATTEMPTS_MAX if error.retry else REFUSALS_MAX):
            self._note(lambda: around.waiting.give_up(message.id, self.name, problem))
            around.watcher.attempted(self.name, "given_up")
            around.watcher.dropped(self.name, message, problem)
        else:
            retry_at = now + max(error.after_seconds or 0.0, backoff_seconds(attempts, around.chance()))
            self._note(lambda: around.waiting.failed(message.id, self.name, problem, retry_at))
            around.watcher.attempted(self.name, "failed")
        if self.circuit.failed(now, error, around.chance()):
            around.watcher.down(self.name, problem)
        return not (error.retry or isinstance(error, Gone))

    def _note(self, verb: Callable[[], None]) -> None:
        """Write down what became of a message; later, when the storage is away."""
        self._unwritten.append(verb)
        self._written()

    def _written(self) -> bool:
        """Write down what is not written yet; whether nothing is left."""
        try:
            while self._unwritten:
                self._unwritten[0]()
                self._unwritten.popleft()
        except StorageUnavailable:
            return False
        return True
