"""target_novelty: resources never touched, and who named them."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.core.event import Origin
from detectors.target_novelty import provenance
from tests.support.streams import DAY, HOUR, MINUTE, Listening, event, every, ordered

UNTRUSTED = {"from": "web.fetch", "trusted": False, "in_request": False}
REQUESTED = {"from": None, "trusted": None, "in_request": True}


def settled() -> Listening:
    """A week of work on ten tickets."""
    heard = Listening("target_novelty", days=7.0)
    heard.hear(*(event(i * HOUR, target=f"crm/tickets/{i % 10}", origin=REQUESTED) for i in range(8 * 24)))
    return heard


def test_it_fires_on_new_areas_that_an_untrusted_output_named() -> None:
    heard = settled()
    heard.hear(*(event(8 * DAY + i * 2 * HOUR, target=f"drop{i}.example/upload/1", origin=UNTRUSTED) for i in range(3)))
    scored = heard.score(8 * DAY + 5 * HOUR)
    assert scored.score > 100
    assert scored.gate == 0
    told = heard.engine.explain(scored)["target_novelty"]
    assert told.reason.startswith("acted on 3 areas for the first time (drop0.example, drop1.example, drop2.example)")
    assert told.observed == 3
    assert told.expected is not None
    assert 0 <= told.expected < 0.1
    assert told.since == event(8 * DAY).time


def test_it_stays_quiet_on_old_targets() -> None:
    heard = settled()
    heard.hear(*(event(8 * DAY + i * MINUTE, target=f"crm/tickets/{i % 10}", origin=UNTRUSTED) for i in range(600)))
    assert heard.score(9 * DAY).score < 0.1


def test_it_stays_quiet_on_an_explorer() -> None:
    """The look-alike: a crawler that finds new pages all day finds some more."""
    heard = Listening("target_novelty", days=7.0)
    heard.hear(*(event(i * HOUR, target=f"site{i}/page/{i}", origin=UNTRUSTED) for i in range(9 * 24)))
    assert heard.score(9 * DAY).score < 1


def test_new_tickets_at_their_usual_pace_are_no_surprise() -> None:
    heard = Listening("target_novelty", days=14.0)
    old = every(HOUR, 0, 20 * DAY, target="crm/tickets/0", origin=REQUESTED)
    new = [event(day * DAY + HOUR, target=f"crm/tickets/{day}", origin=REQUESTED) for day in range(1, 20)]
    heard.hear(*ordered(old, new))
    assert heard.score(20 * DAY).score < 1


@pytest.mark.parametrize(("more", "less"), [
    (UNTRUSTED, REQUESTED),
    (UNTRUSTED, None),
    ({"from": "mail.read", "trusted": True, "in_request": False}, REQUESTED),
    ({"from": "mail.read", "trusted": True, "in_request": False}, None),
])
def test_provenance_weighs(more: dict[str, Any], less: dict[str, Any] | None) -> None:
    def score(origin: dict[str, Any] | None) -> float:
        heard = settled()
        heard.hear(event(8 * DAY, target="x/y/z", origin=origin))
        return heard.score(8 * DAY).score

    assert score(more) > 1.5 * score(less)


@pytest.mark.parametrize(("origin", "known"), [
    (None, None),
    (Origin(), None),
    (Origin(in_request=True), 0),
    (Origin(in_request=True, trusted=False, source="web"), 0),
    (Origin(source="web"), 1),
    (Origin(trusted=True), 1),
    (Origin(in_request=False), 1),
    (Origin(source="web", trusted=False), 2),
    (Origin(trusted=False, in_request=False), 2),
])
def test_classes_of_provenance(origin: Origin | None, known: int | None) -> None:
    assert provenance(origin) == known


def test_single_targets_in_a_known_area_have_their_own_sentence() -> None:
    heard = settled()
    heard.hear(*(event(8 * DAY + i * HOUR, target=f"crm/tickets/secret{i}", origin=UNTRUSTED) for i in range(2)))
    told = heard.engine.explain(heard.score(8 * DAY + 2 * HOUR))["target_novelty"]
    assert told.reason.startswith("acted on 2 targets for the first time (crm/tickets/secret0, crm/tickets/secret1)")
