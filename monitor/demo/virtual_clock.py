"""Time as the stories have it: set from outside while they are told, running by itself while a real process acts."""

from __future__ import annotations

import time


class VirtualClock:
    """A `Clock` whose epoch seconds stand still until they are set, or run at the machine's pace from `run` on."""

    def __init__(self, start: float) -> None:
        self._at = start
        self._since: float | None = None

    def set(self, now: float) -> None:
        """It is this time now. Never goes back."""
        self._at = max(self._at, now)

    def run(self) -> None:
        """From here on a second is a second."""
        self._since = time.monotonic()

    def time(self) -> float:
        """Epoch seconds of the story."""
        return self._at if self._since is None else self._at + time.monotonic() - self._since

    def monotonic(self) -> float:
        """The machine's own: what waits for hooks and disks waits in real time."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait in real time."""
        time.sleep(seconds)
