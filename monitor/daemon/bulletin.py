"""What driftd says of itself and its sources: alerts like those about agents, durable, in order, sent to every sink.

Lines wait while the storage is away. Deliveries speak, too, from threads of their own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import RLock

from monitor import logs
from monitor.clock import Clock
from monitor.daemon.notices import Entity, Notices
from monitor.daemon.verdicts import Lines, fill
from monitor.findings import Alert, Level
from monitor.metrics import Metrics
from monitor.pipeline import Said
from monitor.sinks.base import Message
from monitor.storage.decision import Verdict
from monitor.storage.errors import StorageUnavailable
from monitor.storage.store import Store


class Bulletin:
    """Raises and resolves notices, and watches the deliveries. `wake` is called when something is to be delivered."""

    def __init__(self, store: Store, sinks: Sequence[str], metrics: Metrics, clock: Clock,
                 wake: Callable[[], None]) -> None:
        self._store, self._sinks, self._metrics, self._clock, self._wake = store, tuple(sinks), metrics, clock, wake
        self._notices, self._waiting = Notices(), deque[Alert]()
        self._lock = RLock()
        self._log = logs.get("driftd")

    def take_up(self) -> None:
        """Go on with what an earlier life left open."""
        for opened in self._store.queries.open_alerts():
            if isinstance(opened.finding, Alert) and opened.finding.entity in ("source", "daemon"):
                self._notices.take_up(opened.finding)

    def raised(self, entity: Entity, name: str, problem: str, sentence: str, level: Level = "page") -> None:
        """Something is wrong: said once until it is over."""
        with self._lock:
            line = self._notices.raised(entity, name, problem, sentence, self._clock.time(), level)
            if line is not None:
                self._say(line)

    def over(self, entity: Entity, name: str, problem: str) -> None:
        """It is over; nothing is said when it was not said before."""
        with self._lock:
            line = self._notices.over(entity, name, problem, self._clock.time())
            if line is not None:
                self._say(line)

    def write(self) -> None:
        """Write down the lines that wait. Raises StorageUnavailable."""
        with self._lock:
            while self._waiting:
                lines = Lines(lambda id_: len(self._store.queries.alert(id_)))
                said = [Said(self._waiting[0])]
                self._store.record(fill(Verdict(), said, lines, self._sinks, self._clock.time()))
                self._waiting.popleft()
                self._wake()

    def _say(self, line: Alert) -> None:
        self._waiting.append(line)
        try:
            self.write()
        except StorageUnavailable as error:
            self._log.error("notice waits", agent=line.agent, why=line.why, problem=error.problem)

    # -- who watches deliveries (called from their threads)

    def attempted(self, sink: str, outcome: str) -> None:
        """One try of a delivery."""
        self._metrics.outbox_attempts.labels(sink, outcome).inc()

    def down(self, sink: str, problem: str) -> None:
        """A receiver takes nothing any more."""
        self._metrics.sink_down.labels(sink).set(1)
        self.raised("daemon", f"sink {sink}", "unreachable", problem)

    def up(self, sink: str) -> None:
        """A receiver takes again."""
        self._metrics.sink_down.labels(sink).set(0)
        self.over("daemon", f"sink {sink}", "unreachable")

    def dropped(self, sink: str, message: Message, problem: str) -> None:
        """A message was given up."""
        self.raised("daemon", f"sink {sink}", f"dropped {message.id}", problem)
