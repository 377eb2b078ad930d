"""permission_creep: permissions that grow, the agent's own and through its delegates."""

from __future__ import annotations

import pytest

from detectors.core.family import Explanation
from tests.support.streams import AGENT, DAY, HOUR, Listening, event, every, ordered


def settled(*, days: float = 7.0) -> Listening:
    """A week of three permissions, a new one every other day in its last part, and a day after it."""
    heard = Listening("permission_creep", days=days)
    usual = [every(2 * HOUR, i * 600, (days + 1) * DAY, scope=scope) for i, scope in enumerate(("a:read", "b:read"))]
    heard.hear(*ordered(*usual))
    return heard


def why(heard: Listening, at: float) -> Explanation:
    return heard.engine.explain(heard.score(at))["permission_creep"]


def test_it_fires_on_one_new_privileged_permission_a_day() -> None:
    heard = settled()
    scores = []
    for day in range(8, 13):
        heard.hear(*ordered([event(day * DAY + 3 * HOUR, scope=f"admin:{day}", privileged=True)],
                            every(2 * HOUR, day * DAY, day * DAY + DAY, scope="a:read")))
        scores.append(heard.score(day * DAY + DAY).score)
    assert scores == sorted(scores)
    assert scores[0] < 100 < scores[-1]
    told = why(heard, 13 * DAY)
    assert told.reason.startswith("used 5 permissions for the first time (admin:8, admin:9, admin:10, admin:11, admin:12)")
    assert told.observed == 5
    assert told.expected is not None
    assert 0 < told.expected < 0.2


def test_it_stays_quiet_while_an_agent_does_more_of_the_same() -> None:
    heard = settled()
    heard.hear(*every(60, 8 * DAY, 9 * DAY, scope="a:read"), *every(60, 9 * DAY, 10 * DAY, scope="b:read"))
    assert heard.score(10 * DAY).score < 0.2


def test_it_stays_quiet_for_an_agent_that_grew_like_that_in_its_reference() -> None:
    """The look-alike: new permissions at the pace at which they always came."""
    heard = Listening("permission_creep", days=14.0)
    usual = every(2 * HOUR, 0, 20 * DAY, scope="a:read")
    grown = [event(day * DAY + HOUR, scope=f"new:{day}") for day in range(1, 14)]
    heard.hear(*ordered(usual, grown, [event(15 * DAY + HOUR, scope="new:15"), event(17 * DAY, scope="new:17")]))
    assert heard.score(18 * DAY).score < 2.5


def test_a_permission_counts_more_when_it_is_privileged() -> None:
    def score(*, privileged: bool) -> float:
        heard = settled()
        heard.hear(event(8 * DAY, scope="x", privileged=privileged))
        return heard.score(8 * DAY).score

    assert score(privileged=True) > 3 * score(privileged=False)


def test_it_fires_on_permissions_that_come_through_delegates() -> None:
    heard = settled()
    heard.hear(*(event(8 * DAY + i * 5 * HOUR, agent=f"sub{i}", scope=f"vault:{i}", privileged=True, via=[AGENT])
                 for i in range(5)))
    scored = heard.score(9 * DAY)
    assert scored.score > 10
    assert scored.gate < 0.2, "delegated evidence pages and does not contain"
    told = why(heard, 9 * DAY)
    assert told.reason.startswith("reached through delegates 10 permissions for the first time")
    assert "vault:4 through sub4" in told.reason
    assert "delegate sub4" in told.reason
    assert told.observed == 10


def test_a_known_delegate_that_does_what_its_caller_does_is_no_surprise() -> None:
    heard = Listening("permission_creep", days=7.0)
    heard.hear(*ordered(every(2 * HOUR, 0, 8 * DAY, scope="a:read"),
                        every(2 * HOUR, 60, 8 * DAY, agent="sub", scope="b:read", via=[AGENT])))
    heard.hear(*every(HOUR, 8 * DAY, 9 * DAY, agent="sub", scope="a:read", via=[AGENT]))
    assert heard.score(9 * DAY).score < 0.2


@pytest.mark.parametrize(("number", "said"), [(1, "used 1 permission for"), (2, "used 2 permissions for")])
def test_the_sentence_is_in_the_right_number(number: int, said: str) -> None:
    heard = settled()
    heard.hear(*(event(8 * DAY + i * HOUR, scope=f"x{i}") for i in range(number)))
    assert why(heard, 8 * DAY + 5 * HOUR).reason.startswith(said)


def test_the_sentence_says_since_when() -> None:
    heard = settled()
    heard.hear(event(8 * DAY, scope="x"), event(8 * DAY + HOUR, scope="y"))
    since = why(heard, 9 * DAY).since
    assert since == event(8 * DAY).time
