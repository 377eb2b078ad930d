"""False alarms, detections and cost of the rate model: `python tests/benchmarks/rate_quality.py --help`.

Agents of ten rhythms come from the evaluation's own generator (`--evaluation`); beside them a fleet of sparse
agents with sessions. An alert opens at a score of 10 (a notice), counts for the highest level it reaches, and ends
below 2.5 or when a person resolves it a day later; nothing is learnt while it is open.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from detectors.core.columns import Columns
from detectors.core.rate_model import RateModel

Array = np.ndarray[Any, Any]
SHARE = 0.12  # of scale_spike in the fused score
LEVELS = (10.0, 100.0, 1000.0)  # notice, page, critical
PAGE = 100.0
SUSPECTED = 2.5
HOUR, DAY, MONTH = 60, 1440, 43200  # minutes
MONDAY = 1_699_833_600
PATIENCE = DAY  # minutes after which a person resolves an alert
CHANGES = ("x3", "x10", "x100", "ramp", "stop")


@dataclass
class Watch:
    """Agents under the rate model, their alerts, and the first page of each."""

    model: RateModel
    n: int
    mine: Columns = field(init=False)
    rows: Array = field(init=False)
    opened: Array = field(init=False)
    highest: Array = field(init=False)
    paged: Array = field(init=False)
    alerts: list[tuple[int, float]] = field(default_factory=list)
    judging: bool = False

    def __post_init__(self) -> None:
        self.rows = np.arange(self.n)
        self.mine = Columns(self.model.memory, self.n)
        self.opened, self.paged = np.full(self.n, -1), np.full(self.n, -1)
        self.highest = np.zeros(self.n)
        self.model.start(self.mine, self.rows, np.full(self.n, MONDAY))

    def minute(self, minute: int, counts: Array) -> None:
        """One minute of everybody's actions, and the tick when it ends an hour."""
        active = np.flatnonzero(counts)
        moves = self.model.feed(self.mine, active, np.full(len(active), MONDAY + 60 * minute + 59), counts[active])
        if self.judging:
            self.look(moves.row, moves.score * SHARE, minute)
        if minute % HOUR == HOUR - 1:
            self.tick(minute)

    def tick(self, minute: int) -> None:
        at = np.full(self.n, MONDAY + 60 * (minute + 1))
        score = self.model.advance(self.mine, self.rows, at) * SHARE
        if self.judging:
            self.look(self.rows, score, minute)
            self.close((self.opened >= 0) & ((score < SUSPECTED) | (minute - self.opened >= PATIENCE)))
        calm = np.flatnonzero((score < SUSPECTED) & (self.opened < 0))
        self.model.learn(self.mine, calm, at[calm])
        hot = np.flatnonzero(self.opened >= 0)
        self.model.spoil(self.mine, hot, MONDAY + 60 * self.opened[hot], at[hot])

    def look(self, rows: Array, scores: Array, minute: int) -> None:
        loud = np.flatnonzero(scores >= LEVELS[0])
        for row, score in zip(rows[loud].tolist(), scores[loud].tolist(), strict=True):
            if self.opened[row] < 0:
                self.opened[row], self.highest[row] = minute, 0.0
            self.highest[row] = max(self.highest[row], score)
            if score >= PAGE and self.paged[row] < 0:
                self.paged[row] = minute

    def close(self, done: Array) -> None:
        for row in np.flatnonzero(done).tolist():
            self.alerts.append((row, float(self.highest[row])))
            self.opened[row] = -1
        resolved = np.flatnonzero(done)
        self.model.restart(self.mine, resolved)

    def freeze(self, minute: int) -> None:
        self.model.freeze(self.mine, self.rows, np.full(self.n, MONDAY + 60 * minute))
        self.judging = True

    def split(self, copies: int) -> Watch:
        """Copies of everybody, side by side."""
        other = Watch(self.model, self.n * copies)
        for copy in range(copies):
            other.mine.load(self.mine.dump(self.rows), self.rows + copy * self.n)
        other.judging = True
        return other


