"""An agent stands alone: its own records and what peers were recorded to know give what is said of it, no more."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from detectors.core.agents import key_of
from detectors.core.conformance.case import Case, Failed, Line, numbers
from detectors.core.inputs import CohortVersion
from detectors.core.records import Records

#: agents of a stream that are replayed by themselves
AGENTS_MAX = 6


def stands_alone(case: Case, seed: int) -> None:
    """Each agent replayed by itself is told the same lines as among all others."""
    records = case.stream(seed)
    lines, versions = _together(case, records)
    told: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        told.setdefault((line.tenant, line.agent), []).append(line)
    if not told:
        raise Failed("the stream makes the detector say nothing: it shows nothing")
    names = sorted(told)
    chosen = [names[i] for i in numbers(seed, AGENTS_MAX, len(names))]
    for tenant, agent in chosen:
        found = _by_itself(case, records, versions, tenant, agent)
        expected = told[tenant, agent]
        for one, other in zip(found, expected, strict=False):
            if one != other:
                raise Failed(f"alone, {agent!r} of {tenant!r} is told otherwise:\n  {one}\n  {other}")
        if len(found) != len(expected):
            raise Failed(f"alone, {agent!r} of {tenant!r} is told {len(found)} lines in place of {len(expected)}")


def _together(case: Case, records: Records) -> tuple[list[Line], list[tuple[int, CohortVersion]]]:
    """What is said of all, and each cohort version with the record before which it was there."""
    run = case.run()
    lines: list[Line] = []
    versions: list[tuple[int, CohortVersion]] = []
    hours = np.floor(np.array(records.arrivals) / 3600.0)
    turns = np.flatnonzero(np.diff(hours)) + 1  # the partition's clock passes no hour anywhere else
    cuts = sorted({0, *turns.tolist(), *(turns + 1).tolist(), len(records)})
    for start, stop in pairwise(cuts):
        lines += run.read(records.part(start, stop))
        versions += [(start, version) for version in run.sealed()]
    return lines + run.finish(max(records.arrivals)), versions


def _by_itself(case: Case, records: Records, versions: list[tuple[int, CohortVersion]], tenant: str,
               agent: str) -> list[Line]:
    run, lines, waiting = case.run(cohorts_given=True), [], list(versions)
    for i, event in enumerate(records.events):
        own = key_of(event.tenant, event.agent) == key_of(tenant, agent)
        if not own and (event.tenant != tenant or agent not in event.via):
            continue
        while waiting and waiting[0][0] <= i:
            run.merge(waiting.pop(0)[1])
        lines += run.read(records.part(i, i + 1))
    for _, version in waiting:
        run.merge(version)
    lines += run.finish(max(records.arrivals))
    return [line for line in lines if (line.tenant, line.agent) == (tenant, agent)]
