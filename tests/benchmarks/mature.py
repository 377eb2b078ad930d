"""Pipelines whose agents have their reference taken, without playing the weeks that lead there.

Names, permissions and targets are met through the engine's own doors; the rate model learns twelve days of a few
agents for real, one for each half octave of rate, and every agent takes the memory of the one that acts like it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.core.columns import Columns, Rows
from detectors.core.event import Event
from detectors.core.rate_model import RateModel
from detectors.core.records import Records
from monitor.assembly import pipeline_of
from monitor.config import load as load_settings
from monitor.pipeline import Pipeline
from tests.benchmarks.load import ACTIONS, BEGIN, FIRST_USES, Load

DAY, HOUR = 86_400.0, 3600.0
DAYS = 12
#: the hour before the load begins: until then history was played
NOW = BEGIN // HOUR * HOUR
#: actions a minute from which all agents look alike to the rate model
MINUTE_MAX = 4096.0
HISTORY_ACTIONS = 3000.0


def fresh(rows_max: int = 1 << 20) -> Pipeline:
    """A pipeline that knows nobody, with the settings of a replay."""
    settings = load_settings(overrides=[f"agents.max={rows_max}"], environment={}, purpose="replay")
    return pipeline_of(settings, "0", attested=True)


def mature(load: Load, agents: list[int] | None = None, pipeline: Pipeline | None = None) -> Pipeline:
    """A pipeline that knows these agents of the load (all of them by default) well."""
    pipeline = pipeline or fresh()
    known = list(range(load.agents)) if agents is None else agents
    rows = _move_in(pipeline, load, known)
    _meet(pipeline, load, known, rows)
    _age(pipeline, load, known, rows)
    return pipeline


def copied(pipeline: Pipeline) -> Pipeline:
    """Another pipeline with the same state."""
    other = fresh()
    other.engine.load(pipeline.engine.dump(everything=True))
    return other


def _move_in(pipeline: Pipeline, load: Load, known: list[int]) -> Rows:
    first = NOW - DAYS * DAY
    records = Records()
    for number, k in enumerate(known):
        event = Event(agent=load.name(k), action="tool.action_0", scope=load.scopes_of(k)[0], time=first)
        for _ in range(5):
            records.events.append(event)
            records.contents.append(b"")
            records.offsets.append(number)
            records.indexes.append(0)
            records.arrivals.append(first)
            records.times.append(first)
    pipeline.read(records)
    return np.array([pipeline.engine.state.agents[load.name(k)] for k in known])


def _meet(pipeline: Pipeline, load: Load, known: list[int], rows: Rows) -> None:
    state = pipeline.engine.state
    identity = state.common.identity[rows].tolist()
    for k, row, own in zip(known, rows.tolist(), identity, strict=True):
        for scope in load.scopes_of(k)[:ACTIONS]:
            state.seen.add(row, own, state.scopes[scope])
        for target in load.targets_of(k):
            state.seen.add(row, own, state.targets[target])


def _age(pipeline: Pipeline, load: Load, known: list[int], rows: Rows) -> None:
    """Twelve days later: the reference is taken, with as many first uses as the load has."""
    engine, state, common = pipeline.engine, pipeline.engine.state, pipeline.engine.state.common
    now = np.full(len(rows), NOW)
    for detector, mine in zip(state.detectors, state.mine, strict=True):
        if detector.name == "scale_spike":
            _learn_rates(load.shares[known] * load.a_second, rows, mine)
        else:
            detector.tick(rows, now, mine)
    phase = (common.identity[rows] % np.uint64(3600)).astype(np.float64)
    common.next_tick[rows] = np.floor((NOW - phase) / HOUR + 1) * HOUR + phase
    common.clock[rows] = common.last[rows] = common.read_clock[rows] = now
    common.day[rows] = now // DAY
    n = np.maximum(HISTORY_ACTIONS, np.round(load.shares[known] * load.a_second * DAYS * DAY))
    common.n[rows] = common.read_n[rows] = n
    common.third[rows] = np.floor(n / 3)
    state.late_hits[rows] = np.round(FIRST_USES * (n - common.third[rows]))[:, None]
    engine.ticks.freeze(rows, now)
    state.clock, state.hour = NOW, int(NOW // HOUR)
    list(engine.advance(NOW))


def _learn_rates(a_second: Any, rows: Rows, mine: Columns) -> None:
    model = RateModel()
    kind = np.round(2 * np.log2(np.minimum(a_second * 60.0, MINUTE_MAX))).astype(np.int64)
    kinds, which = np.unique(kind, return_inverse=True)
    teacher = Columns(model.memory, len(kinds))
    everyone, random = np.arange(len(kinds)), np.random.default_rng(1)
    start = NOW - DAYS * DAY
    model.start(teacher, everyone, np.full(len(kinds), start))
    minutes = start + 60.0 * np.arange(60)
    for hour in range(DAYS * 24):
        counts = random.poisson(2.0 ** (kinds / 2)[:, None], (len(kinds), 60))
        who, minute = np.nonzero(counts)
        model.feed(teacher, who, minutes[minute] + hour * HOUR, counts[who, minute])
        at = np.full(len(kinds), start + (hour + 1) * HOUR)
        model.advance(teacher, everyone, at)
        model.learn(teacher, everyone, at)
    for name in model.memory.names or ():
        getattr(mine, name)[rows] = getattr(teacher, name)[which]
