"""The agents with the highest scores, at most so many: the only series that bear an agent's name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import nlargest
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

SHOWN_DEFAULT, SHOWN_MAX = 50, 200
LABELS = ("tenant", "agent", "role")


class AgentScore(NamedTuple):
    """An agent and how surprising it is, in agent-months per false alarm."""

    tenant: str
    agent: str
    role: str
    score: float
    gate_score: float


class TopAgents(Collector):
    """Shows the last list that was given, cut to the highest. Any thread may scrape while another shows."""

    def __init__(self, shown_max: int = SHOWN_DEFAULT) -> None:
        if not 0 <= shown_max <= SHOWN_MAX:
            raise ValueError(f"between 0 and {SHOWN_MAX} agents may be shown, not {shown_max}")
        self._shown_max = shown_max
        self._shown: list[AgentScore] = []
        self._left_out = 0

    def show(self, agents: Iterable[AgentScore], total: int | None = None) -> None:
        """From now on these; `total` is how many have a score, when `agents` are already the highest of them.

        Agents of one score are taken in the order of their names, so that the list is steady.
        """
        every = list(agents)
        # the list is replaced, never changed: a scrape sees the old one or the new one
        self._shown = nlargest(self._shown_max, sorted(every), key=lambda agent: agent.score)
        self._left_out = max(len(every), total or 0) - len(self._shown)

    def collect(self) -> Iterator[Metric]:
        """The series, as they are scraped."""
        shown = self._shown
        score = GaugeMetricFamily(
            "driftd_agent_score", "Agent-months per false alarm, of the agents with the highest scores.", labels=LABELS
        )
        gate = GaugeMetricFamily(
            "driftd_agent_gate_score", "The same of harm-capable evidence alone, which containment stands on.", labels=LABELS
        )
        for agent in shown:
            score.add_metric(agent[:3], agent.score)
            gate.add_metric(agent[:3], agent.gate_score)
        yield score
        yield gate
        yield GaugeMetricFamily(
            "driftd_agents_truncated", "Agents with a score that driftd_agent_score leaves out.", value=self._left_out
        )
