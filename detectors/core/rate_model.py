"""Counts over time: how surprising an agent's rate is, on several time scales, for all agents at once.

Pure arithmetic on columns. Every row is judged by its own numbers alone and in its own order, so results do not
depend on how the log was cut into calls or who else is in them, bit for bit.
"""

from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from detectors.core import rate_offset
from detectors.core.rate_bins import BINS, CONTEXTS, DAY_SECONDS, HOUR_SECONDS, ROWS, Array, Ints, bins
from detectors.core.rate_lane import ALTERNATIVES, RUN_DAYS, TAUGHT_NOT, Lane
from detectors.core.rate_learn import LATE_HOURS, learn

WARM_DAYS = 5  # of learning before raw scores tell anything about the agent
QUIET = 0.5  # a score up to this is rest: it is not reported and carries no explanation
CHUNK = 2048  # rows at a time: small enough for the cache
VIEW_CHUNK = 256


class Moves(NamedTuple):
    """Scores that moved: index of the event in the input, the agent's row, and its score after that event."""

    event: Ints
    row: Ints
    score: Array


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
            ("high", "f4", (k,)),
            ("knee", "f8", (k,)),
            ("spread", "f4", (k,)),
            ("promise", "f4", (k,)),
            ("previous", "u1", (k,)),
            ("largest", "u1", (k,)),
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
            lane.predict(mine, rows)

    def feed(self, mine: Any, rows: Ints, at: Array, counts: Ints) -> Moves:
        """Judge events in log order; `counts` is how many actions each stands for, `at` never falls for a row."""
        if not len(rows):
            return Moves(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        order = np.argsort(rows, kind="stable")
        row, when, many = rows[order], at[order].astype(np.int64), counts[order].astype(np.int64)
        first = np.concatenate(([True], row[1:] != row[:-1]))
        leader = np.maximum.accumulate(np.where(first, np.arange(len(row)), 0))
        before = self._combined(mine.shown[row])
        shown = np.empty((len(row), len(self.lanes)))
        moved = np.zeros(len(row), np.bool_)
        for lane in self.lanes:
            shown[:, lane.number], judged = self._feed_lane(lane, mine, row, when, many, leader)
            moved |= judged
        score = self._combined(shown)
        before[1:] = np.where(first[1:], before[1:], score[:-1])
        told = np.flatnonzero(moved & (score != before) & (np.maximum(score, before) > QUIET))
        told = told[np.argsort(order[told])]
        return Moves(order[told], row[told], score[told])

    def advance(self, mine: Any, rows: Ints, at: Array) -> Array:
        """Close everything up to these times (once an hour of each agent's clock); the scores then."""
        at = at.astype(np.int64)
        for first in range(0, len(rows), CHUNK):
            some, when = rows[first : first + CHUNK], at[first : first + CHUNK]
            for lane in self.lanes:
                self._advance_lane(lane, mine, some, when // lane.seconds)
            self._end_day(mine, some, when // DAY_SECONDS)
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
        lane = self.lanes[int(np.argmax(mine.shown[row]))]
        j = lane.number
        seen, due, since = int(mine.seen[row, j]), float(mine.due[row, j]), int(mine.since[row, j])
        direction = "up" if seen > due else "down" if seen else "silence"
        return Explanation(seen, due, lane.seconds, since or int(at), direction)

    def _combined(self, shown: Array) -> Array:
        return np.add.accumulate(shown, axis=1)[:, -1] / len(self.lanes)

    def _feed_lane(self, lane: Lane, mine: Any, row: Ints, when: Ints, many: Ints, leader: Ints) -> tuple[Array, Array]:
        """Shown score of one lane after each event (events sorted by row), and at which it was judged anew."""
        j, n = lane.number, len(row)
        bucket = np.maximum(when // lane.seconds, mine.bucket[row, j])
        cut = np.concatenate(([True], (row[1:] != row[:-1]) | (bucket[1:] != bucket[:-1])))
        start = np.flatnonzero(cut)
        stop = np.append(start[1:], n)
        total = np.cumsum(many)
        through = total - np.repeat(total[start] - many[start], stop - start)  # actions in the visit up to the event
        value, judged = mine.shown[row, j], np.zeros(n, np.bool_)
        turn = np.arange(len(start)) - np.searchsorted(start, leader[start])
        for k in range(int(turn.max()) + 1):
            visits = np.flatnonzero(turn == k)
            for first in range(0, len(visits), CHUNK):
                self._visit(lane, mine, row, bucket, through, visits[first : first + CHUNK], start, stop, value, judged)
        last = np.maximum.accumulate(np.where(judged | (np.arange(n) == leader), np.arange(n), 0))
        return value[last], judged

    def _visit(self, lane: Lane, mine: Any, row: Ints, bucket: Ints, through: Ints, visits: Ints, start: Ints,
               stop: Ints, value: Array, judged: Array) -> None:  # fmt: skip
        """Events of one bucket for each of several rows: close what is before, then count and watch the tripwire."""
        j, opening = lane.number, start[visits]
        who = row[opening]
        closed = mine.bucket[who, j] < bucket[opening]
        self._advance_lane(lane, mine, who[closed], bucket[opening[closed]])
        value[opening[closed]] = mine.shown[who[closed], j]
        judged[opening[closed]] = True
        held = mine.count[who, j].astype(np.int64)
        size = stop[visits] - opening
        event = np.repeat(opening, size) + np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        after = np.repeat(held, size) + through[event]
        previous = np.concatenate(([0], after[:-1]))
        previous[np.cumsum(size) - size] = held
        b = bins(after)
        hot = np.flatnonzero(
            (b > bins(previous)) & (b >= mine.trip[row[event], j]) & (bucket[event] != mine.excused[row[event], j])
        )
        while len(hot):  # the first of each row, then the second, ...: each sees what the one before showed
            lead = np.concatenate(([True], row[event[hot[1:]]] != row[event[hot[:-1]]]))
            now = hot[lead]
            self._trip(lane, mine, row[event[now]], after[now], b[now])
            value[event[now]] = mine.shown[row[event[now]], j]
            judged[event[now]] = True
            hot = hot[~lead]
        mine.count[who, j] = np.minimum(held + through[stop[visits] - 1], 0xFFFFFFFF)

    def _trip(self, lane: Lane, mine: Any, rows: Ints, count: Ints, b: Ints) -> None:
        raw = np.maximum(lane.closed(mine, rows), lane.opened(mine, rows, b))
        self._show(lane, mine, rows, raw, mine.bucket[rows, lane.number], count, lane.mean_count(mine, rows))

    def _advance_lane(self, lane: Lane, mine: Any, rows: Ints, to: Ints) -> None:
        """Close the open bucket and the empty ones after it, up to bucket `to`."""
        j = lane.number
        behind = mine.bucket[rows, j] < to
        rows, to = rows[behind], to[behind]
        arrived = rows
        while len(rows):
            self._pass_over(lane, mine, rows, to)
            bucket, count = mine.bucket[rows, j], mine.count[rows, j].astype(np.int64)
            due = lane.mean_count(mine, rows)
            alone = np.ones(len(rows), np.bool_) if lane.hourly else count > 0
            if alone.any():
                lane.close(mine, rows[alone])
            if not alone.all():
                an_hour = HOUR_SECONDS // lane.seconds
                end = np.minimum(to, (bucket // an_hour + 1) * an_hour)
                lane.pass_empty(mine, rows[~alone], (end - bucket)[~alone])
            self._show(lane, mine, rows, lane.closed(mine, rows), bucket, count, due)
            more = mine.bucket[rows, j] < to
            rows, to = rows[more], to[more]
            if lane.hourly and len(rows):
                lane.predict(mine, rows)
        if len(arrived):
            lane.predict(mine, arrived)

    def _pass_over(self, lane: Lane, mine: Any, rows: Ints, to: Ints) -> None:
        """Of a silence longer than a week, weigh a week: skip the rest, unweighed and untaught."""
        j = lane.number
        long = (to - mine.bucket[rows, j] > RUN_DAYS * lane.buckets_a_day) & (mine.count[rows, j] == 0)
        if long.any():
            who = rows[long]
            mine.bucket[who, j] = to[long] - RUN_DAYS * lane.buckets_a_day
            mine.pending[who, lane.ring] = TAUGHT_NOT
            mine.previous[who, j] = 0
            mine.level[who, j] = 0

    def _show(self, lane: Lane, mine: Any, rows: Ints, raw: Array, bucket: Ints, count: Ints, due: Array) -> None:
        """Take a raw score as the lane's present one: its day's maximum, its calibrated value, its explanation."""
        j = lane.number
        mine.high[rows, j] = np.maximum(mine.high[rows, j], raw)
        now, before = rate_offset.calibrated(mine, rows, j, raw), mine.shown[rows, j]
        mine.shown[rows, j] = now
        loud = np.flatnonzero(now > QUIET)
        if len(loud):
            leaving = loud[before[loud] <= QUIET]
            mine.since[rows[leaving], j] = bucket[leaving] * lane.seconds
            mine.top[rows[leaving], j] = 0
            best = loud[now[loud] > mine.top[rows[loud], j]]
            mine.top[rows[best], j] = now[best]
            mine.seen[rows[best], j] = count[best]
            mine.due[rows[best], j] = due[best]

    def _end_day(self, mine: Any, rows: Ints, day: Ints) -> None:
        over = day > mine.day[rows]
        rows, day = rows[over], day[over]
        cold = rows[mine.day[rows] < mine.warm[rows]]
        mine.evidence[cold] = 0
        warm = rows[(mine.day[rows] >= mine.warm[rows]) & ~mine.frozen[rows]]
        if len(warm):
            rate_offset.keep_peaks(mine, warm)
        mine.high[rows] = 0
        mine.day[rows] = day
