"""Lives of the daemon for tests that kill it: each a process of its own, forked from one that has imported everything.

`python -m tests.chaos.child` reads one JSON object a line: `{"start": SPEC}` answers `{"pid": N}` and the life goes on
until it is killed or told SIGTERM; `{"wait": N}` answers `{"status": S}` as `waitpid` gives it. SPEC is what `live`
takes. The clock is injected here and nowhere else: no setting exposes it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from detectors.core.inputs import Receipt
from monitor import logs
from monitor.config import load
from monitor.daemon import Daemon, loop
from monitor.sources.base import RawBatch, Source
from tests.chaos.story_clock import StoryClock


def live(spec: dict[str, Any]) -> None:
    """One life. `follow`: the clock goes on with the append times of what is read; otherwise the test moves it.

    `receipts_after`: what became of steps is not heard before this many records of the first source are decided, so
    that it is heard at the same place in every run. `pause_seconds`: between rounds, to be killed in.
    """
    folder = Path(spec["folder"])
    with (folder / "driftd.log").open("a") as log:
        logs.configure("info", log)
        clock = StoryClock(folder / "clock")
        loop.SNAPSHOT_SECONDS = spec.get("snapshot_seconds", 0.2)
        loop.POSITION_SECONDS = spec.get("position_seconds", 0.05)
        settings = load(environment={}, values={"state_dir": str(folder / "state"), **spec["settings"]})
        daemon = Daemon(settings, clock=clock, serve=spec.get("serve", False))
        if spec.get("follow"):
            for source, _ in daemon.sources.values():
                _follow(source, clock)
        if "receipts_after" in spec:
            _hold_receipts(daemon, int(spec["receipts_after"]))
        stopping = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stopping.set())
        with daemon:
            (folder / "url.new").write_text(daemon.url)
            (folder / "url.new").rename(folder / "url")
            while not stopping.is_set():
                daemon.step(0.02)
                if spec.get("pause_seconds"):
                    time.sleep(spec["pause_seconds"])


def _follow(source: Source, clock: StoryClock) -> None:
    poll: Callable[[float], list[RawBatch]] = source.poll

    def polled(timeout_seconds: float) -> list[RawBatch]:
        batches = poll(timeout_seconds)
        for batch in batches:
            clock.set(max(batch.times or [0.0]))
        return batches

    source.poll = polled  # type: ignore[method-assign]


def _hold_receipts(daemon: Daemon, records: int) -> None:
    report = daemon.executor._report

    def held(receipt: Receipt) -> None:
        while not daemon._stopping and sum(_decided(daemon)) < records:
            time.sleep(0.02)
        report(receipt)

    daemon.executor._report = held


def _decided(daemon: Daemon) -> list[int]:
    positions = [stream.claim.position for stream in list(daemon.streams.values())]
    return [position.offset for position in positions if position is not None]


def main() -> None:
    """Start lives and wait for them, as told on standard input."""
    for line in sys.stdin:
        told = json.loads(line)
        if "start" in told:
            pid = os.fork()
            if pid == 0:
                sys.stdin.close()
                os.closerange(0, 1)
                os.dup2(2, 1)
                _live_and_leave(told["start"])
            answer = {"pid": pid}
        else:
            answer = {"status": os.waitpid(told["wait"], 0)[1]}
        print(json.dumps(answer), flush=True)  # noqa: T201 - the way back to the test


def _live_and_leave(spec: dict[str, Any]) -> None:
    code = 1
    try:
        live(spec)
        code = 0
    except BaseException:  # noqa: BLE001 - the fork must not come back into `main`
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
