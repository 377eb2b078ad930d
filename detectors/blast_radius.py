"""An agent destroys far more than it ever did in an hour or a day.

Sees: the number of destructive actions (effect `delete`, not denied) in the running hour and day. Why: a hundredfold
of an allowed call ruins more than a forbidden one. How: the running count against a negative binomial with the upper
99 % limit of the reference mean and its over-dispersion, for growth by 2, 5 and 15; since the ratio only rises with
the count, it may be read at every event. Days add up; hours do not, since busy hours come together. Cannot see: what one call destroys (amounts), slow growth over weeks.
"""

from __future__ import annotations

import numpy as np

from detectors.core.batch import Batch
from detectors.core.columns import Array, Columns, Rows
from detectors.core.detector import Detector, Hit, Standing
from detectors.core.evidence import MONTH, SCORE_MAX
from detectors.core.exact import exp, log
from detectors.core.family import Explanation, Family
from detectors.core.story import Story, act

WINDOWS = (3600.0, 86_400.0)
NAMES = ("hour", "day")
GROWTH = (2.0, 5.0, 15.0)
#: the ratio is computed anew when the count has grown by this factor
STEP = 1.15
#: 99 % quantile of a standard normal
Z99 = 2.3263478740408408
_LOG_GROWTH = tuple(log(k) for k in GROWTH)


