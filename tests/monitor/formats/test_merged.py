from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from detectors.core.event import Event
from detectors.core.records import Records
from monitor.formats.base import DeadLetter, Decoded
from monitor.formats.merged import EVENTS_MAX, merged, place_of


def log(times: list[float], size: int = 3) -> Iterator[Decoded]:
    """A log of events at these times, numbered from 1, in batches of `size`."""
    for start in range(0, len(times), size):
        part = times[start : start + size]
        offsets = list(range(start + 1, start + 1 + len(part)))
        events = [Event(agent="a", action="b", time=time) for time in part]
        contents = [str(offset).encode() for offset in offsets]
        yield Decoded(Records(events, contents, offsets, [0] * len(part), part, list(part), attested=True))


def order(batches: Iterator[Decoded]) -> list[tuple[float, int, int]]:
    """Time, log and offset of every record, after a check that its columns belong together."""
    found = []
    for decoded in batches:
        records = decoded.records
        assert len(records) <= EVENTS_MAX
        for i, event in enumerate(records.events):
            ordinal, offset = place_of(records.offsets[i])
            assert event.time == records.arrivals[i] == records.times[i]
            assert records.contents[i] == str(offset).encode()
            found.append((records.arrivals[i], ordinal, offset))
    return found


def naive(logs: list[list[float]]) -> list[tuple[float, int, int]]:
    """The head that is earliest, of equal ones the first log's, again and again."""
    at = [0] * len(logs)
    found = []
    while any(at[i] < len(times) for i, times in enumerate(logs)):
        time, ordinal = min((times[at[i]], i) for i, times in enumerate(logs) if at[i] < len(times))
        at[ordinal] += 1
        found.append((time, ordinal, at[ordinal]))
    return found


def test_logs_are_merged_by_time_and_then_by_log() -> None:
    got = order(merged([log([1, 3, 3, 9]), log([0, 3, 3, 4, 5])]))
    assert got == [(0, 1, 1), (1, 0, 1), (3, 0, 2), (3, 0, 3), (3, 1, 2), (3, 1, 3), (4, 1, 4), (5, 1, 5), (9, 0, 4)]


def test_a_log_is_never_reordered() -> None:
    got = order(merged([log([5, 1, 2, 8]), log([4, 6])]))
    assert got == [(4, 1, 1), (5, 0, 1), (1, 0, 2), (2, 0, 3), (6, 1, 2), (8, 0, 4)]


@pytest.mark.parametrize("seed", range(60))
def test_any_cut_gives_the_order_of_the_earliest_head(seed: int) -> None:
    chance = random.Random(seed)
    logs = [
        [
            float(chance.randrange(12)) if seed % 2 else float(i + chance.randrange(4))
            for i in range(chance.randrange(30))
        ]
        for _ in range(chance.randrange(2, 5))
    ]
    for sizes in ([1] * 5, [7] * 5, [2, 5, 1, 9, 3]):
        assert order(merged([log(times, size) for times, size in zip(logs, sizes, strict=False)])) == naive(logs)


def test_a_single_log_is_handed_through() -> None:
    batches = list(log([3, 1, 2]))
    assert list(merged([iter(batches)])) == batches
    assert list(merged([])) == []


def test_big_logs_come_in_bounded_batches() -> None:
    logs = [[float(i) for i in range(10_000)] for _ in range(3)]
    assert order(merged([log(times, 4096) for times in logs])) == naive(logs)


def test_bad_records_and_counts_are_kept() -> None:
    def with_bad(ordinal: int) -> Iterator[Decoded]:
        for decoded in log([1, 2, 3, 4, 5, 6]):
            decoded.dead.append(DeadLetter(7, 0, f"reason{ordinal}", None, "", b"", None))
            decoded.unknown_fields["foo"] += 1
            decoded.clipped += 1
            yield decoded
        yield Decoded(dead=[DeadLetter(9, 0, "last", None, "", b"", None)])

    batches = list(merged([with_bad(0), with_bad(1)]))
    letters = sorted((*place_of(letter.offset), letter.reason) for batch in batches for letter in batch.dead)
    assert letters == [(0, 7, "reason0")] * 2 + [(0, 9, "last")] + [(1, 7, "reason1")] * 2 + [(1, 9, "last")]
    assert sum(batch.unknown_fields["foo"] for batch in batches) == 4
    assert sum(batch.clipped for batch in batches) == 4
    assert sum(len(batch.records) for batch in batches) == 12
    assert all(batch.records.attested for batch in batches if len(batch.records))


def test_logs_of_bad_records_alone_end() -> None:
    letter = DeadLetter(1, 0, "not_json", None, "", b"", None)
    batches = list(merged([iter([Decoded(dead=[letter])]), iter([])]))
    assert [len(batch.dead) for batch in batches] == [1]
