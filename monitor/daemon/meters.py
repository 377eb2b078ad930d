"""Metrics of the daemon, moved once for each batch and never for each event."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from detectors.core.detector import BLIND
from detectors.core.inputs import Receipt
from monitor.daemon.stream import Step, Stream
from monitor.findings import Alert, Containment
from monitor.metrics import Metrics
from monitor.metrics.top import AgentScore
from monitor.steps import STEPS

if TYPE_CHECKING:
    from monitor.daemon.loop import Daemon

#: between readings of what only changes slowly
STATE_SECONDS = 5.0


class Meters:
    """Turns what happened into metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._told: dict[int, Counter[str]] = {}
        self._read_at = float("-inf")

    def gap(self, source: str) -> None:
        """Records are gone."""
        self._metrics.gaps.labels(source).inc()

    def receipt(self, receipt: Receipt) -> None:
        """A step was carried out, or not."""
        self._metrics.hook_outcomes.labels("all", receipt.step, receipt.outcome).inc()

    def step(self, stream: Stream, step: Step) -> None:
        """A batch or an input was judged."""
        metrics, where = self._metrics, (stream.name, str(stream.partition.number))
        if step.decoded is not None:
            metrics.events.labels(*where).inc(len(step.decoded.records))
            metrics.lag_seconds.labels(*where).set(step.age_seconds)
            metrics.clipped.inc(step.decoded.clipped)
            metrics.unknown_fields.inc(step.decoded.unknown_fields.total())
            for letter in step.decoded.dead:
                metrics.dead_letters.labels(letter.reason.partition(":")[0]).inc()
        for said in step.outcome.said:
            line = said.finding
            if isinstance(line, Alert) and line.state == "firing":
                metrics.alerts_opened.labels(line.level).inc()
            elif isinstance(line, Containment):
                reason = line.not_armed_because or "armed"
                metrics.decisions.labels(line.step, line.mode, reason).inc()
        self._counts(stream, where)

    def _counts(self, stream: Stream, where: tuple[str, str]) -> None:
        """The core counts for itself; what it counted since the last time is added."""
        metrics, pipeline = self._metrics, stream.pipeline
        now = pipeline.engine.state.counts + Counter({f"unsaid {why}": n for why, n in pipeline.unsaid.items()})
        before = self._told.setdefault(id(pipeline), Counter())
        for name, number in (now - before).items():
            if name.startswith("unsaid "):
                metrics.suppressed.labels(name.removeprefix("unsaid ")).inc(number)
            elif name == "judged":
                metrics.judged.labels(*where).inc(number)
            elif name == "duplicates":
                metrics.duplicates.inc(number)
            elif name == "id_reuse":
                metrics.id_reuse.inc(number)
            elif name.startswith("hits:"):
                metrics.hits.labels(*name.removeprefix("hits:").split(".")).inc(number)
            elif name.startswith("detector_errors:"):
                metrics.detector_errors.labels(name.partition(":")[2]).inc(number)
        self._told[id(pipeline)] = now
        expected = pipeline.engine.state.expected_hits
        for family, due in expected.items():
            metrics.hits_expected.labels(*family.split(".")).inc(due)
        expected.clear()

    def state(self, daemon: Daemon) -> None:
        """What stands: agents by life, blindness, open alerts, the outbox, the agents with the highest scores."""
        now = daemon.clock.monotonic()
        if now - self._read_at < STATE_SECONDS:
            return
        self._read_at = now
        lives, levels, blind = Counter[str](), Counter[int](), Counter[tuple[str, str]]()
        for stream in daemon.streams.values():
            _count_agents(stream, lives, levels, blind)
        for life in ("newcomer", "learning", "provisional", "ratified"):
            self._metrics.agents.labels(life).set(lives[life])
        for number, level in enumerate(("notice", "page", "critical"), 1):
            self._metrics.alerts_open.labels(level).set(levels[number])
        for detector in {d.name for s in daemon.streams.values() for d in s.pipeline.engine.state.detectors}:
            for reason in BLIND[1:]:
                self._metrics.blind.labels(detector, reason).set(blind[detector, reason])
        self._decisions(daemon)
        self._metrics.outbox_pending.set(daemon.store.outbox.pending_count())
        self._metrics.outbox_age.set(daemon.store.outbox.oldest_age_seconds() or 0.0)
        for name, (source, _) in daemon.sources.items():
            for partition, lag in source.lag().items():
                self._metrics.lag_records.labels(name, str(partition.number)).set(lag)
        self._metrics.top_agents.show(scores(daemon, 200), total=lives["provisional"] + lives["ratified"])

    def _decisions(self, daemon: Daemon) -> None:
        """What is in force: containments, incidents, and whether the budget is used up."""
        active = Counter(state.line.executes for state in daemon.store.queries.containments(10_000, active=True))
        for step in STEPS:
            self._metrics.contained.labels(step).set(active[step])
        self._metrics.incidents_open.set(len(set(daemon.fleet.incidents.of_alert.values())))
        self._metrics.latched.set(daemon.fleet.ladder.arming.any_latched())


def _count_agents(stream: Stream, lives: Counter[str], levels: Counter[int], blind: Counter[tuple[str, str]]) -> None:
    state = stream.pipeline.engine.state
    rows, common = state.agents.residents(), state.common
    frozen, ratified = common.frozen_at[rows] > 0, common.ratified_at[rows] > 0
    lives["newcomer"] += len(state.agents.newcomers)
    lives["learning"] += int((~frozen).sum())
    lives["ratified"] += int((frozen & ratified).sum())
    lives["provisional"] += int((frozen & ~ratified).sum())
    levels.update(common.level[rows].tolist())
    for d, detector in enumerate(state.detectors):
        for reason, number in enumerate(np.bincount(state.blind[rows, d], minlength=len(BLIND)).tolist()):
            if reason:
                blind[detector.name, BLIND[reason]] += number


def scores(daemon: Daemon, limit: int) -> list[AgentScore]:
    """The agents with the highest bounds of their scores, settled to their clocks."""
    found: list[AgentScore] = []
    for stream in daemon.streams.values():
        engine = stream.pipeline.engine
        state, common = engine.state, engine.state.common
        rows = state.agents.residents()
        for row in rows[np.argsort(-common.bound[rows], kind="stable")][:limit].tolist():
            if common.frozen_at[row]:
                scored = engine.judge.score(row, float(common.clock[row]), float(common.n[row]))
                found.append(AgentScore(scored.tenant, scored.agent, scored.role, scored.score, scored.gate))
    return sorted(found, key=lambda agent: (-agent.score, agent.agent))[:limit]

