"""The loop: inputs, records, decisions, snapshots. One thread decides; others append, deliver, act and answer."""

from __future__ import annotations

import os
import socket
from collections import deque
from importlib.metadata import version
from threading import Event, RLock
from typing import TYPE_CHECKING, Self

from detectors.core.agents import key_of
from detectors.core.inputs import Arm, Delegation, Directed, Directive, Receipt, Tick
from detectors.core.reading import Orphan
from monitor import logs
from monitor.assembly import fleet_of, pipeline_of
from monitor.brake import Brake, Found
from monitor.clock import Clock, SystemClock
from monitor.config import settings_digest
from monitor.daemon import brakes, wiring
from monitor.daemon.answering import answers_of
from monitor.daemon.bulletin import Bulletin
from monitor.daemon.meters import Meters
from monitor.daemon.stream import Compared, Step, Stream
from monitor.daemon.verdicts import fill, orders, releases
from monitor.executor import Executor
from monitor.fleet import Fleet
from monitor.intent_log import IntentLog
from monitor.metrics import Metrics
from monitor.outbox import Delivery
from monitor.pipeline import Outcome, Pipeline, Said
from monitor.sources.base import Partition, RawBatch, Source, SourceError
from monitor.storage.decision import Claim, Decision, Position
from monitor.storage.errors import Fenced, StorageError, StorageUnavailable
from monitor.storage.store import Store
from monitor.web.app import build_app
from monitor.web.gate import check_bind
from monitor.web.server import WebServer
from monitor.web.tokens import Tokens

if TYPE_CHECKING:
    from monitor.config import Settings
    from monitor.section import Section

PROGRAM = f"driftd {version('driftd')}"
#: between snapshots, and between commits that only move a position
SNAPSHOT_SECONDS, POSITION_SECONDS = 60.0, 1.0
HOUR = 3600.0


