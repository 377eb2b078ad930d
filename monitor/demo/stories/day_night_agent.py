"""Agents that work by day, and one crew that works by night: silence and bustle at their hours are no news."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.demo.stories.story import Expects, Line, Story
from monitor.demo.stories.world import Crew, Tool, at, who

FRONTDESK = Crew(
    role="frontdesk",
    names=("rosa", "sami", "timo", "ulla"),
    tools=(
        Tool("calendar.slot.read", "calendar:read", "calendar/rooms", items=12),
        Tool("calendar.slot.create", "calendar:write", "calendar/rooms", items=12),
        Tool("visitor.badge.create", "visitor:write", "visitors/badges", items=8, fresh=0.4),
        Tool("visitor.badge.delete", "visitor:delete", "visitors/badges", items=8, fresh=0.2),
    ),
    routines=(
        (4, ("calendar.slot.read", "calendar.slot.read", "calendar.slot.create")),
        (2, ("calendar.slot.read", "visitor.badge.create", "calendar.slot.create")),
        (1, ("calendar.slot.read", "visitor.badge.create", "visitor.badge.delete")),
    ),
    sessions_per_day=8,
    weekend=0.0,
)
NIGHTWATCH = Crew(
    role="nightwatch",
    names=("vega", "wolf", "xenia", "yuri"),
    tools=(
        Tool("camera.frame.read", "camera:read", "cameras", items=10),
        Tool("door.state.read", "door:read", "doors", items=10),
        Tool("report.night.write", "report:write", "reports/night", items=5),
    ),
    routines=(
        (3, ("camera.frame.read", "door.state.read", "camera.frame.read")),
        (1, ("camera.frame.read", "door.state.read", "door.state.read", "report.night.write")),
    ),
    sessions_per_day=9,
    hours=(0, 5.5),
    weekend=1.0,
)


def strike() -> Iterator[Line]:
    """At three in the night rosa, who works by day, books rooms and hands out badges: 150 calls within the hour."""
    for number in range(150):
        event = who(FRONTDESK, "frontdesk/rosa", at(17, 3.1) + 21 * number, 99)
        kind = FRONTDESK.tools[number % 3]
        yield event | {"action": kind.action, "scope": kind.scope, "target": f"{kind.area}/{1000 + number}"}


STORY = Story(
    name="day_night_agent",
    prose="A front desk works by day and a night watch by night; their silence and their bustle are as they always were.",
    quiet=True,
    crews=(FRONTDESK, NIGHTWATCH),
    days=21,
    seed=5,
    strike=strike,
    expects=Expects("frontdesk/rosa", "page", ("scale_spike",), "2026-03-19T03:06:00Z", "2026-03-19T04:30:00Z"),
)
