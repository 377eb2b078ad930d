"""All checks of one detector, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from detectors.core.conformance import alone, bounded, cutting, null, pure, raising, snapshots, stories
from detectors.core.conformance.case import SETTINGS, Case, Stream
from detectors.core.conformance.null import Draw
from detectors.core.detector import Detector
from detectors.core.state import EngineSettings

#: agent-months for each chance of each family; the campaign takes ten times as many
PATHS = 10_000


class Check(NamedTuple):
    """One check: call it; it raises Failed with what is wrong."""

    name: str
    run: Callable[[], None]

    def __call__(self) -> None:
        """Check it."""
        self.run()


def checks(kind: type[Detector], stream: Stream, draw: Callable[[int], Draw], *, settings: EngineSettings = SETTINGS,
           seed: int = 1, paths: int = PATHS) -> Iterator[Check]:
    """Everything that this detector has to pass; `draw` gives a source of uniform random numbers for a seed."""
    case = Case((kind,), stream, settings)
    yield from of_case(case, seed)
    yield Check("pure", partial(pure.pure, case, seed))
    yield Check("apart", partial(pure.apart, case, seed))
    yield Check("bounded", partial(bounded.bounded, case))
    for about in (snapshots.round_trip, snapshots.migrates, snapshots.lacks, snapshots.refuses_newer,
                  snapshots.added_and_removed):  # fmt: skip
        yield Check(f"snapshot-{about.__name__}", partial(about, case, seed))
    for verb in raising.VERBS:
        yield Check(f"raising-{verb}", partial(raising.costs_itself, case, seed, verb))
    for i, family in enumerate(kind.families):
        if family.hit:
            yield Check(f"null-{family.name}", partial(null.keeps_its_promise, family, paths, draw(seed + i)))
    yield Check("stories", partial(stories.both_kinds, kind))
    for story in kind.stories:
        yield Check(f"story-{story.name}".replace(" ", "-"), partial(stories.told, kind, story))


def of_case(case: Case, seed: int) -> Iterator[Check]:
    """What holds for any detectors together, and for whatever listens to them."""
    yield Check("cut-invariant", partial(cutting.cut_invariant, case, seed))
    yield Check("cut-small", partial(cutting.cut_small, case, seed))
    yield Check("crash-proof", partial(cutting.crash_proof, case, seed, everything=True))
    yield Check("crash-proof-from-changes", partial(cutting.crash_proof, case, seed, everything=False))
    yield Check("alone", partial(alone.stands_alone, case, seed))
