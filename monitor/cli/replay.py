"""`driftd replay` and `driftd learn`: histories from files, under a virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli import exits, options
from monitor.cli.exits import CommandError

app = typer.Typer()

Events = Annotated[list[Path], typer.Argument(help="Event files: .jsonl, .jsonl.gz, or - for standard input.")]
Format = Annotated[str, typer.Option("--format", help="How the events are written.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no closing line.")]


@app.command()
def replay(
    events: Events,
    findings: Annotated[Path, typer.Option("--findings", help="Where the findings go; - for standard output.")],
    directives: Annotated[Path | None, typer.Option("--directives", help="What people told the daemon.")] = None,
    config: options.Config = None,
    overrides: options.Set = None,
    form: Format = "native",
    quiet: Quiet = False,
) -> None:
    """Say what the daemon would have said about these events. The same input gives the same bytes."""
    _readable(events, [directives] if directives else [], form)
    settings = options.settings_of(config, overrides, "replay").settings
    from monitor.replay import replay as replayed

    with _progress(quiet=quiet or str(findings) == "-") as progress:
        replayed(events, directives, settings, findings, progress, form)
    if not quiet and str(findings) != "-":
        _closing(findings)


@app.command()
def learn(
    events: Events,
    config: options.Config = None,
    overrides: options.Set = None,
    form: Format = "native",
    quiet: Quiet = False,
) -> None:
    """Seed baselines from history, so that a new daemon need not wait for a reference. Nobody is notified."""
    _readable(events, [], form)
    settings = options.settings_of(config, overrides).settings
    from monitor.learn import learn as learnt

    with _progress(quiet=quiet) as progress:
        agents = learnt(events, settings, progress, form)
    if not quiet:
        from monitor.cli.screen import say

        say(f"{agents} agents have a baseline in {settings.state_dir}; `driftd run` goes on from there")


def _readable(events: list[Path], others: list[Path], form: str) -> None:
    """Missing inputs are said before hours are spent on the first of them."""
    for path in (*events, *others):
        if str(path) != "-" and not path.exists():
            raise CommandError(f"{path}: no such file", exits.UNREADABLE)
    if sum(str(path) == "-" for path in events) > 1:
        raise CommandError("standard input (-) can be read once only", exits.USAGE)
    from monitor.plugins import find, kinds

    if find("monitor.formats", form) is None:
        raise CommandError(f"no format {form!r}; there are: {', '.join(kinds('monitor.formats'))}", exits.USAGE)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar over bytes read, on a terminal; the replay is given None where nobody looks."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("replay", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _closing(findings: Path) -> None:
    import json

    from monitor.cli.screen import say

    kinds: dict[str, int] = {}
    summary: dict[str, object] = {}
    with findings.open(encoding="utf-8") as lines:
        for line in lines:
            found = json.loads(line)
            kinds[found["kind"]] = kinds.get(found["kind"], 0) + 1
            summary = found
    told = ", ".join(f"{count} {kind} lines" for kind, count in kinds.items() if kind != "summary") or "nothing to say"
    say(f"{summary['events']} events of {summary['agents']} agents, {summary['dead_letters']} dead letters: {told}")
