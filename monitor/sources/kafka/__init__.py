"""Kafka: topics read through a consumer group, at positions that are ours and not Kafka's."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable
from itertools import groupby
from operator import itemgetter
from typing import Any, ClassVar, Literal, ParamSpec, Self, TypeVar

from kafka import OffsetAndMetadata, TopicPartition, errors
from pydantic import AwareDatetime, Field, FilePath, SecretStr, model_validator

from monitor.section import Section
from monitor.sources.assignment import Assignment
from monitor.sources.base import Gap, Partition, RawBatch, SourceError
from monitor.sources.kafka.clients import Clients, Rebalances, finish_join
from monitor.sources.kafka.records import Row, row

P = ParamSpec("P")
T = TypeVar("T")
ANSWER_SECONDS_MAX = 2.0
RETRY_SECONDS = 2.0


class KafkaSettings(Section):
    """Topics of Apache Kafka, or of a broker that speaks its protocol."""

    type: Literal["kafka"] = "kafka"
    topics: tuple[str, ...] = Field(min_length=1, description="topics to read; compacted ones are refused")
    bootstrap_servers: tuple[str, ...] = Field(("localhost:9092",), min_length=1, description="host:port of brokers")
    group: str = Field("driftd", min_length=1, description="consumer group; daemons of one group share the partitions")
    start: Literal["earliest", "latest"] | AwareDatetime = Field(
        "earliest", description="where a partition begins that was never read: earliest, latest or an RFC 3339 time"
    )
    format: str = Field("native", description="how records are written")
    attested: bool = Field(
        False, description="producers are bound to who they claim to be; only such evidence contains"
    )
    trust_time: bool = Field(False, description="take producers' times for the clock where the broker stamps none")
    bytes_max: int = Field(1_048_576, ge=1024, description="largest record that is read, in bytes")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how brokers are reached"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field("SCRAM-SHA-512", description="for SASL")
    sasl_username: str | None = Field(None, description="for SASL")
    sasl_password: SecretStr | None = Field(None, description="for SASL; sasl_password_file names a file instead")
    ssl_cafile: FilePath | None = Field(
        None, description="PEM of the authority that signed the brokers; default: system"
    )
    ssl_certfile: FilePath | None = Field(None, description="PEM of our certificate, for mutual TLS")
    ssl_keyfile: FilePath | None = Field(None, description="PEM of its key")
    ssl_key_password: SecretStr | None = Field(
        None, description="of the key; ssl_key_password_file names a file instead"
    )
    # Small fetches cost a core when the topic is quiet: 68 % of one at 1,000 records/s with one byte, 9 % with these.
    fetch_bytes_min: int = Field(65_536, ge=1, description="a broker waits for this much before it answers")
    fetch_seconds_max: float = Field(0.025, ge=0.001, le=10, description="but no longer than this")
    poll_records_max: int = Field(4096, ge=1, description="records given at once")
    session_seconds: float = Field(45, ge=1, description="a daemon silent for so long loses its partitions")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password):
            raise ValueError(f"{self.security_protocol} needs sasl_username and sasl_password (or sasl_password_file)")
        if bool(self.ssl_keyfile) and not self.ssl_certfile:
            raise ValueError("ssl_keyfile is given without ssl_certfile")
        return self


class KafkaSource:
    """Partitions of topics as raw batches.

    The id of a partition's source is its topic's UUID, so that a topic made anew under an old name is another one; for
    brokers before 2.8, which have none, it is the topic's name.

    A partition shows in `assigned` at least one poll before its first record: in between the daemon says with `seek`
    where its store goes on. The poll that finds its place gives nothing, so that `positions` shows where it begins. The group's commits are never read; `decided` writes them for lag dashboards.
    """

    kind: ClassVar[str] = "kafka"

    def __init__(self, settings: KafkaSettings, *, name: str = "kafka") -> None:
        self.name = name
        self._settings = settings
        self._assignment = Assignment({})
        self._ours: dict[TopicPartition, Partition] = {}
        self._paused: set[Partition] = set()
        self._ends: dict[Partition, int] = {}
        self._consumer: Any = None
        self._rebalances = Rebalances(None)
        self._lean = False
        self._clients = Clients(settings, name)
        self._said: str | None = None
        self._retry_at = self._heard_at = 0.0

    def start(self, positions: dict[Partition, int]) -> None:
        """Connect. Raises SourceError; `poll` then goes on trying with the same positions."""
        self._assignment = Assignment(positions)
        try:
            self._connected()
        except SourceError as error:
            self._said = error.problem
            raise

    def poll(self, timeout_seconds: float) -> list[RawBatch]:
        """What has arrived. A trouble raises SourceError once, and then gives nothing until it is over."""
        until = time.monotonic() + timeout_seconds
        try:
            return self._poll(until)
        except SourceError as error:
            if error.problem != self._said:
                self._said = error.problem
                raise
            time.sleep(max(0.0, until - time.monotonic()))
            return []

    def assigned(self) -> set[Partition]:
        """The partitions that the group gave to this process."""
        return self._assignment.all()

    def positions(self) -> dict[Partition, int]:
        """Next offset of every partition that is being read."""
        return self._assignment.positions()

    def gaps(self) -> list[Gap]:
        """Stored positions that were no longer there, since the last call."""
        return self._assignment.gaps()

    def seek(self, partition: Partition, offset: int) -> None:
        """Go on from this offset; also for a partition that is not assigned yet."""
        self._assignment.seek(partition, offset)
        self._hold(partition)

    def pause(self, partition: Partition) -> None:
        """Keep the partition but give none of its records until `resume`, whatever the group does meanwhile."""
        self._paused.add(partition)
        self._hold(partition)

    def resume(self, partition: Partition) -> None:
        """The opposite of `pause`."""
        self._paused.discard(partition)
        if self._consumer and self._assignment.is_placed(partition) and (carrier := self._carrier(partition)):
            self._consumer.resume(carrier)

    def lag(self) -> dict[Partition, int]:
        """Records behind the position of each partition that is read; nothing is known while the broker is away."""
        lags: dict[Partition, int] = {}
        if self._said is not None:
            return lags
        for carrier, partition in self._ours.items():
            if self._assignment.is_placed(partition):
                end = max(self._ends.get(partition, 0), self._asked(self._consumer.highwater, carrier) or 0)
                # Markers of transactions take offsets too: the client has passed them, our last record has not.
                passed = self._asked(self._consumer.position, carrier, timeout_ms=0) or 0
                lags[partition] = max(0, end - max(passed, self._assignment.next(partition)))
        return lags

    def decided(self, positions: dict[Partition, int]) -> None:
        """Tell Kafka up to where verdicts are final. Only dashboards read it: best effort, without waiting."""
        offsets = {c: OffsetAndMetadata(positions[p], "", -1) for c, p in self._ours.items() if p in positions}
        if self._consumer and offsets:
            self._consumer.commit_async(offsets)

    def stop(self) -> None:
        """Leave the group and disconnect."""
        if self._consumer:
            self._consumer.close(autocommit=False, timeout_ms=ANSWER_SECONDS_MAX * 1000)
            self._consumer = None
        for partition in self._assignment.all():
            self._assignment.take(partition)
        self._ours.clear()

    def _poll(self, until: float) -> list[RawBatch]:
        consumer = self._connected()
        if self._place():
            return []  # so that `positions` can be read before the first record
        # While nothing is placed there is nothing to wait for but the group.
        wait = max(0.0, until - time.monotonic()) if self._assignment.placed() else 0.1
        found = self._records(consumer, min(wait, max(0.0, until - time.monotonic())))
        self._follow()
        batches = []
        for carrier, records in found.items():
            partition = self._ours.get(carrier)
            if partition and self._assignment.is_placed(partition) and partition not in self._paused:
                batches += self._batches(partition, records if self._lean else [row(record) for record in records])
        for batch in batches:
            self._assignment.read(batch)
        if batches:
            self._heard()
        elif time.monotonic() > self._heard_at + RETRY_SECONDS:
            self._probe()
        return batches

    def _records(self, consumer: Any, wait_seconds: float) -> dict[TopicPartition, list[Any]]:
        finish_join(consumer)
        try:
            found: dict[TopicPartition, list[Any]] = consumer.poll(timeout_ms=int(wait_seconds * 1000))
        except errors.OffsetOutOfRangeError as gone:
            for carrier in gone.args[0]:
                self._lose(carrier)
        except errors.LogTruncationError as cut:
            for carrier, diverged in cut.divergent_offsets.items():
                self._lose(carrier, None if diverged is None else diverged.offset)
        except errors.NoOffsetForPartitionError:
            pass  # assigned this instant: the listener gives it a stand-in position before the next poll
        except errors.KafkaError as error:
            raise self._clients.trouble(error) from error
        else:
            return found
        return {}

    def _lose(self, carrier: TopicPartition, found: int | None = None) -> None:
        """The position is not in the log any more: look the place up again."""
        if partition := self._ours.get(carrier):
            if found is not None:
                self._assignment.jump(partition, found)
            self._assignment.give(partition)
            self._hold(partition)

    def _batches(self, partition: Partition, rows: list[Row]) -> list[RawBatch]:
        # Buffered records from before a seek must not come back.
        wanted = self._assignment.next(partition)
        if rows[0][0] < wanted:
            rows = rows[bisect_left(rows, wanted, key=itemgetter(0)) :]
        given = self._settings
        runs = [list(run) for _, run in groupby(rows, _stamp)] if len({_stamp(row) for row in rows}) > 1 else [rows]
        return [_batch(partition, run, attested=given.attested, trust=given.trust_time) for run in runs if run]

    def _follow(self) -> None:
        """Do what the group decided. Runs in the polling thread; the listener runs in the client's own."""
        events = self._rebalances.events
        while events:
            ours, carriers = events[0]
            ids = self._clients.look_up({carrier.topic for carrier in carriers}) if ours and carriers else {}
            for carrier in carriers:
                if partition := self._ours.pop(carrier, None):
                    self._assignment.take(partition)
                if ours:
                    self._ours[carrier] = Partition(ids[carrier.topic], carrier.partition)
                    self._assignment.give(self._ours[carrier])
            events.popleft()

    def _place(self) -> bool:
        """Look up where waiting partitions go on; False when none waits."""
        waiting = self._assignment.waiting()
        carriers = [carrier for carrier, partition in self._ours.items() if partition in waiting]
        if not carriers:
            return False
        firsts = self._ask(self._consumer.beginning_offsets, carriers)
        ends = self._ask(self._consumer.end_offsets, carriers)
        starts = self._starts([c for c in carriers if not self._assignment.knows(self._ours[c])], firsts, ends)
        for carrier in carriers:
            partition = self._ours[carrier]
            first, end = firsts[carrier], ends[carrier]
            offset = self._assignment.place(partition, first, end, starts.get(carrier, first))
            self._ends[partition] = end
            self._asked(self._consumer.seek, carrier, offset)
            if partition not in self._paused:
                self._asked(self._consumer.resume, carrier)
        self._heard()
        return True

    def _starts(self, fresh: list[Any], firsts: dict[Any, int], ends: dict[Any, int]) -> dict[TopicPartition, int]:
        start = self._settings.start
        if not fresh or start == "earliest":
            return firsts
        if start == "latest":
            return ends
        found = self._ask(self._consumer.offsets_for_times, dict.fromkeys(fresh, int(start.timestamp() * 1000)))
        return {carrier: ends[carrier] if at is None else at.offset for carrier, at in found.items()}

    def _hold(self, partition: Partition) -> None:
        if self._consumer and (carrier := self._carrier(partition)):
            self._asked(self._consumer.pause, carrier)

    def _carrier(self, partition: Partition) -> TopicPartition | None:
        return next((carrier for carrier, ours in self._ours.items() if ours == partition), None)

    def _probe(self) -> None:
        """Nothing came: is the topic quiet or the broker away? The answer also keeps the lag true."""
        carriers = list(self._ours)
        if carriers:
            ends = self._ask(self._consumer.end_offsets, carriers)
            self._ends.update({self._ours[carrier]: end for carrier, end in ends.items()})
            self._heard()

    def _heard(self) -> None:
        self._heard_at, self._said = time.monotonic(), None

    def _ask(self, question: Callable[..., T], *given: Any) -> T:
        try:
            return question(*given, timeout_ms=ANSWER_SECONDS_MAX * 1000)
        except errors.KafkaError as error:
            raise self._clients.trouble(error) from error

    @staticmethod
    def _asked(call: Callable[P, T], *given: P.args, **named: P.kwargs) -> T | None:
        """A call about a partition that the group may take away this very instant, in its own thread."""
        try:
            return call(*given, **named)
        except (ValueError, KeyError, errors.KafkaError):
            return None

    def _connected(self) -> Any:
        if self._consumer:
            return self._consumer
        if time.monotonic() < self._retry_at:
            raise SourceError(self._said or "not connected")
        self._retry_at = time.monotonic() + RETRY_SECONDS
        self._consumer, self._rebalances, self._lean = self._clients.consumer()
        return self._consumer


def _batch(partition: Partition, rows: list[Row], *, attested: bool, trust: bool) -> RawBatch:
    offsets, times, _, values = zip(*rows, strict=True)
    timed, appended = _stamp(rows[0])
    return RawBatch(
        partition,
        offsets=list(offsets),
        times=[time / 1000 for time in times] if timed else None,
        values=list(values),
        next_offset=offsets[-1] + 1,
        attested=attested,
        trusted_time=timed and (appended or trust),
    )


def _stamp(row: Row) -> tuple[bool, bool]:
    """Whether a record has a time, and whether the broker gave it."""
    return row[1] >= 0, row[2]
