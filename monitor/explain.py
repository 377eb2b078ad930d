"""An alert in words, for whoever it wakes: who, what, how sure, since when, and the next commands. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.findings import Alert, Containment, Share

LINES_MAX = 12


def explain(lines: Sequence[Alert], contained: Sequence[Containment] = ()) -> str:
    """At most twelve lines of text from all lines of one alert, oldest first, and its containment steps."""
    first, last = lines[0], lines[-1]
    worst = max((line for line in lines if line.score is not None), key=lambda line: line.score or 0.0, default=last)
    said = [f"{_who(last)}: {last.level}, {_state(first, last)}"]
    if worst.score is not None:
        said.append(f"Score {worst.score:,.4g}: as rare as one false alarm in that many agent-months.")
    said += [_part(share) for share in worst.detectors[:4]]
    if last.incident:
        said.append(f"Part of incident {last.incident}: several agents, one cause.")
    said += [_step(step) for step in contained[-2:]]
    said.append(f"Next: driftd alerts --agent '{last.agent}'   |   driftd resolve {last.id}")
    if last.entity == "agent" and last.state != "resolved":
        said.append(f"      driftd accept '{last.agent}' --scope S | --target T   |   driftd contain '{last.agent}' --step throttle")
    return "\n".join(said[:LINES_MAX])


def _who(alert: Alert) -> str:
    tenant = f"{alert.tenant}: " if alert.tenant else ""
    name = f"{alert.agent} (role {alert.role})" if alert.entity == "agent" else f"{alert.entity} {alert.agent}"
    return tenant + name + ("" if alert.attested else ", not attested")


def _state(first: Alert, last: Alert) -> str:
    if last.state == "resolved":
        return f"open from {first.time} to {last.time} ({last.why})"
    return f"open since {first.time}" + (f", {last.why} at {last.time}" if last is not first else "")


def _part(share: Share) -> str:
    part = f"{share.share:.0%} " if share.share is not None else ""
    since = f", since {share.since}" if share.since else ""
    return f"  {part}{share.name}: {share.reason}{since}"


def _step(step: Containment) -> str:
    acted = f"carried out as {step.executes}" if step.executes else f"not carried out: {step.not_armed_because or step.mode}"
    return f"  {step.time} {step.step} decided at gate score {step.gate_score:,.4g}, {acted}."
