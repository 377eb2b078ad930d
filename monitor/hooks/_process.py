"""A process named so that no other is ever hit: by its pid and the time at which it started."""

from __future__ import annotations

import os
import select
import signal
import stat
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from monitor.hooks.base import HookError

#: files looked through to see whether a process is registered for several agents
REGISTERED_MAX = 10_000
#: after SIGKILL the kernel needs no longer than this, unless the process hangs in it
KILL_SECONDS_MAX = 5.0


class Process(NamedTuple):
    """A pid and the start time of its process, in clock ticks since boot (field 22 of /proc/PID/stat)."""

    pid: int
    start: int

    def runs(self) -> bool:
        """This very process is there and not yet dead."""
        return started(self.pid) == self.start


def started(pid: int) -> int | None:
    """Start time of the process that has this pid now; None when there is none, or only its unburied rest."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


def registration(pid: int) -> str:
    """What an agent's file in the registry says of this process. Raises HookError when it does not run."""
    start = started(pid)
    if start is None:
        raise HookError(f"no process {pid} runs")
    return f"{pid} {start}\n"


def file_name(tenant: str, agent: str) -> str:
    """Name of an agent's file: percent-encoded, the tenant before it where there is one."""
    return quote(f"{tenant}/{agent}" if tenant else agent, safe="")


def read(path: Path) -> Process:
    """The process that the file names: `PID START`, or `PID` alone. Raises HookError when it is not this one any more."""
    try:
        held = path.stat()
        words = path.read_text(encoding="ascii").split()
        pid, start = int(words[0]), int(words[1]) if len(words) > 1 else None
    except (OSError, ValueError, IndexError) as problem:
        raise HookError(f"{path} names no process: {problem}") from None
    if held.st_mode & stat.S_IWOTH:
        raise HookError(f"{path} can be written by anybody: chmod o-w")
    if pid <= 1 or pid == os.getpid():
        raise HookError(f"{path} names process {pid}, which is never an agent")
    found = started(pid)
    if found is None or start not in (None, found):
        raise HookError(f"{path} names process {pid}, which does not run any more")
    if start is None and _wall(found) > held.st_mtime + 1.0:
        raise HookError(f"{path} names process {pid}, but the one that has this pid now started after it was written")
    return Process(pid, found)


def sharers(process: Process, own: Path, registered: list[Path]) -> list[str]:
    """Other files that name the same process."""
    if len(registered) > REGISTERED_MAX:
        raise HookError(f"more than {REGISTERED_MAX} files beside {own}")
    names = []
    for path in registered:
        try:
            if path != own and read(path) == process:
                names.append(path.name)
        except HookError:
            continue  # a file that names no living process shares none
    return sorted(names)


def end(process: Process, grace_seconds: float) -> str:
    """SIGTERM, after the grace SIGKILL, to this very process; says what it took. Raises HookError when it lives on."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return "was gone"
    try:
        # the handle is of whoever has the pid now and stays that one's: only now is the start time proof
        if not process.runs():
            return "was gone"
        if _signalled(handle, signal.SIGTERM, grace_seconds):
            return "ended on SIGTERM"
        if _signalled(handle, signal.SIGKILL, KILL_SECONDS_MAX):
            return "ended on SIGKILL"
    finally:
        os.close(handle)
    raise HookError(f"process {process.pid} lives on after SIGKILL")


def _signalled(handle: int, number: signal.Signals, seconds: float) -> bool:
    try:
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return True
    except PermissionError:
        raise HookError(f"not permitted to send {number.name}") from None
    waiting = select.poll()
    waiting.register(handle, select.POLLIN)
    return bool(waiting.poll(seconds * 1000))


def _wall(start: int) -> float:
    """Epoch seconds of a start time."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + start / os.sysconf("SC_CLK_TCK")
