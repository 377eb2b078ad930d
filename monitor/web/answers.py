"""What the daemon gives the interface: the store's reads, and a few verbs that only the running daemon knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from detectors.core.inputs import AnyDirective
from monitor.metrics import Metrics
from monitor.storage.directives import Directives
from monitor.storage.queries import Queries


class Health(msgspec.Struct, frozen=True):
    """Whether it is well; `problems` are sentences for people, by the part that they are about."""

    ok: bool
    problems: dict[str, str] = {}


class Told(msgspec.Struct, frozen=True):
    """What became of a directive: its id, and whether it counts now or waits for a second person."""

    id: str
    confirmed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Every verb may be called from several threads at once.

    `append` makes raw records durable and raises ingest's Full or Broken; None without an ingest source, which takes
    bodies up to `bytes_max`. `agent_state(tenant, agent)` is what the agent may do now, as JSON; also for agents that
    were never seen; `state_seen(tenant, agent, state)` says that the agent itself has shown that it got this state (a
    caller with its token, or one on this machine where no tokens are set, sent its ETag). `agents(limit)` are rows with agent, role, tenant, score, gate_score and last_seen. `explain(alert)`
    has `text`, `readiness(tenant, role)` has ready, missing and would_have; both are None for what is not known.
    `direct(directive, alone)` takes a directive; `alone`: a widening one needs no second person. It may raise Refused.
    `is_privileged(scope)` is the operator rules' word. `health` and `ready` must not block.
    """

    queries: Queries
    directives: Directives
    metrics: Metrics
    now: Callable[[], float]
    health: Callable[[], Health]
    ready: Callable[[], Health]
    agent_state: Callable[[str, str], Any]
    agents: Callable[[int], list[Any]]
    explain: Callable[[str], Any | None]
    readiness: Callable[[str, str], Any | None]
    direct: Callable[[AnyDirective, bool], Told]
    is_privileged: Callable[[str], bool]
    settings: Callable[[], Any]
    state_seen: Callable[[str, str, Any], None] | None = None
    append: Callable[[list[bytes]], int] | None = None
    bytes_max: int = 1_048_576


#: how a route asks for them
Given = NamedDependency[SkipValidation[Answers]]