class BlastRadius(Detector):
    """Destructive volume, in an hour and in a day."""

    name = "blast_radius"
    families = (Family("destructive", weight=0.06, gate=True),)
    memory = np.dtype([
        ("window", "f8", (2,)),  # number of the running window
        ("count", "f8", (2,)),  # destructive actions in it
        ("next", "f8", (2,)),  # the count at which the ratio is computed anew
        ("start", "f8", (2, 3)),  # evidence when the window began
        ("now", "f8", (2, 3)),
        ("sum", "f8", (2,)),
        ("squares", "f8", (2,)),
        ("windows", "f8", (2,)),  # of the reference
        ("limit", "f8", (2,)),  # upper limit of the mean; 0: no reference yet
        ("mean", "f8", (2,)),
        ("shape", "f8", (2,)),  # r of the negative binomial
        ("since", "f8"),
    ])

    stories = (
        Story("two deletions a minute", fires=True, usual=(act(1200, "crm:read"), act(43_200, "crm:delete", effect="delete")),
              drift=(act(30, "crm:delete", effect="delete"),)),
        Story("reads are no deletions", fires=False, usual=(act(1200, "crm:read"), act(43_200, "crm:delete", effect="delete")),
              drift=(act(30, "crm:read", effect="read"), act(60, "crm:delete", effect="delete", outcome="denied"))),
    )

    def start(self, rows: Rows, clocks: Array, mine: Columns) -> None:
        """Windows begin at the first record."""
        for w, seconds in enumerate(WINDOWS):
            mine.window[rows, w] = np.floor(clocks / seconds)

    def wants(self, batch: Batch) -> Rows:
        """Destructive actions of the agent itself."""
        found: Rows = np.flatnonzero(batch.destructive & batch.own)
        return found

    def judge(self, hit: Hit, mine: Columns) -> list[tuple[int, float]]:
        """Count it; score it when the count has grown enough."""
        row, changed = hit.row, False
        for w, seconds in enumerate(WINDOWS):
            window = hit.clock // seconds
            if window > mine.window[row, w]:
                self._close(np.array([row]), w, np.array([window]), mine)
            count = mine.count[row, w] = mine.count[row, w] + hit.count
            if mine.limit[row, w] and count >= mine.next[row, w]:
                mine.next[row, w] = count * STEP + 1.0
                self._weigh(row, w, float(count), seconds, mine)
                changed = True
        if not changed:
            return []
        score = self._score(row, mine)
        if score >= 1.0 and not mine.since[row]:
            mine.since[row] = hit.clock
        return [(0, score)]

    def _weigh(self, row: int, w: int, count: float, seconds: float, mine: Columns) -> None:
        limit, shape = float(mine.limit[row, w]), float(mine.shape[row, w])
        base, lapse = log(shape + limit), seconds / MONTH
        for k, growth in enumerate(GROWTH):
            ratio = count * _LOG_GROWTH[k] + (shape + count) * (base - log(shape + growth * limit))
            rested = (1.0 - lapse) * float(mine.start[row, w, k]) + lapse
            mine.now[row, w, k] = min(rested * exp(min(ratio, 60.0)), SCORE_MAX)

    @staticmethod
    def _score(row: int, mine: Columns) -> float:
        now: list[float] = mine.now[row].ravel().tolist()
        return sum(now) / len(now)

    # -- windows that end

    def tick(self, rows: Rows, at: Array, mine: Columns) -> Array | None:
        """Close the windows that ended; scores."""
        for w, seconds in enumerate(WINDOWS):
            window = np.floor(at / seconds)
            over = window > mine.window[rows, w]
            if over.any():
                self._close(rows[over], w, window[over], mine)
        now = mine.now[rows].reshape(len(rows), -1)
        total = now[:, 0]
        for i in range(1, now.shape[1]):
            total = total + now[:, i]
        score = total / now.shape[1]
        mine.since[rows] = np.where(score < 0.1, 0.0, mine.since[rows])
        return score[:, None]

    def _close(self, rows: Rows, w: int, window: Array, mine: Columns) -> None:
        count, passed = mine.count[rows, w], window - mine.window[rows, w]
        limit, shape = mine.limit[rows, w], mine.shape[rows, w]
        learning = limit == 0
        mine.sum[rows, w] += np.where(learning, count, 0.0)
        mine.squares[rows, w] += np.where(learning, count * count, 0.0)
        mine.windows[rows, w] += np.where(learning, passed, 0.0)
        if not learning.all():
            self._rest(rows[~learning], w, count[~learning], passed[~learning], limit[~learning], shape[~learning], mine)
        mine.window[rows, w], mine.count[rows, w], mine.next[rows, w] = window, 0.0, 1.0

    def _rest(self, rows: Rows, w: int, count: Array, passed: Array, limit: Array, shape: Array, mine: Columns) -> None:
        lapse = WINDOWS[w] / MONTH
        base = log(shape + limit)
        for k, growth in enumerate(GROWTH):
            loss = base - log(shape + growth * limit)  # negative
            ratio = exp(np.minimum(count * _LOG_GROWTH[k] + (shape + count) * loss, 60.0))
            if w == 0:
                mine.start[rows, w, k] = mine.now[rows, w, k] = lapse
                continue
            value = np.minimum(((1.0 - lapse) * mine.start[rows, w, k] + lapse) * ratio, SCORE_MAX)
            empty = np.maximum(passed - 1.0, 0.0)  # windows without any action since
            keep = exp(np.maximum(empty * (shape * loss - lapse), -700.0))
            mine.start[rows, w, k] = np.where(empty > 0, value * keep + lapse * (1.0 - keep), value)
            mine.now[rows, w, k] = mine.start[rows, w, k]

    # -- the reference

    def freeze(self, rows: Rows, at: Array, mine: Columns) -> None:
        """Mean, its upper limit, and over-dispersion of each window."""
        for w in range(len(WINDOWS)):
            windows = np.maximum(mine.windows[rows, w], 1.0)
            total = mine.sum[rows, w]
            mean = (total + 0.3) / (windows + 0.3)
            variance = np.maximum(mine.squares[rows, w] / windows - (total / windows) * (total / windows), 0.0)
            over = 1.5 * (0.6 * np.minimum(np.maximum(variance - mean, 0.0) / (mean * mean), 20.0) + 0.42)
            spread = 1.0 + over * np.maximum(mean, 0.05)
            a = total / spread + 0.5
            root = 1.0 - 1.0 / (9.0 * a) + Z99 / (3.0 * np.sqrt(a))  # Wilson-Hilferty, upper 99 % of a gamma
            mine.limit[rows, w] = a * root * root * root * spread / windows
            mine.mean[rows, w], mine.shape[rows, w] = total / windows, 1.0 / over
            mine.next[rows, w] = 1.0
        mine.start[rows] = 0.0
        mine.now[rows] = 0.0

    def restart(self, row: int, at: float, mine: Columns) -> None:
        """Evidence back to rest."""
        mine.start[row] = mine.now[row] = mine.count[row] = 0.0
        mine.since[row] = 0.0

    def explain(self, row: int, at: float, mine: Columns, standings: dict[str, Standing]) -> Explanation:
        """The window that says most, its count and what was to be expected."""
        w = int(mine.now[row].sum(axis=1).argmax())
        count, mean = float(mine.count[row, w]), float(mine.mean[row, w])
        return Explanation(
            f"{count:.0f} destructive action{'s' if count != 1 else ''} in the running {NAMES[w]}, {mean:.2g} expected",
            float(mine.since[row]) or None, count, round(mean, 4),
        )
