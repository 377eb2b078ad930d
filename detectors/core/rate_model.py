"""Counts over time: how surprising an agent's rate is, on several time scales, for all agents at once.

Pure arithmetic on columns. Every row is judged by its own numbers alone and in its own order, so results do not
depend on how the log was cut into calls or who else is in them, bit for bit.
"""

from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from detectors.core import rate_offset
from detectors.core.rate_bins import BINS, CONTEXTS, DAY_SECONDS, HOUR_SECONDS, ROWS, Array, Ints, falls
from detectors.core.rate_judge import CHUNK, QUIET, SHOWN, advance_lane, feed_lane, shown
from detectors.core.rate_lane import ALTERNATIVES, TAUGHT_NOT, Lane
from detectors.core.rate_learn import LATE_HOURS, learn

WARM_DAYS = 7  # of learning before raw scores tell anything about the agent
LOUD = 1e3  # raw evidence that is put to rest each hour while the reference is taken
VIEW_CHUNK = 256


class Moves(NamedTuple):
    """Scores that moved: index of the event in the input, the agent's row, its score and what explains it by then."""

    event: Ints
    row: Ints
    score: Array
    said: Array


#: a row of what explains a score: seconds of a bucket, events seen in it, events due, epoch seconds since when
SAID = 4


class Explanation(NamedTuple):
    """What a sentence needs: so many events in a bucket, so many expected, since when, and which way it went."""

    observed: int
    expected: float
    bucket_seconds: int
    since: int
    direction: str


