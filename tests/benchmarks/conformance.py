"""Observed rates beside what is promised: `make conformance [PATHS=100000]`.

First with the reference given: the promise, which a row breaks when its lower 99 % limit exceeds the bound (exit 1).
Then with a reference learnt from the few opportunities of a quiet agent's fortnight, and never learnt further, which no
theorem covers: where its prior says less than it does, it is told of at once. For information; `evaluate` judges.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import numpy as np

from detectors import discover
from detectors.core import evidence
from detectors.core.conformance import null
from detectors.core.conformance.null import Measured
from detectors.core.evidence import EVIDENCE, MONTH
from detectors.core.exact import exp
from detectors.core.family import Family
from tests.support import own_null
from tests.support.fleets import draw

#: opportunities of the late two thirds of a fortnight
COUNTED = null.OPPORTUNITIES * 14 // 30 * 2 // 3


def families() -> Iterator[tuple[str, Family]]:
    for kind in discover():
        for family in kind.families:
            if family.hit:
                yield kind.name, family


def given(paths: int) -> Iterator[tuple[str, Measured]]:
    for i, (name, family) in enumerate(families()):
        for chance in null.CHANCES:
            if chance <= family.rate_max:
                for measured in null.of_family(family, chance, paths, draw(i)):
                    yield name, measured
    for mean, shape in ((0.02, 0.3), (0.5, 1.0), (6.0, 2.0)):
        for measured in own_null.deletions(paths, mean, shape, seed=1):
            yield "blast_radius", measured
    for seconds, buckets in ((3600, 720), (60, 1440)):
        for measured in own_null.rates(min(paths, 5000), buckets, seconds, seed=1):
            yield "scale_spike", measured


def learnt(paths: int) -> Iterator[tuple[str, Measured]]:
    """The same null, watched by agents that estimated its chance themselves."""
    for i, (name, family) in enumerate(families()):
        for chance in null.CHANCES:
            if chance <= family.rate_max:
                column = reference(family, chance, paths, seed=i)
                for measured in null.of_family(family, chance, paths, draw(i), column):
                    yield name, measured


def reference(family: Family, chance: float, paths: int, seed: int) -> np.ndarray:
    """Evidence columns frozen on hits that came by themselves in the late reference, clustering included."""
    column, heat, hits = np.zeros(paths, EVIDENCE), np.zeros(paths), np.zeros(paths)
    uniform, cooled = draw(seed + 1000), exp(-MONTH / null.OPPORTUNITIES / 3600.0)
    for _ in range(COUNTED):
        heat *= cooled
        hit = uniform(paths) < np.minimum(chance + family.excite * heat, 0.98)
        heat += hit
        hits += hit
    zero = np.zeros(paths)
    evidence.freeze(column, np.arange(paths), zero, zero, hits, zero + COUNTED, family.prior)
    return column


def table(title: str, rows: Iterator[tuple[str, Measured]]) -> int:
    print(f"\n{title}\n{'detector':18}{'what':52}{'mean':>12}{'99 % low':>12}{'99 % high':>12}{'promised':>12}")
    broken = 0
    for name, m in rows:
        over = m.low > m.bound
        broken += over
        print(f"{name:18}{m.what:52}{m.mean:12.4g}{m.low:12.4g}{m.high:12.4g}{m.bound:12.4g}{'  OVER' if over else ''}",
              flush=True)
    return broken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--paths", type=int, default=100_000)
    paths = parser.parse_args().paths
    broken = table(f"Reference given, {paths} agent-months a row", given(paths))
    table(f"Reference learnt in {COUNTED} opportunities, {paths} agent-months a row (not promised)", learnt(paths))
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
