"""Judging one lane of the rate model: closing what is over, watching the open bucket, showing what it is worth."""

from typing import Any

import numpy as np

from detectors.core import rate_offset
from detectors.core.rate_bins import HOUR_SECONDS, Array, Ints, bins
from detectors.core.rate_lane import RUN_DAYS, TAUGHT_NOT, Lane

QUIET = 0.5  # a score up to this is rest: it is not reported and carries no explanation
CHUNK = 2048  # rows at a time: small enough for the cache


#: what a lane shows, and what a sentence about it needs, at one event
SHOWN = np.dtype([("score", "f8"), ("seen", "f8"), ("due", "f8"), ("since", "f8")])


def shown(mine: Any, rows: Ints, j: int) -> Array:
    """What lane j shows of these rows now."""
    now = np.empty(len(rows), SHOWN)
    now["score"], now["seen"] = mine.shown[rows, j], mine.seen[rows, j]
    now["due"], now["since"] = mine.due[rows, j], mine.since[rows, j]
    return now


def feed_lane(lane: Lane, mine: Any, row: Ints, when: Ints, many: Ints, leader: Ints) -> tuple[Array, Array]:
    """What one lane shows after each event (events sorted by row), and at which it was judged anew."""
    j, n = lane.number, len(row)
    bucket = np.maximum(when // lane.seconds, mine.bucket[row, j])
    cut = np.concatenate(([True], (row[1:] != row[:-1]) | (bucket[1:] != bucket[:-1])))
    start = np.flatnonzero(cut)
    stop = np.append(start[1:], n)
    total = np.cumsum(many)
    through = total - np.repeat(total[start] - many[start], stop - start)  # actions in the visit up to the event
    value, judged = shown(mine, row, j), np.zeros(n, np.bool_)
    turn = np.arange(len(start)) - np.searchsorted(start, leader[start])
    for k in range(int(turn.max()) + 1):
        visits = np.flatnonzero(turn == k)
        for first in range(0, len(visits), CHUNK):
            _visit(lane, mine, row, bucket, through, visits[first : first + CHUNK], start, stop, value, judged)
    last = np.maximum.accumulate(np.where(judged | (np.arange(n) == leader), np.arange(n), 0))
    return value[last], judged


def _visit(lane: Lane, mine: Any, row: Ints, bucket: Ints, through: Ints, visits: Ints, start: Ints,
           stop: Ints, value: Array, judged: Array) -> None:  # fmt: skip
    """Events of one bucket for each of several rows: close what is before, then count and watch the tripwire."""
    j, opening = lane.number, start[visits]
    who = row[opening]
    closed = mine.bucket[who, j] < bucket[opening]
    advance_lane(lane, mine, who[closed], bucket[opening[closed]])
    value[opening[closed]] = shown(mine, who[closed], j)
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
        _trip(lane, mine, row[event[now]], after[now], b[now])
        value[event[now]] = shown(mine, row[event[now]], j)
        judged[event[now]] = True
        hot = hot[~lead]
    mine.count[who, j] = np.minimum(held + through[stop[visits] - 1], 0xFFFFFFFF)


def _trip(lane: Lane, mine: Any, rows: Ints, count: Ints, b: Ints) -> None:
    raw = np.maximum(lane.closed(mine, rows), lane.opened(mine, rows, b))
    _show(lane, mine, rows, raw, mine.bucket[rows, lane.number], count, lane.mean_count(mine, rows))


def advance_lane(lane: Lane, mine: Any, rows: Ints, to: Ints) -> None:
    """Close the open bucket and the empty ones after it, up to bucket `to`."""
    j = lane.number
    behind = mine.bucket[rows, j] < to
    rows, to = rows[behind], to[behind]
    arrived = rows
    while len(rows):
        _pass_over(lane, mine, rows, to)
        bucket, count = mine.bucket[rows, j], mine.count[rows, j].astype(np.int64)
        due = lane.mean_count(mine, rows)
        alone = np.ones(len(rows), np.bool_) if lane.hourly else count > 0
        if alone.any():
            lane.close(mine, rows[alone])
        if not alone.all():
            an_hour = HOUR_SECONDS // lane.seconds
            end = np.minimum(to, (bucket // an_hour + 1) * an_hour)
            lane.pass_empty(mine, rows[~alone], (end - bucket)[~alone])
        _show(lane, mine, rows, lane.closed(mine, rows), bucket, count, due)
        more = mine.bucket[rows, j] < to
        rows, to = rows[more], to[more]
        if len(rows):
            lane.predict(mine, rows)
    if len(arrived):
        lane.predict(mine, arrived)


def _pass_over(lane: Lane, mine: Any, rows: Ints, to: Ints) -> None:
    """Of a silence longer than a week, weigh a week: skip the rest, unweighed and untaught."""
    j = lane.number
    long = (to - mine.bucket[rows, j] > RUN_DAYS * lane.buckets_a_day) & (mine.count[rows, j] == 0)
    if long.any():
        who = rows[long]
        mine.bucket[who, j] = to[long] - RUN_DAYS * lane.buckets_a_day
        mine.pending[who, lane.ring] = TAUGHT_NOT
        mine.previous[who, j] = 0
        mine.level[who, j] = 0


def _show(lane: Lane, mine: Any, rows: Ints, raw: Array, bucket: Ints, count: Ints, due: Array) -> None:
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
