"""However the log is cut, and wherever a run is broken off and taken up again: the same lines, the same state."""

from __future__ import annotations

from detectors.core.conformance.case import Case, Told, numbers, play, same, whole

#: records at the end of the stream that are read one by one, or in small batches
TAIL = 800
SIZES = (64, 4096)


def cut_invariant(case: Case, seed: int) -> None:
    """Cut in every way, the stream tells the same."""
    records, expected = case.stream(seed), whole(case, seed)
    for size in SIZES:
        if size < len(records):
            same(play(case.run(), records, range(size, len(records), size)), expected, f"batches of {size}")
    cuts = numbers(seed, len(records) // 30, len(records))
    same(play(case.run(), records, cuts), expected, "random cuts")


def cut_small(case: Case, seed: int) -> None:
    """A batch may be one record; the end of the stream is where most is said."""
    records, expected = case.stream(seed), whole(case, seed)
    before = max(len(records) - TAIL, 1)
    warm = case.run()
    lines = warm.read(records.part(0, before))
    parts = warm.dump(everything=True)
    for size in (1, 7):
        run = case.run()
        run.load(parts)
        told = play(run, records.part(before, len(records)), range(size, len(records) - before, size))
        same(Told(lines + told.lines, told.state), expected, f"in batches of {size}")


def crash_proof(case: Case, seed: int, *, everything: bool) -> None:
    """Broken off at random records, a fresh engine goes on from the dump, or from all that were dumped as it changed."""
    records, expected = case.stream(seed), whole(case, seed)
    crashes = set(numbers(seed + 7, 12, len(records)))
    cuts = sorted(crashes | set(numbers(seed + 8, len(records) // 60, len(records))))
    run, lines, before = case.run(), [], 0
    parts: dict[str, bytes] = {}
    for cut in (*cuts, len(records)):
        lines += run.read(records.part(before, cut))
        before = cut
        parts |= run.dump(everything=everything)
        if cut in crashes:
            run = case.run()
            run.load(parts)
    lines += run.finish(max(records.arrivals))
    same(Told(lines, run.dump(everything=True)), expected, f"crashes at {sorted(crashes)}")
