"""`driftd demo`: eighteen days of a fleet in half a minute, and a real process that is stopped in the middle of its work."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from monitor import logs
from monitor.demo import stories
from monitor.demo.closing import closing
from monitor.demo.stage import CURTAIN, RATIFIED, Stage, events, seconds_of, stage, state_folder
from monitor.demo.stories.mass_deletion import AGENT, WANTED
from monitor.demo.stories.world import HOUR, REFERENCE_DAYS, START
from monitor.demo.toy_agent import furnish, rows_left
from monitor.demo.view import Victim, view
from monitor.hooks._process import file_name, registration

#: an hour of the days that count takes at least this long, so that it can be followed
PACE_SECONDS = 0.08
#: but nobody has to wait for it on a slow machine
PACED_SECONDS_MAX = 25.0
#: between drawings
DRAWN_SECONDS = 0.1
#: the toy agent is given up on after this
TOY_SECONDS_MAX = 30.0
PER_SECOND = 8.0
Show = Callable[[str], None]


def run(console: Console | None = None, *, pace_seconds: float = PACE_SECONDS, per_second: float = PER_SECOND) -> int:
    """Show it all; the exit code: 0 when the process was stopped and rows are left."""
    console = console or Console()
    agents = sum(len(crew.names) for story in stories.all() for crew in story.crews)
    console.print(Text(f"Eighteen days of {agents} agents under a virtual clock, judged by a real daemon. Ctrl-C ends it.\n"))
    try:
        with state_folder() as folder:
            return _perform(console, folder, pace_seconds, per_second)
    except KeyboardInterrupt:
        console.print("ended")
        return 130


def _perform(console: Console, folder: Path, pace_seconds: float, per_second: float) -> int:
    registry, database = folder / "registry", folder / "catalogue.db"
    registry.mkdir(mode=0o700)
    furnish(database)
    began = time.monotonic()
    with _log(folder / "driftd.log"), stage(folder, registry) as scene:
        with Live(console=console, auto_refresh=False, transient=True) as live:

            def show(chapter: str) -> None:
                live.update(view(scene.state(chapter)), refresh=True)

            _tell_stories(scene, show, pace_seconds)
            with _toy(database, scene.daemon.url, registry, per_second) as toy:
                _let_loose(scene, show, toy, database)
        closing(console, scene, database, time.monotonic() - began)
        return 0 if scene.kill() is not None and rows_left(database) else 1


@contextmanager
def _log(path: Path) -> Iterator[None]:
    """What the daemon says of itself stays off the screen."""
    with path.open("w") as log:
        logs.configure("warning", log)
        try:
            yield
        finally:
            logs.configure("warning")


def _tell_stories(scene: Stage, show: Show, pace_seconds: float) -> None:
    """Hour by hour up to the curtain."""
    began = drawn = time.monotonic()
    for _, hour in groupby(events(), key=lambda event: seconds_of(event) // HOUR):
        until = time.monotonic() + pace_seconds
        scene.play(hour)
        now = scene.clock.time()
        watched = now > RATIFIED
        if watched or time.monotonic() > drawn + DRAWN_SECONDS:
            show(_chapter(now))
            drawn = time.monotonic()
        if watched and drawn < began + PACED_SECONDS_MAX:
            time.sleep(max(0.0, until - drawn))


def _chapter(now: float) -> str:
    if now < START.timestamp() + REFERENCE_DAYS * 24 * HOUR:
        return "driftd learns what is normal for each agent"
    text = "every agent has its reference; driftd watches"
    for story in sorted(stories.all(), key=lambda story: story.expects.after):
        if not story.quiet and seconds_of({"time": story.expects.after}) <= now < CURTAIN:
            text = story.prose
    return text


@contextmanager
def _toy(database: Path, url: str, registry: Path, per_second: float) -> Iterator[subprocess.Popen[bytes]]:
    """The toy agent as a process of its own, registered by pid and start time; gone afterwards in any case."""
    command = [sys.executable, "-m", "monitor.demo.toy_agent", "--database", str(database), "--url", url]
    process = subprocess.Popen([*command, "--per-second", str(per_second)])  # noqa: S603 - a program of our own
    try:
        (registry / file_name("", AGENT)).write_text(registration(process.pid), encoding="ascii")
        yield process
    finally:
        process.kill()
        process.wait()


def _let_loose(scene: Stage, show: Show, toy: subprocess.Popen[bytes], database: Path) -> None:
    """Watch it until it has ended and the daemon has said what became of it."""
    scene.clock.set(CURTAIN)
    scene.clock.run()
    give_up = time.monotonic() + TOY_SECONDS_MAX
    while time.monotonic() < give_up and not (toy.poll() is not None and scene.kill()):
        scene.step(0.1)
        scene.victim = Victim(toy.pid, toy.poll() is None, WANTED, rows_left(database))
        show(f"{AGENT} is a real process ({os.path.basename(sys.executable)} {toy.pid}), and it deletes rows")  # noqa: PTH119
