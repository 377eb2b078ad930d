"""`driftd run`: the daemon until it is told to stop."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from monitor import logs
from monitor.clock import SystemClock
from monitor.daemon.loop import Daemon

if TYPE_CHECKING:
    from monitor.config import Settings


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT: what is under way is finished, the state is written, the exit status is 0."""
    logs.configure()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    daemon = Daemon(settings, clock=SystemClock())
    with daemon:
        logs.get("driftd").info("ready", url=daemon.url, state_dir=str(settings.state_dir))
        while not stopping.is_set():
            daemon.step(0.2)
