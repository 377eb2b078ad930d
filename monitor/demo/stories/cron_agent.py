"""Agents that a clock starts: a burst at the same minutes every night, and nothing in between."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.demo.stories.story import Expects, Line, Story
from monitor.demo.stories.world import Crew, Tool, at, who

BACKUP = Crew(
    role="backup",
    names=("crm", "ledger", "stock", "wiki"),
    tools=(
        Tool("snapshot.list", "backup:read", "backup/sets", items=3),
        Tool("snapshot.create", "backup:write", "backup/volumes", items=6, amount=900, unit="MB"),
        Tool("snapshot.verify", "backup:read", "backup/volumes", items=6),
        Tool("snapshot.delete", "backup:delete", "backup/volumes", items=6),
    ),
    routines=((1, ("snapshot.list", *("snapshot.create",) * 5, *("snapshot.verify",) * 5, *("snapshot.delete",) * 5)),),
    sessions_per_day=2,
    cron=(2.25, 14.25),
)


def strike() -> Iterator[Line]:
    """On Friday at 14:20 the job of the ledger deletes all snapshots there are: 250, one a second."""
    for number in range(250):
        event = who(BACKUP, "backup/ledger", at(18, 14 + 20 / 60) + number, 99)
        target = f"backup/volumes/{5000 + number}"
        yield event | {"action": "snapshot.delete", "scope": "backup:delete", "target": target}


STORY = Story(
    name="cron_agent",
    prose="Backup jobs run twice a day to the minute, sixteen calls in a burst, and rest in between.",
    quiet=True,
    crews=(BACKUP,),
    days=21,
    seed=6,
    strike=strike,
    expects=Expects("backup/ledger", "page", ("blast_radius",), "2026-03-20T14:20:00Z", "2026-03-20T14:25:00Z", "kill"),
)
