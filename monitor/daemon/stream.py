"""One partition being read: recovered from snapshot and log, then decided step by step, each step one transaction.

After a crash evidence is rebuilt: records and inputs between the snapshot and the last commit are judged again, what
they say is compared with what was recorded and discarded, and alerts stand as they were recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np

from detectors.core.agents import key_of
from detectors.core.inputs import Change, Contain, Directed, Input
from detectors.core.records import Records
from monitor.clock import Clock
from monitor.daemon.verdicts import Lines
from monitor.findings import LEVELS, Alert, encode
from monitor.fleet import Fleet
from monitor.formats.base import Decoded, Format
from monitor.pipeline import Outcome, Pipeline, Said
from monitor.sources.base import Partition, RawBatch
from monitor.storage.decision import Claim, Decision, Position
from monitor.storage.inputs import StoredInput
from monitor.storage.store import Store

LEARNT = Partition("learnt", 0)


class Step(NamedTuple):
    """What one step led to, and the cut up to which it is decided."""

    outcome: Outcome
    after: Position
    decoded: Decoded | None = None
    #: how old the newest record was when it was judged
    age_seconds: float = 0.0
    #: the input that it was
    given: Input | None = None

    @property
    def by_person(self) -> bool:
        """A person ordered it."""
        return isinstance(self.given, Directed) and isinstance(self.given.directive, Contain)


class Compared(NamedTuple):
    """Alert lines that were recorded before a restart, how many were not found again, and how many only now."""

    recorded: int = 0
    missing: int = 0
    extra: int = 0


@dataclass(slots=True)
class Recovery:
    """What is judged again after a restart, up to `until`; `recorded` is what was said then."""

    until: Position
    inputs: list[StoredInput]
    recorded: list[bytes]
    said: list[bytes]


class Stream:
    """A claimed partition with its pipeline. `position` is the cut up to which records and inputs are in."""

    def __init__(self, partition: Partition, store: Store, format_: Format, pipeline: Callable[[Fleet | None], Pipeline],
                 fleet: Fleet, *, clock: Clock, owner: str, program: str, settings: str, name: str = "") -> None:
        self.partition, self._store, self._format, self._fleet = partition, store, format_, fleet
        self.name = name
        self._clock, self._program, self._settings = clock, program, settings
        self.claim: Claim = store.claim(partition, owner)
        loaded = store.load_snapshot(partition, self.claim.position)
        self.warnings = loaded.warnings
        snapshot = loaded.snapshot
        learnt = store.load_snapshot(LEARNT).snapshot if snapshot is None else None
        # while recovering, decisions over agents are taken by a fleet of its own and thrown away
        self.pipeline = pipeline(None if snapshot else fleet)
        if snapshot is not None:
            self.pipeline.load(snapshot.parts)
        elif learnt is not None:
            self.pipeline.engine.load({n: p for n, p in learnt.parts.items() if n != "fleet"})
        self.lines = Lines(lambda id_: len(store.queries.alert(id_)))
        self.position: Position | None = snapshot.position if snapshot else self.claim.position
        self._parent: int | None = snapshot.number if snapshot else None
        self._made_by = (snapshot.program, snapshot.settings) if snapshot else None
        self.recovery: Recovery | None = None
        self.compared = Compared()
        #: end of the log when it was taken up, once that is known
        self.end: int | None = None
        self._undecided: list[StoredInput] = []
        if snapshot is not None and self.claim.position is not None:
            recorded = [line.body for line in store.findings_between(partition, snapshot.position, self.claim.position)]
            inputs = store.read_inputs(partition, snapshot.position.offset, snapshot.position.seq)
            self.recovery = Recovery(self.claim.position, inputs, recorded, [])

    @property
    def start_offset(self) -> int | None:
        """Where reading has to go on; None: wherever the source begins."""
        return self.position.offset if self.position is not None else None

    @property
    def recovering(self) -> bool:
        """Records are judged again and nothing is decided."""
        return self.recovery is not None

    # -- records

    def take(self, raw: RawBatch) -> Iterator[Step]:
        """Judge raw records."""
        position = self.position or Position(raw.offsets[0] if raw.offsets else raw.next_offset)
        decoded = self._format.decode(raw)
        arrivals = decoded.records.arrivals
        age = max(self._clock.time() - arrivals[-1], 0.0) if arrivals else 0.0
        self.pipeline.trusted_time = raw.trusted_time
        outcome = self.pipeline.read(decoded.records, age_seconds=age)
        self.position = Position(raw.next_offset, 0, position.seq)
        yield Step(outcome, self.position, decoded, age)

    def again(self, raw: RawBatch) -> None:
        """While recovering: judge records again up to the last commit and no further; nothing comes of them."""
        if self.recovery is None or self.position is None:
            return
        stop = min(raw.next_offset, self.recovery.until.offset)
        records = self._format.decode(raw).records
        self._compare(self._read(records.part(0, sum(offset < stop for offset in records.offsets)), stop))
        self.position = Position(stop, 0, self.position.seq)
        self._recovered()

    def _read(self, records: Records, next_offset: int) -> Outcome:
        """Records again, with the inputs of then before the records that they came before."""
        whole, start = Outcome(), 0
        while self.recovery is not None and self.recovery.inputs:
            stored = self.recovery.inputs[0]
            if stored.at_offset >= next_offset:
                break
            stop = sum(offset < stored.at_offset for offset in records.offsets)
            if stop > start:
                _add(whole, self.pipeline.read(records.part(start, stop)))
            start = max(start, stop)
            _add(whole, self._apply(self.recovery.inputs.pop(0)).outcome)
        _add(whole, self.pipeline.read(records.part(start, len(records)) if start else records))
        return whole

    # -- inputs

    def put(self, inputs: list[Input]) -> Iterator[Step]:
        """Make inputs durable at the present position, then apply them one by one."""
        if self.position is None:
            return
        if self.position != self.claim.position:  # an input is never ahead of the records that it comes after
            self._store.commit(self.claim, Decision(position_after=self.position))
        for stored in self._store.append_inputs(self.claim, self.position.offset, inputs):
            yield self._apply(stored)

    def _apply(self, stored: StoredInput) -> Step:
        given, offset = stored.input, self.position.offset if self.position else 0
        outcome = self.pipeline.apply(given, stored.at_offset, leads=not isinstance(given, Directed) or given.leads)
        self.position = Position(max(stored.at_offset, offset), 0, stored.seq)
        return Step(outcome, self.position, given=given)

    # -- recovery

    def catch_up(self) -> Iterator[Step]:
        """Called when nothing more has to be read: ends a recovery, and applies what was durable but not decided."""
        if self.recovery is not None:
            self._recovered()
        if self.recovery is None and self.position is not None:
            waiting, self._undecided = self._undecided, []
            for stored in waiting:
                yield self._apply(stored)
            if self._made_by not in (None, (self._program, self._settings)):
                self._made_by = None
                yield from self.put([Change(self._settings, self._program)])

    def _compare(self, outcome: Outcome) -> None:
        if self.recovery is not None:
            self.recovery.said += [encode(said.finding) for said in outcome.said]

    def _recovered(self) -> None:
        """At the last commit: inputs that it had seen are applied, those it had not seen wait for their turn."""
        recovery = self.recovery
        if recovery is None or self.position is None or self.position.offset < recovery.until.offset:
            return
        whole = Outcome()
        while recovery.inputs and recovery.inputs[0].seq <= recovery.until.seq:
            _add(whole, self._apply(recovery.inputs.pop(0)).outcome)
        self._compare(whole)
        self.compared = _compared(recovery.recorded, recovery.said)
        self._undecided = list(recovery.inputs)
        self.position = recovery.until
        self.recovery = None
        self._fleet.adopt(self.partition.source, self.pipeline.fleet)
        self.pipeline.fleet = self._fleet
        self._stand_as_recorded()

    def _stand_as_recorded(self) -> None:
        """Open alerts are those that were recorded, also where other settings would now see others."""
        state = self.pipeline.engine.state
        common, names = state.common, [detector.name for detector in state.detectors]
        recorded = {}
        for line in self._store.queries.open_alerts():
            alert = line.finding
            if isinstance(alert, Alert) and alert.entity == "agent":
                row = state.agents[key_of(alert.tenant, alert.agent)]
                if row and alert.attested == state.settings.attested:
                    recorded[row] = alert
        for row in state.agents.residents().tolist():
            found = recorded.get(row)
            common.level[row] = LEVELS.index(found.level) + 1 if found else 0
            common.highest[row] = max(int(common.highest[row]), int(common.level[row])) if found else 0
            common.alert[row] = np.frombuffer(bytes.fromhex(found.id), np.uint8) if found else 0
            if not found:
                common.listed[row] = 0
            else:
                notice = self.pipeline.book.thresholds.notice
                for share in found.detectors:
                    if share.name in names and (share.score or 0.0) >= notice:
                        common.listed[row] |= 1 << names.index(share.name)

    def begin(self, offset: int) -> Position:
        """A partition that was never read begins here."""
        self.position = Position(offset)
        return self.position

    # -- snapshots

    def snapshot(self) -> int | None:
        """Write the state at the present cut; None when there is nothing to write yet."""
        if self.recovering or self.claim.position is None or self.position != self.claim.position:
            return None
        parts = self.pipeline.dump(everything=self._parent is None)
        unchanged = [] if self._parent is None else [n for n in SHARD_NAMES if n not in parts]
        self._parent = self._store.save_snapshot(self.claim, self.claim.position, parts, self._program, self._settings,
                                                 unchanged=unchanged, parent=self._parent)
        return sum(map(len, parts.values()))


SHARD_NAMES = tuple(f"shard-{number:02d}" for number in range(64))


def _add(whole: Outcome, more: Outcome) -> None:
    whole.said += more.said
    whole.sealed += more.sealed
    whole.orphans += more.orphans


def _compared(recorded: list[bytes], said: list[bytes]) -> Compared:
    """What an agent's own evidence decides, before and after."""
    before = {own for line in recorded if (own := _own(line))}
    after = {own for line in said if (own := _own(line))}
    return Compared(len(before), len(before - after), len(after - before))


def _own(line: bytes) -> bytes:
    found = msgspec.json.decode(line)
    if found["kind"] != "alert":
        return b""
    found.pop("incident", None)
    return msgspec.json.encode(found)


def said_of(steps: list[Step]) -> list[Said]:
    """All findings of these steps."""
    return [said for step in steps for said in step.outcome.said]