class Daemon:
    """Everything of one installation. A context manager: entered, it is up; `step` goes once round the loop."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None, serve: bool = True) -> None:
        """`clock` is for the demo and for tests: it also stamps the append times of the ingest log."""
        self.settings, self.clock = settings, clock or SystemClock()
        self._log = logs.get("driftd")
        self.lock = RLock()  # held while the loop decides; the interface reads state under it
        self.metrics = Metrics()
        self.meters = Meters(self.metrics)
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        key = wiring.digest_key(settings.state_dir)
        url = settings.storage.url or f"sqlite:///{settings.state_dir / 'driftd.sqlite'}"
        self.store = Store.open(url, self.clock)
        self.store.check_key(wiring.fingerprint(key))
        self._key, self._owner = key, f"{socket.gethostname()}/{os.getpid()}"
        self._digest = settings_digest(settings)
        self.fleet: Fleet = fleet_of(settings)
        kept = self.store.kept("fleet")
        if kept is not None:
            self.fleet.load(kept)
        self._kept = kept
        self.sources = wiring.sources(settings, self.clock)
        self._places: dict[Partition, tuple[Source, Section]] = {}
        self.streams: dict[Partition, Stream] = {}
        self._unplaced: dict[Partition, int] = {}
        self.sinks = wiring.sinks(settings, self.clock)
        self.hooks = wiring.hooks(settings, self.clock)
        self.brake = Brake(settings.state_dir)
        self.executor = Executor(IntentLog(settings.state_dir / "intents.log"), self.brake, self.hooks, self._report,
                                 clock=self.clock, pulled=self._pulled)
        self.bulletin = Bulletin(self.store, [sink.name for sink in self.sinks], self.metrics, self.clock, self._wake)
        self.delivery = Delivery(self.store.outbox, self.sinks, self.bulletin, clock=self.clock)
        self._given: deque[Receipt | Found | Directive] = deque()
        self._held: set[Partition] = set()
        self._down: set[str] = set()
        self._reports: dict[int, Event] = {}
        self._stopping = False
        self._snapshot_at = self._committed_at = self.clock.monotonic()
        self.beat = self.clock.monotonic()
        self.web: WebServer | None = None
        if serve:
            tokens = Tokens.read(settings.api.tokens_file) if settings.api.tokens_file else None
            check_bind(settings.api.bind, tokens)
            app = build_app(answers_of(self), tokens, settings.api.allow_hosts)
            self.web = WebServer(app, settings.api.bind, settings.api.port)

    # -- life

    def __enter__(self) -> Self:
        self.bulletin.take_up()
        for proposal in reversed(self.store.directives.all("confirmed")):
            self.tell(proposal.directive)
        for name in self.sources:
            self._start(name)
        self.executor.start()
        self.delivery.start()
        if self.web is not None:
            self.web.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Finish what is under way, write the state, let go."""
        self._stopping = True
        if self.web is not None:
            self.web.stop()
        for waiting in list(self._reports.values()):
            waiting.set()
        self.executor.stop()
        self._take_given()
        self._flush()
        self.snapshot()
        self.delivery.stop()
        for name in self.sources:
            self.sources[name][0].stop()
        self.store.close()

    @property
    def url(self) -> str:
        """Where the interface answers."""
        return self.web.url if self.web is not None else ""

    def _start(self, name: str) -> None:
        source, _ = self.sources[name]
        positions = {partition: position.offset for partition, position in self.store.positions().items()}
        try:
            source.start(positions)
        except SourceError as error:
            self._trouble(name, error)

    # -- once round

    def step(self, timeout_seconds: float) -> int:
        """Go once round; returns how many records were judged."""
        self.beat = self.clock.monotonic()
        self.metrics.heartbeat.set(self.clock.time())
        self.executor.check()
        self.delivery.check()
        judged = 0
        try:
            with self.lock:
                self._take_given()
            for name, (source, section) in self.sources.items():
                judged += self._poll(name, source, section, timeout_seconds / max(1, len(self.sources)))
            with self.lock:
                self._tick_idle(judged)
                self._keep_up()
            self.metrics.storage_up.set(1)
            self.bulletin.over("daemon", "storage", "unavailable")
            self.bulletin.write()
        except (StorageUnavailable, Fenced) as error:
            with self.lock:
                self._storage_trouble(error)
            self.clock.sleep(0.5)
        return judged

    def _poll(self, name: str, source: Source, section: Section, timeout_seconds: float) -> int:
        try:
            batches = source.poll(timeout_seconds)
        except SourceError as error:
            self._trouble(name, error)
            return 0
        if batches or (name in self._down and source.lag()):
            self.metrics.source_up.labels(name).set(1)
            self.bulletin.over("source", name, "unreachable")
            self._down.discard(name)
        with self.lock:
            fresh = self._assign(name, source, section)
            for gap in source.gaps():
                self.meters.gap(name)
                self.bulletin.raised("source", name, "gap", f"records {gap.wanted} to {gap.found} of {gap.partition} are gone "
                             "before they were read; what happened in them is unknown")
            if any(not raw.trusted_time for raw in batches):
                self.bulletin.raised("source", name, "producer_time", "its records bear times that producers claim: agents are "
                             "judged by them, and none of their roles can be armed; let the broker stamp them "
                             f"(LogAppendTime), or set sources.{name}.trust_time", level="notice")
            judged = sum(self._take(source, raw) for raw in batches if raw.partition not in fresh)
            self._hold()
            if batches:
                source_decided(source, self.streams)
        return judged

    def _take(self, source: Source, raw: RawBatch) -> int:
        """Judge a batch; how many records. What comes while others catch up is read again afterwards."""
        stream = self.streams.get(raw.partition)
        if stream is None:
            return 0
        if stream.recovering:
            stream.again(raw)
            self._after_recovery(stream)
        elif not self._catching_up():
            for step in stream.take(raw):
                self._decide(stream, step)
            return len(raw.offsets)
        if stream.position is not None and stream.position.offset < raw.next_offset:
            source.seek(raw.partition, stream.position.offset)
        return 0

    def _hold(self) -> None:
        """While a partition catches up the others wait: what they read may be an input there."""
        behind = self._catching_up()
        for partition, stream in self.streams.items():
            source, _ = self._places[partition]
            if behind and not stream.recovering and partition not in self._held:
                source.pause(partition)
                self._held.add(partition)
            elif partition in self._held and (stream.recovering or not behind):
                source.resume(partition)
                self._held.discard(partition)

    # -- partitions

    def _assign(self, name: str, source: Source, section: Section) -> set[Partition]:
        """Streams for partitions that are ours now, none for those that are not; the new ones."""
        mine = source.assigned()
        for partition in [p for p, (s, _) in self._places.items() if s is source and p not in mine]:
            self.streams.pop(partition, None)
            self._held.discard(partition)
            del self._places[partition]
        fresh = mine - set(self._places)
        for partition in sorted(fresh):
            stream = self._stream(partition, section, name)
            self._places[partition] = (source, section)
            self.streams[partition] = stream
            for warning in stream.warnings:
                self._log.warning("snapshot", problem=warning)
            if stream.start_offset is not None:
                source.seek(partition, stream.start_offset)
            source.resume(partition)
        for partition in sorted(mine):
            self._begin(partition, source)
        return fresh

    def _stream(self, partition: Partition, section: Section, name: str) -> Stream:
        attested = bool(getattr(section, "attested", False))
        trusted = bool(getattr(section, "trust_time", True))  # until a record shows who stamps them

        def made(fleet: Fleet | None) -> Pipeline:
            return pipeline_of(self.settings, partition.source, attested=attested, key=self._key, trusted_time=trusted,
                               fleet=fleet)

        return Stream(partition, self.store, wiring.format_of(section, self.settings), made, self.fleet,
                      clock=self.clock, owner=self._owner, program=PROGRAM, settings=self._digest, name=name)

    def _begin(self, partition: Partition, source: Source) -> None:
        """The first position of a partition is written down before its first record, with an empty snapshot."""
        stream = self.streams[partition]
        if stream.position is None:
            offset = source_position(source, partition)
            if offset is None:
                return
            self.store.commit(stream.claim, Decision(position_after=stream.begin(offset)))
            stream.snapshot()
        for step in stream.catch_up():
            self._decide(stream, step)
        self._after_recovery(stream)

    def _after_recovery(self, stream: Stream) -> None:
        recorded, missing, extra = stream.compared
        if missing or extra:
            self.metrics.mismatches.inc(missing + extra)
            self.bulletin.raised("daemon", "recovery", "mismatch", f"{missing} of {recorded} recorded lines were not found again "
                         f"after the restart, and {extra} would be said now; what was recorded stands", level="notice")
        stream.compared = Compared()

    # -- decisions

    def _decide(self, stream: Stream, step: Step) -> None:
        """The kill path first, then one transaction, then the news."""
        said, now = step.outcome.said, self.clock.time()
        self.meters.step(stream, step)
        try:
            self._act(said, now, by_person=step.by_person)
        except OSError as error:
            raise StorageUnavailable(f"The intent log cannot be written ({error.strerror}).",
                                     "Nothing is done that is not written there first; free space on its disk.") from error
        self._delegate(stream, step)
        decision = Decision(position_after=step.after, dead=list(step.decoded.dead) if step.decoded else [])
        if isinstance(step.given, Receipt):
            decision.receipts = [step.given]
        fill(decision, said, stream.lines, [sink.name for sink in self.sinks], now)
        due = self.clock.monotonic() - self._committed_at >= POSITION_SECONDS
        if decision.findings or decision.dead or due or step.decoded is None:
            self._commit(stream.claim, decision)
        self._blindness(stream)

    def _act(self, said: list[Said], now: float, *, by_person: bool) -> None:
        for order in orders(said, now):
            size = self.fleet.size(order.tenant, order.role).agents
            self.executor.submit(order, by_person=by_person, role_size=size, ratified_agents=self.fleet.ratified())
        for line in releases(said):
            if line.executes is not None:  # one containment of several keeps its id, all of an agent's have a new one
                one = line.id if self.executor.ordered(line.id) else None
                self.executor.release(line.tenant, line.agent, containment=one, why=line.reason)

    def _blindness(self, stream: Stream) -> None:
        """What cannot be seen is said: detectors that raised, names for which there is no room."""
        for failure in stream.pipeline.engine.errors():
            self._log.error("detector", **failure._asdict())
            self.bulletin.raised("daemon", f"detector {failure.detector}", "raised", f"{failure.error} in {failure.verb} "
                         f"({failure.place}); it is blind for {failure.agents} agents since")
        strangers = stream.pipeline.engine.state.agents.strangers
        if strangers:
            self.bulletin.raised("source", stream.name, "strangers", f"{strangers} records came under names for "
                         "which there is no room: they are not judged; see agents.max, and who invents names")

    def _commit(self, claim: Claim, decision: Decision) -> None:
        fleet = self.fleet.dump()
        if fleet != self._kept:  # also without a finding: an armed role, a silence
            decision.kept["fleet"] = fleet
        with self.metrics.commit_seconds.time():
            self.store.commit(claim, decision)
        self._kept = decision.kept.get("fleet", self._kept)
        self._committed_at = self.clock.monotonic()
        if decision.outbox:
            self.delivery.wake()

    def _delegate(self, stream: Stream, step: Step) -> None:
        """Records of delegates reach ancestors at home in another partition as inputs there.

        Before these records are decided: after a crash in between they are judged, and delegated, again.
        """
        decoded = step.decoded
        if decoded is None or len(self.streams) < 2:
            return
        records, homes = decoded.records, dict[int, set[Partition]]()
        for orphan in step.outcome.orphans:
            home = self._home(orphan, records.events[orphan.event].tenant, stream)
            if home is not None and home not in homes.setdefault(orphan.event, set()):
                homes[orphan.event].add(home)
                i = orphan.event
                given = Delegation(records.contents[i], records.arrivals[i], stream.partition.source,
                                   records.offsets[i], records.indexes[i], records.attested)
                for delegated in self.streams[home].put([given]):
                    self._decide(self.streams[home], delegated)

    def _home(self, orphan: Orphan, tenant: str, away: Stream) -> Partition | None:
        key = key_of(tenant, orphan.ancestor)
        found = (p for p, s in self.streams.items() if s is not away and key in s.pipeline.engine.state.agents)
        return next(found, None)

    # -- inputs from elsewhere

    def _report(self, receipt: Receipt) -> None:
        """From the executor's threads: returns when the receipt is durable."""
        done = Event()
        self._reports[id(receipt)] = done
        self._given.append(receipt)
        while not done.wait(0.2):
            pass
        if self._reports.pop(id(receipt), None) is not None and self._stopping:
            raise OSError("the daemon is stopping; it is reported by its next life")

    def _pulled(self, found: Found) -> None:
        self._given.append(found)

    def tell(self, directive: Directive) -> None:
        """A directive that counts from now on; taken up by the loop."""
        self._given.append(directive)

    def _take_given(self) -> None:
        """In order. What cannot be written now stays first: only what is durable is taken out."""
        early = deque[Receipt | Found | Directive]()
        try:
            while self._given and self.streams and not self._catching_up():
                given = self._given[0]
                if isinstance(given, Receipt):
                    if self._too_early(given):
                        early.append(given)
                    else:
                        self._receive(given)
                elif isinstance(given, Directive):
                    self._direct(given)
                else:
                    for directive in brakes.directives_of(given, self.store, self.clock.time()):
                        self._direct(directive)
                self._given.popleft()
        finally:
            self._given.extendleft(reversed(early))

    def _too_early(self, receipt: Receipt) -> bool:
        """The step was carried out and its decision not written: first it is judged and decided again."""
        if self.store.queries.containment(receipt.containment) is not None:
            return False
        return not all(self._passed(partition) for partition in self.streams)

    def _passed(self, partition: Partition) -> bool:
        """All that was there when the partition was taken up has been judged."""
        stream, (source, _) = self.streams[partition], self._places[partition]
        lag = source.lag().get(partition)
        if stream.position is None or (stream.end is None and lag is None):
            return False
        if stream.end is None:
            stream.end = stream.position.offset + (lag or 0)
        return stream.position.offset >= stream.end

    def _catching_up(self) -> bool:
        """An input has one position in every partition: first all of them catch up."""
        return any(stream.recovering for stream in self.streams.values())

    def _receive(self, receipt: Receipt) -> None:
        stream = self._of_agent(receipt.tenant, receipt.agent) or next(iter(self.streams.values()))
        for step in stream.put([receipt]):
            self._decide(stream, step)
        self.meters.receipt(receipt)
        if receipt.outcome == "failed":
            self.bulletin.raised("daemon", "containment", f"{receipt.step} of {receipt.agent} failed", receipt.detail,
                         level="critical")
        done = self._reports.pop(id(receipt), None)
        if done is not None:
            done.set()

    def _direct(self, directive: Directive) -> None:
        """Every partition hears a directive; the one where the agent lives leads, else the first."""
        agent = getattr(directive, "agent", None)
        leader = self._of_agent(getattr(directive, "tenant", ""), agent) if agent else None
        ready = [stream for stream in self.streams.values() if not stream.recovering and stream.position is not None]
        leader = leader or (ready[0] if ready else None)
        for stream in ready:
            for step in stream.put([Directed(directive, stream is leader)]):  # type: ignore[arg-type]
                self._decide(stream, step)
        if isinstance(directive, Arm) and self.fleet.ladder.arming.find(directive.tenant, directive.role) is not None:
            self.brake.arm(directive.by, role=directive.role, tenant=directive.tenant, reason=directive.reason)
        if directive.id:
            self.store.directives.applied(directive.id)

    def _of_agent(self, tenant: str, agent: str) -> Stream | None:
        key = key_of(tenant, agent)
        for stream in self.streams.values():
            if key in stream.pipeline.engine.state.agents:
                return stream
        return None

    def _tick_idle(self, judged: int) -> None:
        """Silent partitions: their clock follows ours, once everything that was written has been read."""
        if judged:
            return
        now = self.clock.time()
        for partition, stream in self.streams.items():
            source, _ = self._places[partition]
            state = stream.pipeline.engine.state
            late = state.hour >= 0 and int(now // HOUR) > state.hour
            # a partition whose lag is not known may have records that came before now
            if late and not stream.recovering and source.lag().get(partition) == 0:
                for step in stream.put([Tick(now)]):
                    self._decide(stream, step)

    # -- keeping

    def _keep_up(self) -> None:
        for expired in self.fleet.ladder.expire(self.clock.time()):
            stream = self._of_agent(expired.tenant, expired.agent)
            if stream is not None and stream.claim.position is not None:
                self._decide(stream, Step(Outcome([Said(expired)]), stream.claim.position))
        self.meters.state(self)
        if self.clock.monotonic() - self._snapshot_at >= SNAPSHOT_SECONDS:
            self.snapshot()

    def snapshot(self) -> None:
        """Write the state of every partition."""
        self._flush()
        for stream in self.streams.values():
            written = stream.snapshot()
            if written is not None:
                self.metrics.snapshot_bytes.set(written)
                self.metrics.snapshot_time.set(self.clock.time())
        self._snapshot_at = self.clock.monotonic()

    def _flush(self) -> None:
        """Write down positions that moved without anything being said."""
        for stream in self.streams.values():
            if not stream.recovering and stream.position is not None and stream.position != stream.claim.position:
                self._commit(stream.claim, Decision(position_after=stream.position))

    # -- trouble

    def _trouble(self, name: str, error: SourceError) -> None:
        self._log.error("source", name=name, problem=error.problem, cure=error.cure)
        self._down.add(name)
        self.metrics.source_up.labels(name).set(0)
        self.bulletin.raised("source", name, "unreachable", f"{error.problem} {error.cure}".strip())

    def _storage_trouble(self, error: StorageError) -> None:
        """Nothing of the last step was written: what was judged since the last commit is judged again."""
        self._log.error("storage", problem=error.problem, cure=error.cure)
        self.metrics.storage_up.set(0)
        self.bulletin.raised("daemon", "storage", "unavailable", f"{error.problem} {error.cure}".strip())
        for source, _ in self.sources.values():
            for partition in source.assigned():
                source.pause(partition)
        self.streams.clear()
        self._places.clear()
        self._held.clear()
        self.fleet = fleet_of(self.settings)
        if self._kept is not None:
            self.fleet.load(self._kept)

    def _wake(self) -> None:
        self.delivery.wake()


def source_position(source: Source, partition: Partition) -> int | None:
    """Where reading begins, as soon as the source knows."""
    positions: dict[Partition, int] = getattr(source, "positions", dict)()
    found: int | None = positions.get(partition)
    return found


def source_decided(source: Source, streams: dict[Partition, Stream]) -> None:
    """Tell the source up to where verdicts are final: what is before may be let go."""
    decided = getattr(source, "decided", None)
    if decided is not None:
        decided({p: s.claim.position.offset for p, s in streams.items() if isinstance(s.claim.position, Position)})
