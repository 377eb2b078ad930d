"""Every detector of the package passes the suite, and so do all of them together, with the daemon's pipeline around."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import detectors
from detectors import Detector, Engine, discover
from detectors.core import evidence
from detectors.core.batch import Batch
from detectors.core.columns import Array, Columns, Rows
from detectors.core.conformance import Case, Check, Failed, checks, null
from detectors.core.conformance.alone import stands_alone
from detectors.core.conformance.case import SETTINGS
from detectors.core.conformance.raising import raising
from detectors.core.conformance.suite import of_case
from detectors.core.detector import RAISED
from detectors.core.evidence import EVIDENCE
from detectors.core.family import Family, Mark
from detectors.core.records import Records
from detectors.permission_creep import PermissionCreep
from tests.support.fleets import draw, fleet
from tests.support.piped import Piped, PipedAlone
from tests.support.streams import Listening, event, every

PATHS = 10_000


def of_all() -> Iterator[object]:
    for kind in discover():
        for check in checks(kind, fleet, draw, paths=PATHS):
            yield pytest.param(check, id=f"{kind.name}-{check.name}")


@pytest.mark.parametrize("check", of_all())
def test_a_detector_conforms(check: Check) -> None:
    check()


def few(seed: int) -> Records:
    return fleet(seed, days=13.0, agents_a_role=1)


TOGETHER = Case(tuple(discover()), few, SETTINGS, Piped)


@pytest.mark.parametrize("check", [c for c in of_case(TOGETHER, 5) if c.name != "alone"], ids=lambda check: check.name)
def test_the_pipeline_with_all_detectors_conforms(check: Check) -> None:
    check()


def test_an_agent_alone_is_told_what_it_is_told_among_all() -> None:
    stands_alone(Case(tuple(discover()), few, SETTINGS, PipedAlone), 5)


# -- a detector is one file

ONE_FILE = '''
import numpy as np
from detectors.core.detector import Detector, Moves
from detectors.core.family import Explanation, Family
from detectors.core.story import Story, act

class Denied(Detector):
    """Counts what was refused."""
    name = "denied_streak"
    families = (Family("denied", weight=0.01),)
    memory = np.dtype([("denied", "f8")])
    stories = (
        Story("refused all day", True, (act(3600, "crm:read"),), (act(60, "crm:read", outcome="denied"),)),
        Story("nothing refused", False, (act(3600, "crm:read"),), ()),
    )

    def wants(self, batch):
        return np.flatnonzero(batch.denied & batch.own)

    def judge(self, hit, mine):
        mine.denied[hit.row] += 1.0
        return [(0, 10.0 * float(mine.denied[hit.row]))]

    def tick(self, rows, at, mine):
        return 10.0 * mine.denied[rows][:, None]

    def explain(self, row, at, mine, standings):
        return Explanation(f"{mine.denied[row]:.0f} actions refused")
'''


@pytest.fixture
def one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Detector]]:
    """A detector in one file of the package, found by itself."""
    (tmp_path / "denied_streak.py").write_text(ONE_FILE)
    monkeypatch.setattr(detectors, "__path__", [*detectors.__path__, str(tmp_path)])
    yield next(kind for kind in discover() if kind.name == "denied_streak")
    sys.modules.pop("detectors.denied_streak", None)


def test_a_detector_is_added_by_one_file_and_gets_the_suite(one_file: type[Detector]) -> None:
    found = list(checks(one_file, few, draw, paths=PATHS))
    assert len(found) > 20
    for check in found:
        check()
    assert one_file in discover()


# -- the suite finds what is wrong


@pytest.fixture
def wrong(one_file: type[Detector]) -> dict[str, type[Detector]]:
    """Detectors with one fault each."""
    def judge_by_batch(self: Detector, batch: Batch) -> Rows:
        return np.arange(min(1, len(batch)))

    def judge_by_others(self: Detector, rows: Rows, at: Array, mine: Columns) -> Array:
        return np.full((len(rows), 1), mine.denied.sum() * 10.0)

    def judge_by_clock(self: Detector, rows: Rows, at: Array, mine: Columns) -> Array:
        import time

        return np.full((len(rows), 1), time.time())

    return {
        "cut-invariant": type("ByBatch", (one_file,), {"wants": judge_by_batch}),
        "alone": type("ByOthers", (one_file,), {"tick": judge_by_others}),
        "pure": type("ByClock", (one_file,), {"tick": judge_by_clock}),
        "story-refused-all-day": type("Deaf", (one_file,), {"judge": lambda self, hit, mine: []}),
        "story-nothing-refused": type("Loud", (one_file,), {"tick": lambda self, rows, at, mine: np.full((len(rows), 1), 1e4)}),
    }


@pytest.mark.parametrize("fault", ["cut-invariant", "alone", "pure", "story-refused-all-day", "story-nothing-refused"])
def test_the_suite_finds_a_fault(wrong: dict[str, type[Detector]], fault: str) -> None:
    check = next(check for check in checks(wrong[fault], few, draw) if check.name == fault)
    with pytest.raises(AssertionError):
        check()


def test_the_null_finds_marks_that_weigh_too_much() -> None:
    mark = Mark("kind", drift=(0.9, 0.9), usual=(0.5, 0.5))
    with pytest.raises(Failed, match="promised"):
        null.keeps_its_promise(Family("loaded", weight=0.1, hit="scope", marks=(mark,)), 2000, draw(1))


def test_hits_of_many_agents_are_the_hits_of_each() -> None:
    rng = np.random.default_rng(3)
    one, many = np.zeros(50, EVIDENCE), np.zeros(50, EVIDENCE)
    one["q"] = many["q"] = rng.choice([0.001, 0.02, 0.4], 50)
    for step in range(1, 30):
        rows = np.flatnonzero(rng.random(50) < 0.5)
        mark, peers = rng.choice([0.5, 2.0, 9.0], len(rows)), rng.choice([0.1, 2.5], len(rows))
        times, n = step * 3000.0 + rows, step * 7.0 + rows
        scores = null.hits(many, rows, times, n, mark, peers, 0.3)
        for i, row in enumerate(rows.tolist()):
            assert evidence.hit(one, row, times[i], n[i], mark[i], peers[i], 0.3) == scores[i]
    assert one["m"].tobytes() == many["m"].tobytes()


# -- a detector that raises


def test_an_error_is_said_and_the_agent_is_blind_until_then_on() -> None:
    broken, whole = raising(PermissionCreep, "classify")(), discover()
    others = [kind() for kind in whole if kind is not PermissionCreep]
    heard = Listening(detectors=[broken, *others], days=2.0)
    usual = every(600.0, 0.0, 3 * 86_400.0)
    heard.hear(*usual, event(3 * 86_400.0, "iam:grant", privileged=True))
    engine: Engine = heard.engine
    failures = engine.errors()
    assert [(f.detector, f.verb, f.error) for f in failures] == [("permission_creep", "classify", "KeyError: 'classify'")]
    assert "raising.py:" in failures[0].place
    assert engine.errors() == []
    assert engine.state.counts["detector_errors:permission_creep"] == 1
    row = engine.state.agents["crm/anna"]
    assert (engine.state.blind[row] == RAISED).tolist() == [True, False, False, False]


def test_two_detectors_cannot_ask_for_the_same_first_uses() -> None:
    other = type("Other", (PermissionCreep,), {"name": "other", "families": (Family("x", weight=0.01, hit="scope"),)})
    with pytest.raises(ValueError, match="first uses"):
        Engine([PermissionCreep(), other()])
