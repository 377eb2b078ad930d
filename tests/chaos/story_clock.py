"""The time of a story, shared between processes: eight bytes in a file, which survive whoever reads them."""

from __future__ import annotations

import mmap
import struct
import time
from pathlib import Path

_NUMBER = struct.Struct("<d")


class StoryClock:
    """A `Clock` whose epoch seconds stand in a file. They stand still until somebody moves them on, and never go back."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_NUMBER.pack(0.0))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _NUMBER.size)

    def set(self, now: float) -> None:
        """It is this time now, for all who look."""
        if now > self.time():
            _NUMBER.pack_into(self._shared, 0, now)

    def time(self) -> float:
        """Epoch seconds of the story."""
        found: float = _NUMBER.unpack_from(self._shared, 0)[0]
        return found

    def monotonic(self) -> float:
        """The machine's own."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait in real time."""
        time.sleep(seconds)
