"""scale_spike: counts over time, up, down and silent."""

from __future__ import annotations

import pytest

from detectors.core.scored import Scored
from tests.support.streams import DAY, HOUR, MINUTE, Listening, event, records

BEFORE = 15 * DAY


@pytest.fixture(scope="module")
def watched() -> dict[str, bytes]:
    """The state after two weeks of an action every ten minutes by day and none by night."""
    heard = fresh()
    heard.hear(*(event(day * DAY + 8 * HOUR + i * 10 * MINUTE + (i * 37 + day * 11) % 300)
                 for day in range(15) for i in range(60)))
    return heard.engine.dump(everything=True)


def fresh() -> Listening:
    return Listening("scale_spike", days=14.0)


def settled(parts: dict[str, bytes]) -> Listening:
    heard = fresh()
    heard.engine.load(parts)
    heard.offset = 10_000
    return heard


def test_it_fires_on_a_hundredfold(watched: dict[str, bytes]) -> None:
    heard = settled(watched)
    heard.hear(*(event(BEFORE + 9 * HOUR + i * 2) for i in range(1200)))
    scored = heard.score(BEFORE + 9 * HOUR + 2400)
    assert scored.score > 100
    assert scored.gate == 0
    told = heard.engine.explain(scored)["scale_spike"]
    assert " more than the " in told.reason
    assert told.observed is not None
    assert told.expected is not None
    assert told.observed > 8 * told.expected
    assert told.reason.startswith(f"{told.observed:.0f} actions in ")


def test_it_stays_quiet_on_a_usual_day_and_night(watched: dict[str, bytes]) -> None:
    heard = settled(watched)
    heard.hear(*(event(BEFORE + day * DAY + 8 * HOUR + i * 10 * MINUTE + (i * 53) % 300)
                 for day in range(2) for i in range(60)))
    heard.wait(BEFORE + 2 * DAY + 7 * HOUR)
    assert heard.score(BEFORE + 2 * DAY + 7 * HOUR).score < 2.5


def test_a_record_that_stands_for_many_counts_as_many(watched: dict[str, bytes]) -> None:
    heard = settled(watched)
    heard.hear(*(event(BEFORE + 9 * HOUR + i * 120, count=60) for i in range(20)))
    assert heard.score(BEFORE + 9 * HOUR + 2400).score > 100


def test_what_delegates_do_is_theirs(watched: dict[str, bytes]) -> None:
    heard = settled(watched)
    heard.hear(*(event(BEFORE + 9 * HOUR + i * 2, agent="sub", via=["crm/anna"]) for i in range(1200)))
    assert heard.score(BEFORE + 9 * HOUR + 2400).score < 1


def test_it_fires_on_silence(watched: dict[str, bytes]) -> None:
    heard = settled(watched)
    heard.wait(BEFORE + 6 * DAY)
    scored = heard.score(BEFORE + 6 * DAY)
    told = heard.engine.explain(scored)["scale_spike"]
    assert scored.score > 1
    assert told.reason.startswith("silent for ")
    assert told.observed == 0
    assert told.expected is not None
    assert told.expected > 0


def test_the_explanation_is_of_the_deciding_event_however_the_log_was_cut(watched: dict[str, bytes]) -> None:
    stream = [event(BEFORE + 9 * HOUR + i * 2) for i in range(1200)]

    def told(cut: int) -> list[str]:
        heard, lines = settled(watched), []
        for start in range(0, len(stream), cut):
            for scored in heard.engine.step(records(stream[start : start + cut], heard.offset + start)):
                lines.append(line(heard, scored))  # noqa: PERF401 - asked while the stream goes on
        return lines

    def line(heard: Listening, scored: Scored) -> str:
        return f"{scored.offset} {scored.score:.6g} {heard.engine.explain(scored)}"

    whole, single = told(1200), told(1)
    assert whole
    assert whole == single
