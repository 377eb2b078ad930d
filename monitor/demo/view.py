"""What the demo shows: a pure function from its state to something that a terminal can draw."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import log10

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from monitor.findings import Alert, Containment, Incident

#: all of it fits on 24 lines
AGENTS_MAX, ALERTS_MAX = 5, 4
#: a bar is full at this score; it grows with the logarithm
SCORE_FULL = 10_000.0
STYLES = {None: "green", "notice": "yellow", "page": "bold red", "critical": "bold white on red"}


@dataclass(frozen=True, slots=True)
class Standing:
    """An agent and how odd it is now; `level` of its open alert, if there is one."""

    agent: str
    score: float
    level: str | None = None
    contained: bool = False


@dataclass(frozen=True, slots=True)
class Victim:
    """The scratch database and the process that empties it."""

    pid: int
    running: bool
    rows: int
    left: int


@dataclass(frozen=True, slots=True)
class State:
    """All that is drawn. `clock` is virtual, in epoch seconds."""

    clock: float
    chapter: str = ""
    events: int = 0
    events_per_second: float = 0.0
    agents: int = 0
    standings: tuple[Standing, ...] = ()
    alerts: tuple[Alert, ...] = ()
    incidents: tuple[Incident, ...] = ()
    containments: tuple[Containment, ...] = ()
    victim: Victim | None = field(default=None)


def view(state: State) -> RenderableType:
    """The whole screen, for 80 columns and more."""
    parts: list[RenderableType] = [_head(state), _standings(state.standings), _alerts(state)]
    if state.containments or state.victim:
        parts.append(_containment(state))
    return Group(*parts)


def _head(state: State) -> RenderableType:
    moment = datetime.fromtimestamp(state.clock, UTC)
    grid = Table.grid(expand=True)
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_row(
        Text(f"{moment:%A %d %B %Y, %H:%M}", style="bold cyan"),
        Text(f"{state.events:,} events of {state.agents} agents, {state.events_per_second:,.0f} a second"),
    )
    grid.add_row(Text(state.chapter, style="italic"), Text("virtual time", style="dim"))
    return Panel(grid, title="driftd", title_align="left", border_style="cyan")


def _standings(standings: Iterable[Standing]) -> RenderableType:
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(ratio=3, no_wrap=True)
    table.add_column(ratio=5)
    table.add_column(justify="right", width=9)
    table.add_column(width=14, no_wrap=True)
    for standing in sorted(standings, key=lambda s: (-s.score, s.agent))[:AGENTS_MAX]:
        style = STYLES[standing.level]
        what = "contained" if standing.contained else standing.level or ""
        bar = ProgressBar(total=1.0, completed=_length(standing.score), complete_style=_bar_style(standing.level))
        table.add_row(Text(standing.agent), bar, Text(in_short(standing.score)), Text(what, style=style))
    return Panel(table, title="agents by score (agent-months per false alarm)", title_align="left")


def _length(score: float) -> float:
    return min(1.0, max(0.0, log10(1.0 + score) / log10(1.0 + SCORE_FULL)))


def _bar_style(level: str | None) -> str:
    return "red" if level in ("page", "critical") else "yellow" if level == "notice" else "green"


def _alerts(state: State) -> RenderableType:
    alone = [alert for alert in state.alerts if not belongs(alert, state.incidents)]
    lines: list[RenderableType] = [_incident(incident) for incident in state.incidents]
    lines += [_alert(alert) for alert in alone[:ALERTS_MAX]]
    if len(alone) > ALERTS_MAX:
        lines.append(Text(f"and {len(alone) - ALERTS_MAX} more", style="dim"))
    return Panel(Group(*lines) if lines else Text("none", style="dim"), title="open alerts", title_align="left")


def belongs(alert: Alert, incidents: Iterable[Incident]) -> bool:
    """Whether an alert is of one of the incidents; one raised before the incident formed names it from its next line on."""
    return alert.incident is not None or any(alert.agent in incident.agents for incident in incidents)


def _incident(incident: Incident) -> RenderableType:
    said = Text(f"{incident.level:<8} ", style=STYLES[incident.level], no_wrap=True, overflow="ellipsis")
    said.append(f"one incident, {incident.agents_total} agents, one cause: ", style="default not bold")
    return said.append(f"{incident.cause} {incident.name}", style="default bold")


def _alert(alert: Alert) -> RenderableType:
    said = Text(f"{alert.level:<8} ", style=STYLES[alert.level], no_wrap=True, overflow="ellipsis")
    said.append(alert.agent, style="default not bold").append(f" {in_short(alert.score or 0.0)}", style="dim")
    for share in alert.detectors[:1]:
        said.append(f"  {share.name}: {share.reason}", style="default not bold")
    return said


def _containment(state: State) -> RenderableType:
    lines: list[RenderableType] = []
    victim = state.victim
    if victim is not None:
        gone = victim.rows - victim.left
        what = f"process {victim.pid} {'is deleting' if victim.running else 'was stopped after'} "
        lines.append(Text(f"{what}{gone} of {victim.rows} rows", style="red" if victim.running else "bold green"))
        bar = Table.grid(expand=True)  # a bar alone does not end its line
        bar.add_row(ProgressBar(total=victim.rows, completed=gone, complete_style="red", finished_style="red"))
        lines.append(bar)
    for step in state.containments:
        mark = "carried out" if step.executes else f"not carried out: {step.not_armed_because}"
        lines.append(Text(f"{step.step} of {step.agent}, {mark}", style="bold" if step.executes else "dim"))
    return Panel(Group(*lines), title="containment", title_align="left", border_style="red")


def in_short(score: float) -> str:
    """A score in at most six characters."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if score >= 999.5 * size:
            return f">999{sign}"
        if score >= 0.9995 * size:
            return f"{score / size:.3g}{sign}" if score < 99.95 * size else f"{score / size:.0f}{sign}"
    return f"{score:.0f}" if score >= 9.95 else f"{score:.2g}"
