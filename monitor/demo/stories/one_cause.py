"""A hundred agents, one broken release: one incident, not a hundred pages."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from monitor.demo.stories.story import Expects, Line, Story
from monitor.demo.stories.world import Crew, Tool, at, who

DAY_OF_RELEASE = 17
COURIERS = Crew(
    role="courier",
    names=tuple(f"{number:03d}" for number in range(1, 101)),
    tools=(
        Tool("route.plan.read", "routes:read", "routes/depots", items=3),
        Tool("parcel.state.update", "parcels:write", "parcels/zones", items=4),
    ),
    routines=((1, ("route.plan.read", "parcel.state.update")),),
    sessions_per_day=2.2,
    hours=(6, 20),
    weekend=0.6,
    version="2.3.0",
    releases=((DAY_OF_RELEASE, "2.4.0"),),
)
#: what the release does that nobody asked it for, in this order
STEPS = (
    ("fleet.position.read", "fleet:read", "fleet/positions/all"),
    ("driver.profile.read", "drivers:read", "drivers/profiles/all"),
    ("depot.key.read", "depots:unlock", "depots/keys/master"),
    ("parcel.label.delete", "parcels:delete", "parcels/labels/today"),
    ("tariff.table.update", "tariffs:write", "tariffs/tables/main"),
)


def strike() -> Iterator[Line]:
    """Within two hours after 2.4.0 every courier runs through the same five calls that are none of its business."""
    found: list[tuple[int, Line]] = []
    for agent in COURIERS.agents():
        start = at(DAY_OF_RELEASE, 8) + Random(agent).randrange(2 * 3600)
        for number, (action, scope, target) in enumerate(STEPS):
            event = who(COURIERS, agent, start + 40 * number, 99)
            found.append((start + 40 * number, event | {"action": action, "scope": scope, "target": target}))
    found.sort(key=lambda item: item[0])
    return (event for _, event in found)


STORY = Story(
    name="one_cause",
    prose="Release 2.4.0, which nobody announced, leads all hundred couriers astray in one morning: one incident.",
    quiet=False,
    crews=(COURIERS,),
    days=DAY_OF_RELEASE + 1,
    seed=8,
    strike=strike,
    expects=Expects(after="2026-03-19T08:00:00Z", before="2026-03-19T11:00:00Z", incident_agents_min=80),
)
