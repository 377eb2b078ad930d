"""The loads that are measured: JSON lines of about 326 bytes, made from a seed, on and on in event time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: the first event of every load: a Monday, ten seconds before a minute ends
BEGIN = 1_700_438_400.0 + 50.0
ACTIONS, TARGETS, SCOPES = 16, 40, 24
FIRST_USES, ASKED, SKIPPED, DENIED = 0.001, 0.05, 0.1, 0.005


@dataclass
class Load:
    """Events of `agents` agents at `a_second` of event time; Zipf with exponent `zipf`, or all alike at 0."""

    agents: int = 10_000
    a_second: float = 109_000.0
    zipf: float = 1.05
    seed: int = 0
    made: int = 0
    clock: float = BEGIN
    _random: np.random.Generator = field(init=False)
    shares: Array = field(init=False)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        weights = 1.0 / np.arange(1, self.agents + 1) ** self.zipf
        self.shares = weights / weights.sum()

    def name(self, k: int) -> str:
        """The k-th agent."""
        return f"support-{k % 50}/agent-{k:07d}"

    def scopes_of(self, k: int) -> list[str]:
        """All permissions that the k-th agent uses every day."""
        return [f"crm/{(k + act) % SCOPES}:write" for act in range(ACTIONS)]

    def targets_of(self, k: int) -> list[str]:
        """All areas (with a slash at the end) and targets that the k-th agent acts on every day."""
        own = f"crm/customers/{k}/"
        return ["crm/", "crm/customers/", own, *(f"{own}{number}" for number in range(TARGETS))]

    def lines(self, number: int) -> tuple[list[bytes], list[float]]:
        """The next events and their times."""
        random = self._random
        who = random.choice(self.agents, number, p=self.shares).tolist()
        times = (self.clock + np.sort(random.random(number)) * (number / self.a_second)).round(6)
        self.clock += number / self.a_second
        act = random.integers(0, ACTIONS, number).tolist()
        target = random.integers(0, TARGETS, number).tolist()
        amount = (random.random(number) * 1000).round(2).tolist()
        chance = random.random((number, 4)).tolist()
        lines = []
        for i, (k, a, t) in enumerate(zip(who, act, target, strict=True), self.made):
            new, asked, skipped, denied = chance[i - self.made]
            scope = f"new/{i % 5000}:write" if new < FIRST_USES else f"crm/{(k + a) % SCOPES}:write"
            more = ""
            if asked < ASKED:
                more = f'"approval":"{"skipped" if skipped < SKIPPED else "granted"}","approver":"anna",'
            if denied < DENIED:
                more += '"outcome":"denied",'
            lines.append(
                f'{{"id":"01HZX{i:012d}","time":{times[i - self.made]:.6f},"agent":"{self.name(k)}",'
                f'"session":"s-{i // 40:08d}","principal":"user-{k % 977}@example.org","action":"tool.action_{a}",'
                f'"target":"crm/customers/{k}/{t}","scope":"{scope}","amount":{amount[i - self.made]},"unit":"rows",'
                f'{more}"attrs":{{"model":"m-large-3","region":"eu-1","trace":"{i:016x}"}}}}'.encode()
            )
        self.made += number
        return lines, times.tolist()

    def batches(self, batch: int) -> Iterator[tuple[list[bytes], list[float]]]:
        """Batches of this many events, without end."""
        while True:
            yield self.lines(batch)
