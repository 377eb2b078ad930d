"""Loads beside the main one: a quiet fleet, a million agents of whom few act, and whether cost grows with the log."""

from __future__ import annotations

from functools import partial

import numpy as np

from detectors.core.agents import Who
from detectors.core.records import Records
from monitor.pipeline import Pipeline
from tests.benchmarks.core import BATCH, Reading
from tests.benchmarks.load import Load
from tests.benchmarks.mature import NOW, fresh, mature
from tests.benchmarks.timing import Costs, no_collection, timed

QUIET = "200 agents, 65 events a day each"
DAY_SECONDS = 86_400.0


def quiet(repeats: int, days: float = 2.0) -> Costs:
    """A fleet so slow that ticks cost more than events: `days` of it in each repeat."""
    load = Load(agents=200, a_second=200 * 65 / DAY_SECONDS, zipf=0.0)
    reading, costs = Reading(mature(load)), Costs()
    number = int(200 * 65 * days)
    with no_collection():
        for _ in range(repeats):
            costs.note(QUIET, reading.run(*load.lines(number), BATCH), number)
    return costs


def crowd(agents: int, active: int, events: int, repeats: int) -> Costs:
    """So many residents, all but a few of them silent; the active ones are spread over all rows."""
    load = Load(agents=agents, a_second=109_000.0, zipf=0.0)
    pipeline = fresh(rows_max=2 * agents)
    chosen = np.sort(np.random.default_rng(2).choice(agents, active, replace=False))
    _silent(pipeline, load, set(chosen.tolist()))
    load.shares[np.setdiff1d(np.arange(agents), chosen)] = 0.0
    load.shares /= load.shares.sum()
    reading, costs = Reading(mature(load, chosen.tolist(), pipeline)), Costs()
    with no_collection():
        for _ in range(repeats):
            costs.note(f"{agents} agents, {active} of them active", reading.run(*load.lines(events), BATCH), events)
    return costs


def _silent(pipeline: Pipeline, load: Load, active: set[int]) -> None:
    """Residents whose rows stay as they are: asleep since long, as after `AWAKE`."""
    state = pipeline.engine.state
    agents, common = state.agents, state.common
    common.grow(load.agents + 2)
    state.make_room()
    for k in range(load.agents):
        row = k + 1
        agents.who.append(None)
        if k in active:
            agents.free.append(row)
            continue
        name = load.name(k)
        agents.who[row] = Who("", name, f"support-{k % 50}")
        agents[name] = row
        agents.by_identity[k + 1] = row
    rows = np.array(sorted(agents.values()))
    common.identity[rows] = rows
    common.next_tick[rows] = NOW + 3600.0
    common.last[rows] = common.clock[rows] = common.first[rows] = NOW - 60 * DAY_SECONDS


def length(load: Load, pipeline: Pipeline, marks: list[int]) -> dict[int, list[float]]:
    """Microseconds an event in parts of the log, around each of these numbers of events, made in this process.

    The same events come again and again with new ids and later times; making them is not counted.
    """
    lines, times = load.lines(64 * BATCH)
    reading = Reading(pipeline)
    parts: list[Records] = [reading.format.decode(reading.raw(lines[i : i + BATCH], times[i : i + BATCH])).records
                            for i in range(0, len(lines), BATCH)]
    cycle, made, spent, costs = len(lines) / load.a_second, 0, 0, dict[int, list[float]]()
    began = 0
    with no_collection():
        for mark in marks:
            costs[mark] = []
            while made < mark:
                shift = made // len(lines) + 1
                for records in parts:
                    spent += timed(partial(pipeline.read, _again(records, shift, shift * cycle)))[0]
                    made += len(records)
                    if made - began >= len(lines):
                        costs[mark].append(spent / 1000.0 / (made - began))
                        began, spent = made, 0
    return costs


def _again(records: Records, shift: int, later: float) -> Records:
    """The same events at a later time, under other ids."""
    for i, event in enumerate(records.events):
        event.id = f"{shift:05d}{(event.id or '')[-12:]}"
        records.contents[i] = event.id.encode() + records.contents[i][len(event.id):]
    times = [time + later for time in records.times]
    return Records(records.events, records.contents, records.offsets, records.indexes,
                   [time + later for time in records.arrivals], times)