def interval(hits: int, amount: float) -> str:
    """Rate with a 95 % Poisson interval (Wilson-Hilferty), from hits over an amount of agent-months."""

    def bound(k: float, z: float) -> float:
        return k * (1 - 1 / (9 * k) + z / (3 * k**0.5)) ** 3 if k else 0.0

    low, high = bound(hits, -1.96), bound(hits + 1, 1.96)
    return f"{hits / amount:.3f} [{low / amount:.3f}, {high / amount:.3f}]"


def table(
    name: str, kinds: Array, labels: list[str], alerts: list[tuple[int, float]], noisy: Array, months: float
) -> None:
    print(f"\n{name}: false alarms per agent-month [95 % interval]")
    print(f"{'kind':14} {'n':>4} {'noisy':>5} {'months':>7}" + "".join(f"  {f'>= {x:g}':<22}" for x in LEVELS))
    for k, label in [*enumerate(labels), (-1, "all")]:
        inside = kinds == k if k >= 0 else kinds >= 0
        amount = inside.sum() * months
        hits = [sum(bool(inside[row]) and score >= level for row, score in alerts) for level in LEVELS]
        print(
            f"{label:14} {inside.sum():4} {noisy[inside].sum():5} {amount:7.1f}"
            + "".join(f"  {interval(h, amount):<22}" for h in hits),
            flush=True,
        )


def rhythms(path: Path, per_kind: int, reference: int, clean: int, seed: int) -> None:
    """The evaluation's ten kinds: clean weeks, then each change within a week after the reference."""
    sys.path.insert(0, str(path))
    load_agents = importlib.import_module("evaluate.load_agents")
    spec = [(kind, seed + 1000 * kind + i) for kind in range(10) for i in range(per_kind)]
    kinds, total = np.array([kind for kind, _ in spec]), (reference + clean) * DAY
    agents = [load_agents.LoadAgent(kind, s, total) for kind, s in spec]
    counts = np.stack([a.counts(a.rates(), 7000 + a.seed) for a in agents], 1)
    watch, began = Watch(RateModel(), len(agents)), time.perf_counter()
    for minute in range(reference * DAY):
        watch.minute(minute, counts[minute])
    watch.freeze(reference * DAY)
    changed = watch.split(len(CHANGES))
    for minute in range(reference * DAY, total):
        watch.minute(minute, counts[minute])
    watch.close(watch.opened >= 0)
    print(f"{time.perf_counter() - began:.0f} s, {watch.model.memory.itemsize} bytes an agent")
    table(f"reference {reference} d, then {clean} d", kinds, load_agents.KINDS, watch.alerts,
          watch.mine.noisy, clean * DAY / MONTH)  # fmt: skip
    detections(load_agents, spec, changed, counts, reference * DAY, agents)


def detections(
    load_agents: Any, spec: list[tuple[int, int]], watch: Watch, clean: Array, start: int, agents: Any
) -> None:
    """Pages within 7 days of a change that begins at a random minute of the first day after the reference."""
    n, week = len(spec), 7 * DAY
    onsets = np.array([int(np.random.default_rng(99 + s).integers(0, DAY)) for _, s in spec])
    logs = np.empty((week + DAY, n * len(CHANGES)), np.int64)
    for i, (kind, s) in enumerate(spec):
        agent = load_agents.LoadAgent(kind, s, start + week + DAY)
        for c, change in enumerate(CHANGES):
            log = agent.injected(change, start + int(onsets[i]), 7000 + s)[start:]
            log[: onsets[i]] = clean[start : start + onsets[i], i]
            logs[:, c * n + i] = log
    onset = np.tile(onsets, len(CHANGES)) + start
    for minute in range(start, start + week + DAY):
        watch.minute(minute, logs[minute - start])
        early = (watch.paged >= 0) & (watch.paged < onset)
        watch.paged[early] = -1
    delay = np.where((watch.paged >= 0) & (watch.paged < onset + week), watch.paged - onset + 1, np.inf)
    kinds, means = np.array([k for k, _ in spec]), np.array([a.mean for a in agents])
    print("\npages within 7 d of a change: share, median delay in minutes")
    print(f"{'kind':14} {'n':>4}" + "".join(f" {c:>16}" for c in CHANGES))
    groups = [(load_agents.KINDS[k], kinds == k) for k in range(10)] + [
        ("all", kinds >= 0),
        ("mean >= 1/min", means >= 1),
    ]
    for label, inside in groups:
        cells = ""
        for c in range(len(CHANGES)):
            of = delay[c * n : (c + 1) * n][inside]
            cells += f" {100 * np.isfinite(of).mean():6.0f} % {np.quantile(of, 0.5, method='lower'):7.0f}"
        print(f"{label:14} {inside.sum():4}{cells}", flush=True)


