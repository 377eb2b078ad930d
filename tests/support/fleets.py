"""Random streams of a small fleet, with all that real logs have: made from a seed, in log order."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from detectors.core.columns import Array
from detectors.core.event import Event
from detectors.core.records import Records

HOUR, DAY = 3600.0, 86_400.0
START = 1_772_409_600.0
ROLES = (("", "crm"), ("", "ops"), ("acme", "crm"))
SCOPES = ("read", "write", "list", "update", "search", "comment")
EFFECTS = ("read", "read", "read", "write", "delete", "send")
#: records of other agents that may lie between a record and its place by time; under the grace of an hour
LATE = 40 * 60.0


def fleet(seed: int, *, days: float = 14.0, agents_a_role: int = 2, gap_hours: float = 2.4) -> Records:
    """A fleet of three roles in two tenants; some agents go astray after the reference, some come late, some stop."""
    rng = random.Random(seed)
    told: list[tuple[float, dict[str, Any]]] = []
    for tenant, role in ROLES:
        for i in range(agents_a_role):
            name = f"{role}/{i}"
            start = rng.random() * DAY * (1 if i else 0.1)
            stop = days * DAY * (0.8 if rng.random() < 0.2 else 1.0)
            told += _life(rng, tenant, role, name, start, stop, gap_hours * HOUR, astray=rng.random() < 0.6)
    for k in range(rng.randrange(4, 12)):
        told.append((rng.random() * days * DAY, {"agent": f"passer-by/{k}", "action": "crm:read"}))
    return _logged(rng, told)


def _life(rng: random.Random, tenant: str, role: str, name: str, start: float, stop: float, gap: float, *,
          astray: bool) -> list[tuple[float, dict[str, Any]]]:
    own = rng.sample(SCOPES, 3)
    at, told, turning = start, [], rng.uniform(11.0, 13.0) * DAY
    while at < stop:
        at += rng.expovariate(1 / (gap / 25 if astray and at > turning else gap))
        event: dict[str, Any] = {"agent": name, "tenant": tenant, "action": f"{role}:{rng.choice(own)}",
                                 "effect": rng.choice(EFFECTS), "host": f"host{rng.randrange(3)}"}
        if rng.random() < 0.7:
            event["target"] = f"{role}/{rng.randrange(4)}/{rng.randrange(30)}"
        if rng.random() < 0.1:
            event |= {"agent": f"{role}/tool", "via": [name] if rng.random() < 0.7 else ["crm/0", name]}
        if astray and at > turning:
            _stray(rng, event, role)
        told.append((at, event))
    return told


def _stray(rng: random.Random, event: dict[str, Any], role: str) -> None:
    if rng.random() < 0.2:
        event |= {"action": f"iam:grant{rng.randrange(60)}", "privileged": True, "effect": "grant"}
    if rng.random() < 0.3:
        event |= {"target": f"new{rng.randrange(50)}/deep/{rng.randrange(999)}", "origin": {"trusted": False}}
    if rng.random() < 0.3:
        event |= {"effect": "delete", "count": rng.randrange(1, 40)}
    if rng.random() < 0.2:
        event["outcome"] = rng.choice(("error", "denied"))
    event["version"] = f"{role}-2"


def _logged(rng: random.Random, told: list[tuple[float, dict[str, Any]]]) -> Records:
    """In log order, which is not quite that of time; with ids, repeated ones among them, and times far ahead."""
    told = [(at, event) for at, event in told if at >= 0]
    told.sort(key=lambda one: one[0] - rng.random() * LATE * (rng.random() < 0.1))
    records, lines = Records(), list[tuple[float, dict[str, Any]]]()
    for k, (at, one) in enumerate(told):
        event = {**one, "id": f"e{k}"} if rng.random() < 0.8 else one
        if rng.random() < 0.05:
            lines += [line for line in lines[-3:] if abs(line[0] - at) < LATE]  # sent again as they were
        if lines and rng.random() < 0.01:
            event = {**event, "id": lines[-1][1].get("id", "e0")}  # the same id for another event
        ahead = rng.choice((3 * DAY, 60 * DAY)) if rng.random() < 0.002 else 0.0
        lines.append((at + ahead, event))
    for k, (at, event) in enumerate(lines):
        line = msgspec.json.encode({**event, "time": START + at})
        records.events.append(msgspec.json.decode(line, type=Event))
        records.contents.append(line)
        records.offsets.append(k // 2)
        records.indexes.append(k % 2)
        records.arrivals.append(START + at)
        records.times.append(START + at)
    return records


def draw(seed: int) -> Callable[[int], Array]:
    """A source of uniform random numbers, the same in every run."""
    return np.random.default_rng(seed).random
