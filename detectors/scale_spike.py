"""An agent suddenly acts far more, or far less, often than it does at this hour and after what it just did.

Sees: the number of actions per minute and per hour, up, down and silence. Why: a hundredfold of an allowed call is
how a stolen or broken agent does its harm. How: for each time scale a prediction of the next count from the agent's
own past (hour of week, what came just before, level), an e-detector for each kind of change, and a calibration by the
agent's own worst days of its reference. Cannot see: an agent that stays within its own worst day, and growth that is
slower than its baseline learns.
"""

from __future__ import annotations

import numpy as np

from detectors.core.batch import Batch
from detectors.core.columns import Array, Columns, Rows
from detectors.core.detector import NO_MOVES, Detector, Moves, Standing
from detectors.core.family import Explanation, Family
from detectors.core.rate_model import SAID, RateModel
from detectors.core.story import Story, act

_SPAN = {60: "a minute", 600: "ten minutes", 3600: "an hour", 21_600: "six hours", 86_400: "a day"}


class ScaleSpike(Detector):
    """Counts over time, against the agent's own learnt distribution."""

    name = "scale_spike"
    families = (Family("rate", weight=0.12),)
    model = RateModel()
    memory = np.dtype([*model.memory.descr, ("said", "f8", (SAID,))])  # what explains the score that was read last

    stories = (
        Story("sixty times as many", fires=True, usual=(act(600, "crm:read"),), drift=(act(10, "crm:read"),), days=0.1),
        Story("a steady agent goes on", fires=False, usual=(act(600, "crm:read"),), drift=()),
    )

    def start(self, rows: Rows, clocks: Array, mine: Columns) -> None:
        """The lanes begin."""
        self.model.start(mine, rows, clocks)

    def stream(self, batch: Batch, mine: Columns) -> Moves:
        """Count every action; say where the score moved."""
        own = np.flatnonzero(batch.own)
        if not len(own):
            return NO_MOVES
        moves = self.model.feed(mine, batch.row[own], batch.clock[own], batch.count[own].astype(np.int64))
        return Moves(own[moves.event], moves.row, np.zeros(len(moves.row), np.int64), moves.score, moves.said)

    def moved(self, row: int, told: Array, mine: Columns) -> None:
        """Keep what explains the score at that event."""
        mine.said[row] = told

    def tick(self, rows: Rows, at: Array, mine: Columns) -> Array | None:
        """Close the buckets up to the tick."""
        scores = self.model.advance(mine, rows, at)
        mine.said[rows] = self.model.said(mine, rows)
        return scores[:, None]

    def learn(self, rows: Rows, at: Array, mine: Columns) -> None:
        """Buckets that are a day old teach."""
        self.model.learn(mine, rows, at)

    def spoil(self, rows: Rows, since: Array, until: Array, mine: Columns) -> None:
        """These buckets never teach."""
        self.model.spoil(mine, rows, since, until)

    def freeze(self, rows: Rows, at: Array, mine: Columns) -> None:
        """Calibrate on the reference."""
        self.model.freeze(mine, rows, at)

    def restart(self, row: int, at: float, mine: Columns) -> None:
        """Evidence back to rest."""
        self.model.restart(mine, np.array([row]))
        mine.said[row] = self.model.said(mine, np.array([row]))[0]

    def blind(self, rows: Rows, mine: Columns) -> Array | None:
        """An agent whose own worst days leave nothing to be surprised by."""
        return np.where(mine.noisy[rows], 3, 0)

    def explain(self, row: int, at: float, mine: Columns, standings: dict[str, Standing]) -> Explanation:
        """The time scale that says most, its count and the count to be expected."""
        said = self.model.explained(mine.said[row], at)
        span = _SPAN.get(said.bucket_seconds, f"{said.bucket_seconds} seconds")
        if said.direction == "silence":
            reason = f"silent for {span}, {said.expected:.3g} actions expected"
        else:
            side = "more" if said.direction == "up" else "fewer"
            actions = "action" if said.observed == 1 else "actions"
            reason = f"{said.observed} {actions} in {span}, {side} than the {said.expected:.3g} expected at this time"
        return Explanation(reason, float(said.since), float(said.observed), round(float(said.expected), 4))