def fleet(n: int, days: int, reference: int, seed: int) -> None:
    """Sparse agents with sessions: about 65 actions a day in clumps of 4, 20 s apart, on bursty days."""
    rng = np.random.default_rng(seed)
    watch = Watch(RateModel(), n)
    office = np.arange(n) % 2 == 1
    for day in range(days):
        clumps = rng.negative_binomial(0.6, 0.6 / (0.6 + 65 / 4), n) * ~(office & (day % 7 >= 5))
        who = np.repeat(np.arange(n), clumps)
        begin = np.where(office[who], rng.uniform(8 * 3600, 18 * 3600, len(who)), rng.uniform(0, 86300, len(who)))
        size = rng.poisson(3.0, len(who)) + 1
        at = np.repeat(begin, size) + 20.0 * (np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size))
        who, minute = np.repeat(who, size), np.minimum(at // 60, DAY - 1).astype(np.int64)
        counts = np.zeros((DAY, n), np.int64)
        np.add.at(counts, (minute, who), 1)
        for m in range(DAY):
            watch.minute(day * DAY + m, counts[m])
        if day == reference - 1:
            watch.freeze(reference * DAY)
    watch.close(watch.opened >= 0)
    table(f"sparse sessions, reference {reference} d, then {days - reference} d", office.astype(int),
          ["round the clock", "office hours"], watch.alerts, watch.mine.noisy, (days - reference) * DAY / MONTH)  # fmt: skip


def cost() -> None:
    """Microseconds for one agent: a minute with actions (a close), and an hourly tick with learning."""
    print(f"\n{'width':>6} {'us a close':>11} {'us a tick':>10} {'of it learning':>15}")
    for n in (1, 10, 100, 1000):
        model, rows, rng = RateModel(), np.arange(n), np.random.default_rng(1)
        mine = Columns(model.memory, n)
        model.start(mine, rows, np.full(n, MONDAY))
        spent, hours = np.zeros(3), 40
        for minute in range(hours * HOUR):
            late = minute >= 30 * HOUR
            if late or minute % 10 == 0:
                began = time.perf_counter()
                model.feed(mine, rows, np.full(n, MONDAY + 60 * minute), rng.poisson(3.0, n) + 1)
                spent[0] += (time.perf_counter() - began) * late
            if minute % HOUR == HOUR - 1:
                at, began = np.full(n, MONDAY + 60 * minute + 60), time.perf_counter()
                model.advance(mine, rows, at)
                between = time.perf_counter()
                model.learn(mine, rows, at)
                spent[1] += (time.perf_counter() - began) * late
                spent[2] += (time.perf_counter() - between) * late
        close, tick, learning = spent / n * 1e6 / np.array([600, 10, 10])
        print(f"{n:6} {close:11.2f} {tick:10.1f} {learning:15.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--evaluation", type=Path, default=Path("tests/evaluation"), help="holds evaluate/load_agents.py"
    )
    parser.add_argument("--per-kind", type=int, default=10)
    parser.add_argument("--reference", type=int, default=28, help="days")
    parser.add_argument("--clean", type=int, default=28, help="days")
    parser.add_argument("--fleet", type=int, default=200, help="sparse agents")
    parser.add_argument("--seed", type=int, default=2300)
    parser.add_argument("--only", choices=("rhythms", "fleet", "cost"))
    chosen = parser.parse_args()
    if chosen.only in (None, "rhythms"):
        rhythms(chosen.evaluation, chosen.per_kind, chosen.reference, chosen.clean, chosen.seed)
    if chosen.only in (None, "fleet"):
        fleet(chosen.fleet, 60, 14, chosen.seed)
    if chosen.only in (None, "cost"):
        cost()


if __name__ == "__main__":
    main()
