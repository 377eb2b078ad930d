"""Bytes that an agent costs, by detector, and what a snapshot of all agents costs."""

from __future__ import annotations

from time import process_time

import zstandard

from monitor.pipeline import Pipeline
from tests.benchmarks.mature import fresh
from tests.benchmarks.table import Table


def report(pipeline: Pipeline, table: Table) -> None:
    """Declared bytes of one agent, and dump, compress and load of all of them."""
    state = pipeline.engine.state
    parts = state.bytes_per_agent()
    agents = len(state.agents)
    things = state.seen.used / agents * state.seen.bytes_per_thing
    table.say("bytes of one agent: " + ", ".join(f"{name} {size}" for name, size in parts.items()))
    table.say(f"  together {sum(parts.values())}, and {things:.0f} for {state.seen.used / agents:.0f} things met")
    began = process_time()
    dumped = pipeline.engine.dump(everything=True)
    taken = process_time()
    small = [zstandard.compress(part, 1) for part in dumped.values()]
    pressed = process_time()
    fresh().engine.load(dumped)
    loaded = process_time()
    raw, zipped = sum(map(len, dumped.values())), sum(map(len, small))
    table.say(f"snapshot of all {agents} agents: {raw / 1e6:.1f} MB, {zipped / 1e6:.1f} MB with zstd-1; CPU seconds: "
              f"dump {taken - began:.2f}, zstd-1 {pressed - taken:.2f}, load {loaded - pressed:.2f}")
