"""Shares out what is due: one worker for each sink, so that a receiver that hangs delays nobody else.

The schedule is durable: it stands in the storage, and a restart goes on with it. What was delivered and could not be
written down is written down later; only a crash in between, or an answer that got lost, makes a duplicate.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence

from monitor.clock import Clock, SystemClock
from monitor.outbox.lane import Lane, Surroundings
from monitor.outbox.waiting import Due, Waiting, Watcher
from monitor.sinks.base import Sink
from monitor.storage.errors import StorageUnavailable

#: messages of one sink that are taken from the storage at once
BATCH = 32
#: how often an outbox in which nothing was put is looked at, in seconds
IDLE_SECONDS = 0.5
#: a try that takes longer than this is reported; a sink should have cut it off long before
HANGS_SECONDS = 60.0


class Delivery:
    """The threads that deliver. `wake` after each commit, `check` now and then, `stop` at the end."""

    def __init__(
        self,
        waiting: Waiting,
        sinks: Sequence[Sink],
        watcher: Watcher,
        *,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._waiting, self._watcher = waiting, watcher
        self._clock = clock or SystemClock()
        self._stopping, self._awake = threading.Event(), threading.Event()
        around = Surroundings(waiting, watcher, self._clock, chance, self._awake.set)
        self._lanes = {sink.name: Lane(sink, around) for sink in sinks}
        self._threads = [self._thread("outbox", self._run)]
        self._threads += [self._thread(f"sink-{name}", lane.run) for name, lane in self._lanes.items()]
        self._unknown: set[str] = set()
        self._crash: Exception | None = None

    def start(self) -> None:
        """Begin to deliver."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Something was put in: look now."""
        self._awake.set()

    def check(self) -> None:
        """Raise what ended one of the threads: a bug, or a second daemon at the same outbox. For the daemon's loop."""
        if self._crash is not None:
            raise self._crash

    def down(self) -> dict[str, str]:
        """The sinks that cannot be reached, and why."""
        return {name: lane.circuit.problem for name, lane in self._lanes.items() if lane.circuit.is_reported}

    def stop(self, seconds_max: float = 5) -> bool:
        """Stop after the tries under way; False when one still hangs. What was not delivered stays in the outbox."""
        self._stopping.set()
        self._awake.set()
        for lane in self._lanes.values():
            lane.end()
        end = self._clock.monotonic() + seconds_max
        for thread in self._threads:
            thread.join(max(0.0, end - self._clock.monotonic()))
        ended = not any(thread.is_alive() for thread in self._threads)
        for lane in self._lanes.values() if ended else ():
            lane.sink.close()
        return ended

    def _thread(self, name: str, run: Callable[[], None]) -> threading.Thread:
        def body() -> None:
            try:
                run()
            except Exception as error:  # noqa: BLE001 - raised again by `check`
                self._crash = error

        return threading.Thread(target=body, name=name, daemon=True)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._awake.clear()
            self._report_hanging()
            if not self._share_out():
                self._awake.wait(IDLE_SECONDS)

    def _share_out(self) -> bool:
        """Give idle workers what is due; whether there was anything to give."""
        now = self._clock.time()
        ready = {name: lane for name, lane in self._lanes.items() if lane.may_take(now)}
        if not ready:
            return False
        try:
            due = list(self._waiting.due(now, BATCH))
        except StorageUnavailable:
            return False  # the daemon says so; here it is only a reason to wait
        turns: dict[str, list[Due]] = {}
        for one in due:
            if one.sink in ready:
                turns.setdefault(one.sink, []).append(one)
            elif one.sink not in self._lanes and one.sink not in self._unknown:
                self._unknown.add(one.sink)
                self._watcher.down(one.sink, "messages wait for it, and no sink of this name is set")
        for name, turn in turns.items():
            ready[name].give(turn)
        return bool(turns)

    def _report_hanging(self) -> None:
        for lane in self._lanes.values():
            began = lane.began
            hangs = began is not None and self._clock.monotonic() - began > HANGS_SECONDS
            if hangs and lane.circuit.hangs():
                self._watcher.down(lane.name, lane.circuit.problem)
