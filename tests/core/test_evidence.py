"""The e-detector: one arithmetic for scalars and arrays, views that change nothing, references that are bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import discover
from detectors.core import evidence
from detectors.core.evidence import EVIDENCE, MONTH, RATES, SCORE_MAX
from detectors.core.family import PEERS, PSEUDO, Mark

ROW = np.array([0])
quick = settings(max_examples=60, deadline=None)
seconds = st.floats(0, 90 * 86_400.0)
chances = st.integers(0, 100_000).map(float)
beginnings = st.tuples(st.floats(0, 40), st.floats(0, 5000))


def column(hits: float = 0.0, counted: float = 1000.0, at: float = 0.0, n: float = 0.0) -> np.ndarray:
    """One agent with a reference of `hits` in `counted` opportunities."""
    fresh = np.zeros(1, EVIDENCE)
    evidence.freeze(fresh, ROW, np.array([at]), np.array([n]), np.array([hits]), np.array([counted]), (0.3, 1500.0))
    return fresh


def moved(fresh: np.ndarray, steps: list[tuple[float, float]]) -> tuple[float, float]:
    """Hits after these (seconds, opportunities); the time and number after the last."""
    time, n = float(fresh["time"][0]), float(fresh["n"][0])
    for lapse, more in steps:
        time, n = time + lapse, n + more
        evidence.hit(fresh, 0, time, n, 1.0, 1.0)
    return time, n


def settle(fresh: np.ndarray, time: float, n: float, *, teaching: bool = True) -> float:
    return float(evidence.settle(fresh, ROW, np.array([time]), np.array([n]), np.array([teaching]))[0])


@quick
@given(beginnings, st.lists(st.tuples(seconds, chances), max_size=4), seconds, chances)
def test_a_view_and_a_settlement_have_the_same_bits(
    reference: tuple[float, float], steps: list[tuple[float, float]], lapse: float, more: float
) -> None:
    fresh = column(*reference)
    time, n = moved(fresh, steps)
    before = fresh.tobytes()
    viewed = evidence.view(fresh, 0, time + lapse, n + more)
    assert fresh.tobytes() == before, "a view changes nothing that is stored"
    assert settle(fresh, time + lapse, n + more) == viewed
    assert evidence.view(fresh, 0, time + lapse, n + more) == viewed


@quick
@given(st.lists(st.tuples(beginnings, st.tuples(seconds, chances)), min_size=2, max_size=6), seconds, chances)
def test_an_agent_is_settled_as_if_it_were_alone(
    agents: list[tuple[tuple[float, float], tuple[float, float]]], lapse: float, more: float
) -> None:
    together = np.concatenate([column(*reference) for reference, _ in agents])
    for row, (_, step) in enumerate(agents):
        evidence.hit(together, row, *step, 1.0, 1.0)
    alone = [together[row : row + 1].copy() for row in range(len(agents))]
    times = np.array([step[0] + lapse for _, step in agents])
    n = np.array([step[1] + more for _, step in agents])
    scores = evidence.settle(together, np.arange(len(agents)), times, n, np.ones(len(agents), np.bool_))
    for row, one in enumerate(alone):
        assert settle(one, float(times[row]), float(n[row])) == scores[row]
        assert one.tobytes() == together[row : row + 1].tobytes()


@quick
@given(st.lists(st.tuples(seconds, chances), min_size=1, max_size=3), seconds, chances, st.floats(0, 1))
def test_settling_twice_is_settling_once(
    steps: list[tuple[float, float]], lapse: float, more: float, part: float
) -> None:
    once, twice = column(), column()
    time, n = moved(once, steps)
    moved(twice, steps)
    # opportunities come evenly: only then is the path between the same
    settle(twice, time + part * lapse, n + part * more)
    assert settle(twice, time + lapse, n + more) == pytest.approx(settle(once, time + lapse, n + more), rel=1e-9)


def test_the_recursion_is_that_of_the_model() -> None:
    """Between hits M e^-h + (l / h)(1 - e^-h), at a hit times rho / q: written down here a second time."""
    fresh = column(hits=3.0, counted=600.0)
    q = 3.3 / 2100.3
    low, top = q, 0.5
    rates = [low * (top / low) ** (i / 4) for i in (1, 2, 3, 4)]
    lapse, n = 5 / 30, 200.0
    expected = []
    for rate in rates:
        h = lapse + n * (rate - q)
        expected.append(lapse / h * (1 - np.exp(-h)) * rate / q)
    assert evidence.hit(fresh, 0, lapse * MONTH, n, 1.0, 1.0) == pytest.approx(sum(expected) / 4, rel=1e-12)


def test_at_rest_it_rises_to_no_more_than_one() -> None:
    """Restarts at one a month and no hits: the score stays below one agent-month per false alarm."""
    fresh = column()
    scores = [evidence.view(fresh, 0, day * 86_400.0, 0.0) for day in range(1, 400)]
    assert scores == sorted(scores)
    assert 0.99 < scores[-1] <= 1.0


@quick
@given(st.integers(1, 6), chances)
def test_a_further_hit_never_lowers_the_score(hits: int, more: float) -> None:
    """The same opportunities with one hit more say more."""
    few, many = column(), column()
    time, n = moved(few, [(3600.0, 1.0)] * hits)
    moved(many, [(3600.0, 1.0)] * hits)
    time, n = time + 86_400.0, n + more
    evidence.hit(many, 0, time, n, 1.0, 1.0)
    assert evidence.view(many, 0, time, n) >= evidence.view(few, 0, time, n)


def test_the_score_is_bounded_and_finite() -> None:
    fresh = column()
    scores = [evidence.hit(fresh, 0, float(i), float(i), 10.0, 10.0) for i in range(400)]
    assert scores[-1] == max(scores) <= SCORE_MAX
    assert np.isfinite(fresh["m"]).all()


def test_what_clusters_is_less_surprising_than_what_comes_apart() -> None:
    apart, together = column(), column()
    moved(apart, [(7 * 3600.0, 10.0)] * 3)
    moved(together, [(7 * 3600.0, 10.0), (1.0, 10.0), (1.0, 10.0)])
    assert evidence.view(together, 0, *moved(together, [])) < evidence.view(apart, 0, *moved(apart, []))


@given(st.floats(1, 1e6), st.floats(1e-6, 1))
def test_peers_lower_no_score_below_half(mark: float, known: float) -> None:
    with_peers, without = column(), column()
    moved(with_peers, [(86_400.0, 10.0)])
    moved(without, [(86_400.0, 10.0)])
    lowered = evidence.hit(with_peers, 0, 2 * 86_400.0, 20.0, mark, known)
    assert lowered >= evidence.hit(without, 0, 2 * 86_400.0, 20.0, mark, 1.0) / 2 * (1 - 1e-12)


def test_peers_lower_no_score_below_half_however_often_they_agree() -> None:
    with_peers, without = column(), column()
    for i in range(1, 6):
        lowered = evidence.hit(with_peers, 0, i * 86_400.0, i * 10.0, 2.5, 0.1)
        alone = evidence.hit(without, 0, i * 86_400.0, i * 10.0, 2.5, 1.0)
        assert alone / 2 <= lowered < alone


def test_restart_puts_evidence_to_rest_and_keeps_the_reference() -> None:
    fresh = column(hits=4.0)
    time, n = moved(fresh, [(86_400.0, 10.0)] * 5)
    assert evidence.view(fresh, 0, time, n) > 100
    kept = {name: fresh[name].copy() for name in ("q", "alpha", "beta", "cap", "n0", "hits", "classes")}
    evidence.restart(fresh, 0, time, n)
    assert evidence.view(fresh, 0, time, n) == 0.0
    assert all((fresh[name] == value).all() for name, value in kept.items())
    assert fresh["seen"][0] == fresh["due"][0] == fresh["heat"][0] == 0.0


@quick
@given(beginnings, st.floats(0, 1e6), st.floats(0, 1e6))
def test_learning_never_passes_the_bound_of_the_reference(
    reference: tuple[float, float], learnt: float, more: float
) -> None:
    fresh = column(*reference)
    cap = float(fresh["cap"][0])
    fresh["hits"] += learnt
    settle(fresh, 86_400.0, more)
    evidence.relearn(fresh, ROW)
    assert 0 < fresh["q"][0] <= cap
    assert fresh["cap"][0] == cap


def test_learning_moves_the_rate_up_with_hits_and_down_with_opportunities() -> None:
    up, down = column(hits=2.0), column(hits=2.0)
    q = float(up["q"][0])
    up["hits"] += 1
    evidence.relearn(up, ROW)
    settle(down, 86_400.0, 5000.0)
    evidence.relearn(down, ROW)
    assert down["q"][0] < q < up["q"][0]


def test_opportunities_of_suspected_hours_teach_nothing() -> None:
    """Else an attacker would only have to be busy to make his hits look rare, or an innocent one to stay suspected."""
    fresh = column(hits=2.0)
    q = float(fresh["q"][0])
    settle(fresh, 86_400.0, 5000.0, teaching=False)
    evidence.relearn(fresh, ROW)
    assert fresh["q"][0] == q
    settle(fresh, 2 * 86_400.0, 10_000.0)
    evidence.relearn(fresh, ROW)
    assert fresh["q"][0] < q


def test_without_a_reference_there_is_no_score() -> None:
    fresh = np.zeros(1, EVIDENCE)
    assert evidence.view(fresh, 0, 1e9, 1e6) == 0.0
    assert settle(fresh, 1e9, 1e6) == 0.0
    evidence.relearn(fresh, ROW)
    assert fresh["q"][0] == 0.0


def test_a_reference_starts_from_rest_with_what_was_counted() -> None:
    fresh = column(hits=5.0, counted=500.0, at=7.0, n=900.0)
    e = fresh[0]
    assert (e["time"], e["n"], e["n0"]) == (7.0, 900.0, 900.0)
    assert e["q"] == pytest.approx(5.3 / 2000.3)
    assert not e["m"].any()


def test_the_explanation_counts_hits_and_what_was_due_since_the_evidence_left_rest() -> None:
    fresh = column()
    evidence.hit(fresh, 0, 3600.0, 100.0, 1.0, 1.0)
    evidence.hit(fresh, 0, 7200.0, 150.0, 1.0, 1.0)
    e = fresh[0]
    assert (e["since"], e["seen"]) == (3600.0, 2.0)
    assert e["due"] == pytest.approx(150.0 * float(e["q"]))


MARKS = [mark for kind in discover() for family in kind.families for mark in family.marks] + [PEERS]


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: mark.name)
def test_marks_have_mean_one_under_the_usual_shares(mark: Mark) -> None:
    """Over the agent's own shares the weight of a hit is one on average, so the promise of the score holds."""
    assert sum(mark.drift) == pytest.approx(1.0)
    assert sum(mark.usual) == pytest.approx(1.0)
    for met in ([0.0] * 4, [5.0, 1.0, 0.0, 0.0], [0.0, 9.0, 40.0, 0.0]):
        counts = met[: len(mark.usual)] + [0.0] * (4 - len(mark.usual))
        total = sum(counts)
        usual = [(c + PSEUDO * u) / (total + PSEUDO) for c, u in zip(counts, mark.usual, strict=False)]
        assert sum(u * mark.ratio(i, counts) for i, u in enumerate(usual)) == pytest.approx(1.0)


@pytest.mark.parametrize("kind", discover(), ids=lambda kind: kind.name)
def test_the_dtype_has_room_for_all_marks_and_classes(kind: type) -> None:
    for family in kind.families:  # type: ignore[attr-defined]
        assert len(family.marks) <= evidence.MARKS
        assert all(len(mark.usual) == len(mark.drift) <= evidence.CLASSES for mark in family.marks)
    assert EVIDENCE["m"].shape == (2 * RATES,)
