"""From bytes to findings: decode, the core by stage, and all of it at several batch sizes."""

from __future__ import annotations

from functools import partial

from monitor.formats.native import Native
from monitor.pipeline import Pipeline
from monitor.sources.base import Partition, RawBatch
from tests.benchmarks.load import Load
from tests.benchmarks.mature import copied, mature
from tests.benchmarks.timing import Costs, Stages, no_collection, timed

BATCH, SMALL = 4096, 64
FILE = "file to decision, batches of 4096"


class Reading:
    """Raw lines to findings, as `driftd run` does it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline, self.format = pipeline, Native()
        self.findings = self._offset = 0

    def raw(self, lines: list[bytes], times: list[float]) -> RawBatch:
        """Lines as a source would give them."""
        offsets = list(range(self._offset, self._offset + len(lines)))
        self._offset += len(lines)
        return RawBatch(Partition("0", 0), offsets, times, lines, self._offset, attested=True)

    def judge(self, raw: RawBatch) -> None:
        """Decode and judge."""
        self.findings += len(self.pipeline.read(self.format.decode(raw).records).said)

    def run(self, lines: list[bytes], times: list[float], batch: int) -> int:
        """CPU nanoseconds for these events in batches of this size."""
        raws = [self.raw(lines[i : i + batch], times[i : i + batch]) for i in range(0, len(lines), batch)]
        return timed(partial(self._all, raws))[0]

    def _all(self, raws: list[RawBatch]) -> None:
        for raw in raws:
            self.judge(raw)


def watched(pipeline: Pipeline) -> Stages:
    """Stages of this pipeline; from then on it is a little slower."""
    stages, engine = Stages(), pipeline.engine
    state, reader, judge = engine.state, engine._reader, engine.judge
    watch = stages.watch
    watch(engine, "step", "core: rounds between ticks")
    watch(reader, "read", "core: reading, clocks and numbers")
    watch(reader, "_rows", "core: reading, who")
    watch(reader, "_without_repeats", "core: reading, repeated ids")
    watch(reader, "_columns", "core: reading, columns")
    watch(judge, "judge", "core: judging, candidates and state")
    watch(judge, "_first_uses", "core: first seen")
    watch(judge, "_one", "core: judging, loop over candidates")
    watch(engine.ticks, "run", "core: ticks")
    for detector in state.detectors:
        watch(detector, "stream", f"core: {detector.name}, events")
        watch(detector, "wants", f"core: {detector.name}, events")
        watch(detector, "judge", f"core: {detector.name}, events")
        watch(detector, "tick", f"core: {detector.name}, ticks")
        watch(detector, "learn", f"core: {detector.name}, ticks")
    watch(pipeline, "read", "alerts, incidents, containment")
    return stages


def measure(load: Load, events: int, repeats: int) -> tuple[Costs, Pipeline, int]:
    """All costs of `repeats` interleaved rounds of so many events each; the pipeline, and how much it found."""
    known = mature(load)
    ways = {FILE: (Reading(known), BATCH), f"file to decision, batches of {SMALL}": (Reading(copied(known)), SMALL)}
    staged = Reading(copied(known))
    stages = watched(staged.pipeline)
    costs, decoding = Costs(), Native()
    rounds = [load.lines(events) for _ in range(1 + repeats)]
    with no_collection():
        for number, (lines, times) in enumerate(rounds):
            warm = number == 0  # caches of names fill in the first round
            spent = {name: way.run(lines, times, batch) for name, (way, batch) in ways.items()}
            raws = [staged.raw(lines[i : i + BATCH], times[i : i + BATCH]) for i in range(0, len(lines), BATCH)]
            spent["decode"] = timed(partial(list, map(decoding.decode, raws)))[0]
            decoded = [staged.format.decode(raw).records for raw in raws]
            stages.take()
            for records in decoded:
                staged.findings += len(staged.pipeline.read(records).said)
            spent |= stages.take()
            for name, nanoseconds in spent.items() if not warm else ():
                costs.note(name, nanoseconds, len(lines))
    return costs, known, ways[FILE][0].findings
