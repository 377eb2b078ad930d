"""From what a pipeline said to what is written: numbered lines, messages for the sinks, orders for the executor."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from monitor.findings import Alert, Containment, Finding, Incident, encode
from monitor.hooks.base import Order
from monitor.pipeline import Said
from monitor.sinks.base import Message
from monitor.storage.decision import Outgoing, Verdict


class Lines:
    """Numbers the lines of each finding, from 1; `known` says how many are stored of one that was not met yet."""

    def __init__(self, known: Callable[[str], int]) -> None:
        self._known = known
        self._numbers: dict[str, int] = {}

    def next(self, finding: Alert | Containment | Incident) -> int:
        """Number of a further line."""
        number = self._numbers.get(finding.id)
        if number is None:
            number = self._known(finding.id)
        number += 1
        if isinstance(finding, Alert) and finding.state == "resolved":
            self._numbers.pop(finding.id, None)
        else:
            self._numbers[finding.id] = number
        return number


def fill(verdict: Verdict, said: Iterable[Said], lines: Lines, sinks: Iterable[str], now: float) -> Verdict:
    """Add findings to a verdict: each is stored, those that notify go to every sink."""
    names = tuple(sinks)
    for one in said:
        finding: Finding = one.finding
        if not isinstance(finding, Alert | Containment | Incident):
            continue
        number = lines.next(finding)
        verdict.findings.append((finding.id, number, finding))
        if one.notify:
            message = Message(f"{finding.id}.{number}", kind_of(finding), now, encode(finding))
            verdict.outbox += [Outgoing(name, message, finding.id) for name in names]
    return verdict


def kind_of(finding: Alert | Containment | Incident) -> str:
    """The kind of a line, as it stands in it."""
    tag = type(finding).__struct_config__.tag
    return str(tag)


def orders(said: Iterable[Said], time: float) -> list[Order]:
    """The steps among these lines that are to be carried out."""
    found = []
    for one in said:
        line = one.finding
        if isinstance(line, Containment) and line.executes is not None and line.executes != "release":
            found.append(Order(line.id, time, line.tenant, line.agent, line.role, line.executes, line.gate_score,
                               line.reason))
    return found


def releases(said: Iterable[Said]) -> list[Containment]:
    """The lines among these that end a containment."""
    return [one.finding for one in said if isinstance(one.finding, Containment) and one.finding.step == "release"]