class RateModel:
    """The log-bin context mixture with one e-detector for each alternative; see rate_lane for the arithmetic."""

    def __init__(self, seconds: tuple[int, ...] = (60, 3600)) -> None:
        self.lanes, ring = [], 0
        for number, length in enumerate(seconds):
            hours = LATE_HOURS if length < HOUR_SECONDS else LATE_HOURS + 25  # these ask for the day before, too
            size = max(2, hours * HOUR_SECONDS // length)
            self.lanes.append(Lane(number, length, slice(ring, ring + size)))
            ring += size
        k = len(seconds)
        self.memory = np.dtype([
            ("counts", "u1", (k, ROWS, BINS)),  # how often each bin was seen in each context
            ("pending", "u1", (ring,)),         # bins of the last hours, until they are old enough to teach
            ("overall", "f4", (k, BINS)),       # counts without context
            ("expected", "f4", (k, BINS)),      # prediction for the open bucket
            ("evidence", "f8", (k, ALTERNATIVES)),
            ("trust", "f4", (k, 1 + CONTEXTS)),  # weight of each predictor
            ("lean", "f4", (k, 1 + CONTEXTS)),  # the same for the next bucket: what foresaw the last ones counts more
            ("bucket", "i8", (k,)),
            ("learnt", "i8", (k,)),             # first bucket not yet learnt
            ("taught_from", "i8", (k,)),        # first bucket that may be learnt
            ("excused", "i8", (k,)),  # bucket in which a person put the evidence to rest: not weighed
            ("shown", "f8", (k,)),              # calibrated score as of the last close or tripwire
            ("top", "f8", (k,)),                # its maximum since it left rest, and what was seen and due then
            ("since", "i8", (k,)),
            ("seen", "u4", (k,)),
            ("due", "f4", (k,)),
            ("count", "u4", (k,)),
            ("level", "f4", (k,)),
            ("learnt_level", "f4", (k,)),
            ("peaks", "f4", (k, rate_offset.PEAKS)),
            ("totals", "u1", (rate_offset.DAY_BINS,)),  # days of the reference by their number of actions
            ("today", "i8"),
            ("high", "f4", (k,)),
            ("knee", "f8", (k,)),
            ("scale", "f4", (k,)),
            ("shape", "f4", (k,)),
            ("promise", "f4", (k,)),
            ("previous", "u1", (k,)),
            ("largest", "u1", (k,)),
            ("fall", "u1", (k,)),  # how fast the tail of the counts falls
            ("trip", "u1", (k,)),
            ("day", "i4"), ("warm", "i4"), ("days", "u2"), ("frozen", "?"), ("noisy", "?"),
        ])  # fmt: skip

    def start(self, mine: Any, rows: Ints, at: Array) -> None:
        """These agents become known at these times; the bucket they are met in is not learnt."""
        for name in self.memory.names or ():
            getattr(mine, name)[rows] = 0
        at = at.astype(np.int64)
        mine.day[rows] = at // DAY_SECONDS
        mine.warm[rows] = at // DAY_SECONDS + WARM_DAYS
        for lane in self.lanes:
            j, bucket = lane.number, at // lane.seconds
            mine.bucket[rows, j] = mine.learnt[rows, j] = bucket
            mine.excused[rows, j] = -1
            mine.taught_from[rows, j] = bucket + 1
            mine.trust[rows, j, : 1 + lane.contexts] = 1.0 / (1 + lane.contexts)
            mine.lean[rows, j] = mine.trust[rows, j]
            mine.fall[rows, j] = falls(mine.overall[rows, j])
            lane.predict(mine, rows)

    def feed(self, mine: Any, rows: Ints, at: Array, counts: Ints) -> Moves:
        """Judge events in log order; `counts` is how many actions each stands for, `at` never falls for a row."""
        if not len(rows):
            return Moves(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros((0, SAID)))
        order = np.argsort(rows, kind="stable")
        row, when, many = rows[order], at[order].astype(np.int64), counts[order].astype(np.int64)
        first = np.concatenate(([True], row[1:] != row[:-1]))
        leader = np.maximum.accumulate(np.where(first, np.arange(len(row)), 0))
        before = self._combined(mine.shown[row])
        after = np.empty((len(row), len(self.lanes)), SHOWN)
        moved = np.zeros(len(row), np.bool_)
        for lane in self.lanes:
            after[:, lane.number], judged = feed_lane(lane, mine, row, when, many, leader)
            moved |= judged
        np.add.at(mine.today, row, many)
        score = self._combined(after["score"])
        before[1:] = np.where(first[1:], before[1:], score[:-1])
        told = np.flatnonzero(moved & (score != before) & (np.maximum(score, before) > QUIET))
        told = told[np.argsort(order[told])]
        return Moves(order[told], row[told], score[told], self._said(after[told]))

    def advance(self, mine: Any, rows: Ints, at: Array) -> Array:
        """Close everything up to these times (once an hour of each agent's clock); the scores then."""
        at = at.astype(np.int64)
        for first in range(0, len(rows), CHUNK):
            some, when = rows[first : first + CHUNK], at[first : first + CHUNK]
            for lane in self.lanes:
                advance_lane(lane, mine, some, when // lane.seconds)
            self._end_day(mine, some, when // DAY_SECONDS)
            self._calm_reference(mine, some)
        return self._combined(mine.shown[rows])

    def learn(self, mine: Any, rows: Ints, at: Array) -> None:
        """Move the baselines: learn what is at least 24 h old at these times, not spoilt, and not yet learnt."""
        for first in range(0, len(rows), CHUNK):
            some, when = rows[first : first + CHUNK], at[first : first + CHUNK].astype(np.int64)
            for lane in self.lanes:
                learn(lane, mine, some, when)
                lane.predict(mine, some)

    def spoil(self, mine: Any, rows: Ints, since: Array, until: Array) -> None:
        """Closed buckets that overlap [since, until] never teach."""
        for lane in self.lanes:
            bucket = mine.bucket[rows, lane.number]
            low = np.maximum(since.astype(np.int64) // lane.seconds, bucket - lane.size)
            length = np.maximum(np.minimum(until.astype(np.int64) // lane.seconds, bucket - 1) - low + 1, 0)
            who, step = np.nonzero(np.arange(int(length.max(initial=0))) < length[:, None])
            mine.pending[rows[who], lane.ring.start + (low[who] + step) % lane.size] |= TAUGHT_NOT

    def freeze(self, mine: Any, rows: Ints, at: Array) -> None:
        """The reference is taken: fix the calibration from the days watched, and begin at rest."""
        self.advance(mine, rows, at)
        rate_offset.fit(mine, rows)
        self.restart(mine, rows)

    def restart(self, mine: Any, rows: Ints) -> None:
        """Put the evidence back to rest; what the open buckets already hold is not weighed again."""
        for column in (mine.evidence, mine.shown, mine.top, mine.since, mine.seen, mine.due):
            column[rows] = 0
        mine.excused[rows] = np.where(mine.count[rows] > 0, mine.bucket[rows], -1)

    def score(self, mine: Any, rows: Ints, at: Array) -> Array:
        """Scores settled to these times; nothing stored changes."""
        at, scores = at.astype(np.int64), self._combined(mine.shown[rows])
        seconds = np.array([lane.seconds for lane in self.lanes])
        late = np.flatnonzero((mine.bucket[rows] < at[:, None] // seconds).any(axis=1))
        for first in range(0, len(late), VIEW_CHUNK):
            some = late[first : first + VIEW_CHUNK]
            view = SimpleNamespace(**{name: getattr(mine, name)[rows[some]] for name in self.memory.names or ()})
            scores[some] = self.advance(view, np.arange(len(some)), at[some])
        return scores

    def explain(self, mine: Any, row: int, at: float) -> Explanation:
        """What moved this agent's score most, on the time scale that counts most now."""
        return self.explained(self.said(mine, np.array([row]))[0], at)

    def said(self, mine: Any, rows: Ints) -> Array:
        """What explains the scores of these rows now [row, SAID]."""
        return self._said(np.stack([shown(mine, rows, lane.number) for lane in self.lanes], axis=1))

    def _said(self, after: Array) -> Array:
        """Of what all lanes show: the part of the one that shows most."""
        best = np.argmax(after["score"], axis=1)
        most = after[np.arange(len(after)), best]
        seconds = np.array([float(lane.seconds) for lane in self.lanes])
        return np.stack([seconds[best], most["seen"], most["due"], most["since"]], axis=1)

    @staticmethod
    def explained(said: Array, at: float) -> Explanation:
        """A row of `said` by name; `at` is told where it holds no time."""
        seconds, seen, due, since = said.tolist()
        direction = "up" if seen > due else "down" if seen else "silence"
        return Explanation(int(seen), due, int(seconds), int(since) or int(at), direction)

    def _combined(self, shown: Array) -> Array:
        return np.add.accumulate(shown, axis=1)[:, -1] / len(self.lanes)

    def _calm_reference(self, mine: Any, rows: Ints) -> None:
        """While the reference is taken, what would be resolved by a person is put to rest each hour."""
        for lane in self.lanes:
            loud = rows[~mine.frozen[rows]]
            loud = loud[lane.closed(mine, loud) > LOUD]
            mine.evidence[loud, lane.number] = 0

    def _end_day(self, mine: Any, rows: Ints, day: Ints) -> None:
        over = day > mine.day[rows]
        rows, day = rows[over], day[over]
        cold = rows[mine.day[rows] < mine.warm[rows]]
        mine.evidence[cold] = 0
        warm = rows[(mine.day[rows] >= mine.warm[rows]) & ~mine.frozen[rows]]
        if len(warm):
            rate_offset.keep_peaks(mine, warm)
        rate_offset.keep_totals(mine, rows[~mine.frozen[rows]])
        mine.high[rows] = 0
        mine.day[rows] = day
