"""All that a partition knows: agents, evidence, sets, peers, and what people announced."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import msgspec
import numpy as np

from detectors.core import calendar
from detectors.core.agents import AGENT, SHARDS, Agents
from detectors.core.cohort import PRESENT, Cohorts
from detectors.core.columns import Array, Columns, Rows
from detectors.core.detector import Detector, Exemplar
from detectors.core.digests import PUBLIC_KEY, Digests
from detectors.core.evidence import EVIDENCE
from detectors.core.family import Family
from detectors.core.guard import Failure
from detectors.core.inputs import Adoption
from detectors.core.kinds import ActionKinds
from detectors.core.rules import Rules
from detectors.core.sets import FirstSeen

#: fused score from which an agent is suspected: nothing is learnt, and peers do not learn from it
SUSPECTED = 2.5
#: things that wait to be learnt, for each agent
PENDING_MAX = 64
EXEMPLARS_MAX = 5
#: with fewer peers than this nothing is concluded from them
PEERS_MIN = 3


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the core is told. `interesting` is the lowest score that anybody wants to hear of."""

    reference_days: float = 14.0
    person_ratifies: bool = False
    interesting: float = 10.0
    rows_max: int = 1 << 20
    newcomers_max: int = 1 << 16
    idle_days_max: float = 90.0
    things_max: int = 4096
    key: bytes = PUBLIC_KEY
    attested: bool = True
    #: cohort versions come from outside (several partitions, or a replay of one agent)
    cohorts_given: bool = False


class Waiting(msgspec.Struct, array_like=True):
    """A thing met and not learnt yet."""

    family: int
    thing: int
    clock: float
    place: int
    spoiled: bool
    #: class of the hit by number of its mark
    classes: dict[int, int] = {}
    #: met in the late reference: it tells only what is usual
    late: bool = False
    #: what the same event met beside it: levels below a new area
    also: tuple[int, ...] = ()


