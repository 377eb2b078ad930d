"""One harmless permission more a day, for three weeks."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.demo.stories.story import Expects, Line, Story
from monitor.demo.stories.world import REFERENCE_DAYS, Crew, Tool, at, who

OPS = Crew(
    role="ops",
    names=("atlas", "brise", "comet", "delta"),
    tools=(
        Tool("logs.search", "logs:read", "logs/services", items=15),
        Tool("metrics.query", "metrics:read", "metrics/services", items=15),
        Tool("deploy.restart", "deploy:restart", "deploy/services", items=10, approver="on-call"),
        Tool("ticket.update", "ticket:write", "tickets", items=10, fresh=0.3),
    ),
    routines=(
        (4, ("metrics.query", "logs.search", "ticket.update")),
        (2, ("metrics.query", "logs.search", "deploy.restart", "metrics.query", "ticket.update")),
    ),
    sessions_per_day=6,
    hours=None,
    weekend=0.7,
)
#: each looks like nothing much
STEPS = (
    "dns.zone:read", "config.map:read", "backup.catalogue:read", "billing.usage:read", "queue.depth:read",
    "cert.expiry:read", "image.registry:read", "feature.flag:read", "cache.key:read", "vault.policy:read",
    "network.rule:read", "cluster.node:read", "user.directory:read", "audit.log:read", "payroll.calendar:read",
    "repo.settings:read", "storage.bucket:read", "ci.pipeline:read", "vpn.session:read", "mail.rule:read",
    "licence.key:read",
)


def strike() -> Iterator[Line]:
    """From the third Monday on comet uses one permission more every day, and now and then one of the days before."""
    for number, scope in enumerate(STEPS):
        day = REFERENCE_DAYS + number
        yield _use(scope, at(day, 9.5 + number % 7), 90)
        if number > 2:
            yield _use(STEPS[number // 2], at(day, 17 + number % 3), 91)


def _use(scope: str, second: int, session: int) -> Line:
    thing = scope.partition(":")[0]
    event = who(OPS, "ops/comet", second, session)
    return event | {"action": f"{thing}.get", "scope": scope, "target": f"{thing.replace('.', '/')}/main"}


STORY = Story(
    name="permission_creep",
    prose="ops/comet takes up one harmless permission a day for three weeks; no single one of them would be news.",
    quiet=False,
    crews=(OPS,),
    days=REFERENCE_DAYS + 21,
    seed=3,
    strike=strike,
    expects=Expects("ops/comet", "page", ("permission_creep",), "2026-03-18T00:00:00Z", "2026-04-06T00:00:00Z"),
)
