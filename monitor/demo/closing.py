"""What the demo says at its end: what was raised and why, what was stopped, and what to try next."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from monitor.demo.stage import Stage
from monitor.demo.stories.mass_deletion import WANTED
from monitor.demo.toy_agent import rows_left
from monitor.demo.view import belongs, in_short, view
from monitor.findings import Alert

TRACE = "sample_traces/permission_creep/events.jsonl.gz"


def closing(console: Console, scene: Stage, database: Path, seconds: float) -> None:
    """Print it all."""
    console.print(view(scene.state(f"{seconds:.0f} seconds of yours")))
    console.print()
    for incident in scene.incidents():
        told = f"Incident, {incident.level}: {incident.agents_total} agents, one cause, {incident.cause} {incident.name}. "
        console.print(Text(told + "It paged once; their alerts name it and do not page."))
    for alert in scene.state("").alerts:
        if alert.level != "notice" and not belongs(alert, scene.incidents()):
            console.print(_explained(alert))
    console.print()
    console.print(Panel(_stopped(scene, rows_left(database)), border_style="green", title="the switch", title_align="left"))
    console.print("\nTry next:")
    for command, why in _next():
        console.print(Text(f"  {command}", style="bold cyan"), Text(f"    {why}", style="dim"), sep="\n", soft_wrap=True)


def _explained(alert: Alert) -> RenderableType:
    said = [Text(f"{alert.agent}, {alert.level}, {in_short(alert.score or 0.0)} agent-months per false alarm")]
    said += [Text(f"{s.share or 0.0:.0%} {s.name}: {s.reason}", style="dim") for s in alert.detectors]
    return Group(said[0], *(Padding(text, (0, 0, 0, 2)) for text in said[1:]))


def _stopped(scene: Stage, left: int) -> Text:
    kill, victim = scene.kill(), scene.victim
    if kill is None or victim is None:
        return Text(f"The toy agent was not stopped; {left} of {WANTED} rows are left.", style="bold red")
    said = Text(f"Process {victim.pid} was stopped after {WANTED - left} of {WANTED} deletions: ")
    said.append(f"{left} deletions were prevented.", style="bold green")
    said.append(f"\nDecided at {kill.time} at gate score {in_short(kill.gate_score)}, of which 1000 is the threshold; ")
    return said.append("carried out by the exec hook, and confirmed: the process is gone.")


def _next() -> list[tuple[str, str]]:
    beside = Path(sys.executable).with_name("driftd")
    here = beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside
    driftd = "driftd" if shutil.which("driftd") else str(here)
    trace = TRACE if Path(TRACE).exists() else "your-events.jsonl"
    return [
        (f"{driftd} replay {trace} --findings -", "what driftd says of a history, the same bytes each time"),
        (f"{driftd} run", "watch your own agents: POST their events to http://127.0.0.1:8765/v1/events"),
        (f"{driftd} config show --origin", "every setting with its value and where it was said"),
    ]