class State:
    """Tables and memories of one partition; the verbs are in reading, judging, ticks and directing."""

    def __init__(self, detectors: list[Detector], rules: Rules, settings: EngineSettings) -> None:
        self.detectors, self.rules, self.settings = detectors, rules, settings
        self.families: list[tuple[int, Family]] = [(d, f) for d, x in enumerate(detectors) for f in x.families]
        self.numbers = {(d, f.name): i for i, (d, f) in enumerate(self.families)}
        self.base = np.cumsum([0, *(len(d.families) for d in detectors)]).tolist()
        self.weights = np.array([f.weight for _, f in self.families])
        self.gates = np.array([f.weight if f.gate else 0.0 for _, f in self.families])
        if self.weights.sum() > 1 + 1e-9:
            raise ValueError("the weights of all families add up to more than 1")
        first_uses = [f.hit for _, f in self.families if f.hit]
        if len(first_uses) > len(set(first_uses)):
            raise ValueError("two families ask for the same first uses; each kind of them belongs to one")
        self.hits = {f.hit: i for i, (_, f) in enumerate(self.families) if f.hit}
        self.scopes, self.targets = Digests(settings.key, "scope"), Digests(settings.key, "target")
        self.identities, self.roles = Digests(settings.key, "agent"), Digests(settings.key, "role")
        self.contents, self.places = Digests(settings.key, "content"), Digests(settings.key, "place")
        self.kinds = ActionKinds(rules, self.scopes)
        self.agents = Agents(settings.rows_max, settings.newcomers_max)
        self.common = self.agents.columns
        rows = self.common.rows
        self.evidence: dict[int, Array] = {i: np.zeros(rows, EVIDENCE) for i, (_, f) in enumerate(self.families) if f.hit}
        self.value = np.zeros((rows, len(self.families)))
        self.late_hits = np.zeros((rows, len(self.families)))
        self.blind = np.zeros((rows, len(detectors)), np.uint8)
        self.mine = [Columns(d.memory if d.memory is not None else np.dtype([]), rows) for d in detectors]
        self.seen = FirstSeen(settings.things_max)
        self.pending: dict[int, list[Waiting]] = {}
        self.exemplars: dict[tuple[int, int], list[Exemplar]] = {}
        self.cohorts = Cohorts()
        self.contributions: list[Adoption] = []
        #: role digest to {thing digest: until}: what an announced release brings
        self.expected: dict[int, dict[int, float]] = {}
        self.calendars: dict[int, list[str]] = {}
        self.clock = 0.0
        #: the last record was too far ahead of the clock to be believed alone
        self.ahead = False
        self.hour = -1
        self.counts: Counter[str] = Counter()
        #: hits that the references predicted, by family, since somebody took them; for metrics, not part of the state
        self.expected_hits: dict[str, float] = {}
        self.failures: list[Failure] = []
        self.dirty: set[int] = set()

    def make_room(self) -> None:
        """Let every table have as many rows as the agents' own."""
        rows = self.common.rows
        if len(self.value) == rows:
            return
        for number, column in self.evidence.items():
            self.evidence[number] = _grown(column, rows)
        self.value, self.late_hits = _grown(self.value, rows), _grown(self.late_hits, rows)
        self.blind = _grown(self.blind, rows)
        for mine in self.mine:
            mine.grow(rows)

    def clear(self, row: int) -> None:
        """Forget what a row held, in every table but the agents' own."""
        for column in self.evidence.values():
            column[row] = 0
        self.value[row] = self.late_hits[row] = self.blind[row] = 0
        for mine in self.mine:
            mine.clear(row)
        self.pending.pop(row, None)
        for key in [key for key in self.exemplars if key[0] == row]:
            del self.exemplars[key]

    def soil(self, rows: Rows) -> None:
        """These rows change: their shards are part of the next snapshot."""
        shard = (self.common.identity[rows] % np.uint64(SHARDS)).astype(np.int64)
        self.dirty.update(np.flatnonzero(np.bincount(shard, minlength=SHARDS)).tolist())

    def rebound(self, row: int) -> None:
        """The fused score of a row can be no higher than this, whenever it is read."""
        total = 0.0
        for weight, value in zip(self.weights.tolist(), self.value[row].tolist(), strict=True):
            total += weight * max(value, 1.0)
        self.common.bound[row] = total

    def peers(self, row: int, thing: int, place: int, hour: int) -> int | None:
        """Class of what peers elsewhere know: none 0, one or two 1, more 2; None with fewer than three peers."""
        role, identity = int(self.common.role[row]), int(self.common.identity[row])
        if self.cohorts.peers(role, PRESENT, identity, place, hour) < PEERS_MIN:
            return None
        known = self.cohorts.peers(role, thing, identity, place, hour)
        return (known > 0) + (known >= PEERS_MIN)

    def announced_work(self, row: int, time: float) -> bool:
        """Recurring work that was announced for the agent's role is under way."""
        rules = self.calendars.get(int(self.common.role[row]))
        return rules is not None and any(calendar.covers(rule, time) for rule in rules)

    def family_name(self, number: int) -> str:
        """`detector.family`."""
        d, family = self.families[number]
        return f"{self.detectors[d].name}.{family.name}"

    def expect(self, number: int, hits: float) -> None:
        """A family's references predicted so many more hits."""
        name = self.family_name(number)
        self.expected_hits[name] = self.expected_hits.get(name, 0.0) + hits

    def role_of(self, row: int) -> int:
        """Digest of the row's (tenant, role)."""
        return int(self.common.role[row])

    def bytes_per_agent(self) -> dict[str, int]:
        """Declared memory of one resident, by part."""
        parts = {"agent": AGENT.itemsize + self.value.itemsize * 2 * len(self.families) + len(self.detectors)}
        for d, detector in enumerate(self.detectors):
            counting = sum(EVIDENCE.itemsize for e, f in self.families if e == d and f.hit)
            parts[detector.name] = detector.bytes_per_agent + counting
        return parts


def _grown(old: Array, rows: int) -> Array:
    new = np.zeros((rows, *old.shape[1:]), old.dtype)
    new[: len(old)] = old
    return new


def rows_of(residents: dict[str, int]) -> Rows:
    """Rows of a mapping, ascending."""
    return np.array(sorted(residents.values()), np.int64)
