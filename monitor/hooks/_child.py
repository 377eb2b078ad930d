"""A command run with a deadline, a bounded environment and bounded output; never through a shell."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import IO, NamedTuple, Self

from monitor.hooks.base import HookError

CHUNK_BYTES = 65_536


class Ended(NamedTuple):
    """Exit status and the first bytes of what was written."""

    status: int
    output: bytes
    errors: bytes


def run(
    arguments: Sequence[str], given: bytes, *, environment: Mapping[str, str], seconds: float, bytes_max: int
) -> Ended:
    """Run it with `given` on standard input. At the deadline its whole group is killed. Raises HookError."""
    try:
        child = subprocess.Popen(  # noqa: S603 - an argument list of the operator's settings, without a shell
            list(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(environment), cwd="/", start_new_session=True,
        )  # fmt: skip
    except OSError as problem:
        raise HookError(f"{arguments[0]}: {problem.strerror}") from None
    with child, _Pipes(child, given, bytes_max) as pipes:
        try:
            if not pipes.pump(time.monotonic() + seconds):
                raise HookError(f"{arguments[0]} did not end within {seconds:g} s and was killed")
        finally:
            if child.poll() is None:  # unburied, so that its group's number is still its own
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
    return Ended(child.returncode, bytes(pipes.kept[child.stdout]), bytes(pipes.kept[child.stderr]))


class _Pipes:
    """Feeds the input and keeps the first bytes of both outputs; the rest is read and dropped."""

    def __init__(self, child: subprocess.Popen[bytes], given: bytes, bytes_max: int) -> None:
        assert child.stdin is not None  # noqa: S101 - all three are pipes
        assert child.stdout is not None  # noqa: S101
        assert child.stderr is not None  # noqa: S101
        self._child, self._input, self._left, self._bytes_max = child, child.stdin, memoryview(given), bytes_max
        self.kept: dict[IO[bytes] | None, bytearray] = {child.stdout: bytearray(), child.stderr: bytearray()}
        self._selector = selectors.DefaultSelector()
        for pipe, events in (
            (child.stdin, selectors.EVENT_WRITE),
            (child.stdout, selectors.EVENT_READ),
            (child.stderr, selectors.EVENT_READ),
        ):
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, events)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()

    def pump(self, deadline: float) -> bool:
        """Until the child has ended; False at the deadline (monotonic seconds)."""
        while self._child.poll() is None:
            if (left := deadline - time.monotonic()) <= 0:
                return False
            self._turn(min(left, 0.05))
        # what a surviving grandchild writes is nobody's: take what is there and go
        while self._turn(0.0):
            pass
        return True

    def _turn(self, seconds: float) -> bool:
        if not self._selector.get_map():
            time.sleep(seconds)
            return False
        moved = False
        for key, _ in self._selector.select(seconds):
            moved |= self._feed() if key.fileobj is self._input else self._keep(key.fileobj)  # type: ignore[arg-type]
        return moved

    def _feed(self) -> bool:
        try:
            self._left = self._left[os.write(self._input.fileno(), self._left[:CHUNK_BYTES]) :]
        except BlockingIOError:
            return False
        except BrokenPipeError:
            self._left = self._left[:0]
        if not self._left:
            self._selector.unregister(self._input)
            self._close_input()
        return bool(self._left)

    def _close_input(self) -> None:
        try:
            self._input.close()
        except BrokenPipeError:
            return  # it does not listen, which is its right

    def _keep(self, pipe: IO[bytes]) -> bool:
        try:
            read = os.read(pipe.fileno(), CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not read:
            self._selector.unregister(pipe)
            return False
        kept = self.kept[pipe]
        room = self._bytes_max - len(kept)
        kept += read[:room]
        return room > 0  # after the end, a flood is not waited for
