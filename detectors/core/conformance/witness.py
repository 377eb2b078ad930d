"""A detector that sees every action and says how many: it shows that another one's fault is not felt beside it."""

from __future__ import annotations

import numpy as np

from detectors.core.batch import Batch
from detectors.core.columns import Array, Columns, Rows
from detectors.core.detector import Detector, Moves, Standing
from detectors.core.family import Explanation, Family


class Witness(Detector):
    """Counts."""

    name = "witness"
    families = (Family("seen", weight=1e-6),)
    memory = np.dtype([("seen", "f8"), ("ticks", "f8"), ("learnt", "f8"), ("frozen", "f8")])

    def stream(self, batch: Batch, mine: Columns) -> Moves:
        """Count the agents' own actions."""
        np.add.at(mine.seen, batch.row, batch.count)  # whole numbers: the order does not matter
        entry = np.flatnonzero(batch.own)
        return Moves(entry, batch.row[entry], np.zeros(len(entry), np.int64), batch.n[entry])

    def tick(self, rows: Rows, at: Array, mine: Columns) -> Array | None:
        """Count ticks."""
        mine.ticks[rows] += 1.0
        return mine.seen[rows][:, None]

    def learn(self, rows: Rows, at: Array, mine: Columns) -> None:
        """Count what may be learnt."""
        mine.learnt[rows] += 1.0

    def freeze(self, rows: Rows, at: Array, mine: Columns) -> None:
        """Note when."""
        mine.frozen[rows] = at

    def explain(self, row: int, at: float, mine: Columns, standings: dict[str, Standing]) -> Explanation:
        """How many."""
        return Explanation(f"{mine.seen[row]:.0f} actions")
