"""However the log is cut, and wherever a run is broken off and taken up again: the same lines, the same state."""

from __future__ import annotations

from detectors.core.conformance.case import Case, Failed, Told, numbers, play, same

#: records at the end of the stream that are read one by one
ONE_BY_ONE = 1000
SIZES = (7, 64, 4096)


def whole(case: Case, seed: int) -> Told:
    """The run that all others are compared with; it has to say something."""
    told = play(case.run(), case.stream(seed))
    if not any(line.text for line in told.lines):
        raise Failed("the stream makes the detector say nothing: it shows nothing")
    return told


def cut_invariant(case: Case, seed: int) -> None:
    """Cut in every way, the stream tells the same."""
    records, expected = case.stream(seed), whole(case, seed)
    for size in SIZES:
        same(play(case.run(), records, range(size, len(records), size)), expected, f"batches of {size}")
    cuts = numbers(seed, len(records) // 30, len(records))
    same(play(case.run(), records, cuts), expected, "random cuts")


def one_by_one(case: Case, seed: int) -> None:
    """A batch may be one record."""
    records, expected = case.stream(seed), whole(case, seed)
    same(play(case.run(), records, range(max(len(records) - ONE_BY_ONE, 1), len(records))), expected, "one by one")


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
