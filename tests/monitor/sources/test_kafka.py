"""The Kafka source on a real broker: exact positions, through rebalances, cuts, kills and compaction."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import LogTruncationError
from kafka.structs import OffsetAndMetadata
from pydantic import ValidationError

from monitor.sources.base import Gap, Partition, RawBatch, Source, SourceError
from monitor.sources.kafka import KafkaSettings, KafkaSource
from tests.kafka_broker import Broker
from tests.monitor.sources.contract import Bus, Positioned, SourceContract, placed, quiet, read, records, until, values

Topic = Callable[..., str]
broker_needed = pytest.mark.kafka


@contextmanager
def reading(
    broker: Broker, *topics: str, positions: dict[Partition, int] | None = None, **more: Any
) -> Iterator[KafkaSource]:
    settings = {"group": f"group-{uuid.uuid4().hex[:8]}", "session_seconds": 6, **more}
    source = KafkaSource(KafkaSettings(topics=topics, bootstrap_servers=(broker.bootstrap,), **settings))
    source.start(positions or {})
    try:
        yield source
    finally:
        source.stop()


class KafkaBus(Bus):
    def __init__(self, broker: Broker, topic: str) -> None:
        self._broker, self._topic = broker, topic
        self._group = f"group-{topic}"
        self._source: KafkaSource | None = None

    def append(self, values: list[bytes]) -> int:
        return self._broker.produce(self._topic, values)[0]

    def source(self, start: str = "earliest") -> Positioned:
        self.close()
        settings = {"topics": [self._topic], "bootstrap_servers": [self._broker.bootstrap], "group": self._group}
        self._source = KafkaSource(KafkaSettings.model_validate({**settings, "start": start}))
        return self._source

    def forget(self, before: int) -> None:
        self._broker.delete_records(self._topic, before)

    def close(self) -> None:
        if self._source is not None:
            self._source.stop()


@broker_needed
class TestContract(SourceContract):
    @pytest.fixture
    def bus(self, kafka: Broker, topic: Topic) -> Iterator[Bus]:
        bus = KafkaBus(kafka, topic())
        yield bus
        bus.close()


@broker_needed
def test_the_times_of_a_broker_are_trusted_and_those_of_producers_are_not(kafka: Broker, topic: Topic) -> None:
    old = 1_000_000_000.25
    cases: tuple[tuple[str, dict[str, Any], bool, bool], ...] = (
        ("LogAppendTime", {}, True, False),
        ("CreateTime", {}, False, True),
        ("CreateTime", {"trust_time": True}, True, True),
    )
    for kind, more, trusted, stamped in cases:
        name = topic(timestamp_type=kind)
        kafka.produce(name, [b"x"], times=[old])
        with reading(kafka, name, **more) as source:
            (batch,) = until(source, bool)
        assert batch.trusted_time is trusted
        assert (batch.times == [old]) is stamped


@broker_needed
def test_records_from_before_and_after_a_change_of_time_do_not_mix(kafka: Broker, topic: Topic) -> None:
    name = topic(timestamp_type="CreateTime")
    kafka.produce(name, [b"claimed"] * 3)
    kafka.configure(name, {"message.timestamp.type": "LogAppendTime"})
    kafka.produce(name, [b"stamped"] * 2)
    with reading(kafka, name) as source:
        batches = until(source, lambda found: len(records(found)) == 5)
    assert [(len(b.offsets), b.trusted_time) for b in batches] == [(3, False), (2, True)]


@broker_needed
def test_the_source_id_is_the_uuid_of_the_topic_and_changes_with_it(kafka: Broker, topic: Topic) -> None:
    name = topic()
    kafka.produce(name, values(0, 5))
    with reading(kafka, name) as source:
        before = placed(source)
    with kafka.admin() as admin:
        assert before == Partition(admin.describe_topics([name])[0]["topic_id"], 0)
        admin.delete_topics([name])
    kafka.create_topic(name)
    kafka.produce(name, values(0, 2))
    with reading(kafka, name, positions={before: 5}) as source:
        assert [offset for offset, _ in read(source, 2)] == [0, 1]
        assert placed(source) != before
        assert source.gaps() == []


@broker_needed
@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
def test_a_compacted_topic_is_refused(kafka: Broker, topic: Topic, policy: str) -> None:
    name = topic(config={"cleanup.policy": policy})
    source = KafkaSource(KafkaSettings(topics=(name,), bootstrap_servers=(kafka.bootstrap,)))
    with pytest.raises(SourceError, match=f"{name} is compacted") as refused:
        source.start({})
    assert "cleanup.policy=delete" in refused.value.cure
    assert source.poll(0) == []
    kafka.configure(name, {"cleanup.policy": "delete"})
    kafka.produce(name, [b"x"])
    assert read(source, 1) == [(0, b"x")]
    source.stop()


@broker_needed
def test_a_topic_that_is_not_there_is_said_once_and_read_when_it_comes(kafka: Broker) -> None:
    name = f"later-{uuid.uuid4().hex[:8]}"
    source = KafkaSource(KafkaSettings(topics=(name,), bootstrap_servers=(kafka.bootstrap,)), name="bus")
    with pytest.raises(SourceError, match=f"topic {name}") as missing:
        source.start({})
    assert "sources.bus.topics" in missing.value.cure
    assert [source.poll(0.1) for _ in range(30)] == [[]] * 30
    kafka.create_topic(name)
    kafka.produce(name, [b"x"])
    assert read(source, 1) == [(0, b"x")]
    source.stop()


@broker_needed
def test_several_topics_and_partitions_are_read_each_in_its_order(kafka: Broker, topic: Topic) -> None:
    names = [topic(partitions=2), topic(partitions=3)]
    for name, partitions in zip(names, (2, 3), strict=True):
        for number in range(partitions):
            kafka.produce(name, [b"%s/%d/%d" % (name.encode(), number, n) for n in range(50)], number)
    with reading(kafka, *names) as source:
        batches = until(source, lambda found: len(records(found)) == 250)
        assert len(source.assigned()) == 5
        assert source.positions() == dict.fromkeys(source.assigned(), 50)
    seen: dict[Partition, list[bytes]] = {}
    for batch in batches:
        seen.setdefault(batch.partition, []).extend(batch.values)
    expected = [
        [b"%s/%d/%d" % (n.encode(), p, i) for i in range(50)]
        for n, c in zip(names, (2, 3), strict=True)
        for p in range(c)
    ]
    assert sorted(seen.values()) == sorted(expected)


@broker_needed
def test_a_client_without_the_seam_reads_the_same(kafka: Broker, topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    name = topic()
    kafka.produce(name, [b"x", b"", b"z" * 400])
    found = []
    for quick in (True, False):
        with monkeypatch.context() as patched:
            if not quick:
                patched.setattr("monitor.sources.kafka.clients.lean", lambda _: False)
            with reading(kafka, name) as source:
                found.append(until(source, bool))
                assert source._lean is quick
    assert found[0] == found[1]
    assert found[0][0].values == [b"x", b"", b"z" * 400]


@broker_needed
def test_start_at_a_time(kafka: Broker, topic: Topic) -> None:
    name = topic(timestamp_type="CreateTime", partitions=2)
    now = time.time()
    kafka.produce(name, values(0, 5), times=[now + n for n in range(5)])
    kafka.produce(name, values(0, 1), partition=1, times=[now])
    start = datetime.fromtimestamp(now + 2.5, UTC)
    with reading(kafka, name, start=start) as source:
        assert read(source, 2) == [(3, b"record 3"), (4, b"record 4")]
        # a partition with nothing so late begins at its end
        assert quiet(source)
        kafka.produce(name, [b"late"], partition=1, times=[now])
        assert read(source, 1) == [(1, b"late")]


@broker_needed
def test_records_deleted_under_a_reader_are_a_gap(kafka: Broker, topic: Topic) -> None:
    name = topic()
    kafka.produce(name, values(0, 10))
    with reading(kafka, name) as source:
        read(source, 10)
        partition = placed(source)
        source.pause(partition)
        kafka.produce(name, values(10, 10))
        kafka.delete_records(name, 15)
        source.resume(partition)
        assert [offset for offset, _ in read(source, 5)] == list(range(15, 20))
        assert source.gaps() == [Gap(partition, 10, 15)]


@broker_needed
def test_a_log_cut_by_an_unclean_election_is_a_gap_and_read_again_from_the_cut(
    kafka: Broker, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One broker cannot lose an election: what the client raises then is raised for it."""
    name = topic()
    kafka.produce(name, values(0, 10))
    with reading(kafka, name) as source:
        read(source, 10)
        cut = LogTruncationError({TopicPartition(name, 0): OffsetAndMetadata(7, "", 1)})

        def truncated(**given: Any) -> Any:
            raise cut

        with monkeypatch.context() as patched:
            patched.setattr(source._consumer, "poll", truncated)
            assert source.poll(0) == []
        assert [offset for offset, _ in read(source, 3)] == [7, 8, 9]
        assert source.gaps() == [Gap(placed(source), 10, 7)]


@broker_needed
def test_only_committed_markers_stand_between_records_and_no_lag_remains(kafka: Broker, topic: Topic) -> None:
    name = topic()
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=f"tx-{name}")
    producer.init_transactions()
    for n in range(3):
        producer.begin_transaction()
        producer.send(name, b"record %d" % n)
        producer.commit_transaction()
    producer.close()
    with reading(kafka, name) as source:
        assert read(source, 3) == [(0, b"record 0"), (2, b"record 1"), (4, b"record 2")]
        partition = placed(source)
        until(source, lambda _: source.lag() == {partition: 0})
        assert source.gaps() == []


class Store:
    """What two daemons share: next offsets, and a check that whoever is not at his writes nothing."""

    def __init__(self) -> None:
        self.next: dict[Partition, int] = {}
        self.seen: list[tuple[Partition, int]] = []

    def take(self, batch: RawBatch, source: Source) -> None:
        wanted = self.next.get(batch.partition, 0)
        if batch.offsets[0] != wanted:
            source.seek(batch.partition, wanted)
            return
        self.seen.extend((batch.partition, offset) for offset in batch.offsets)
        self.next[batch.partition] = batch.next_offset


@broker_needed
def test_a_rebalance_loses_nothing_and_repeats_nothing_when_the_store_says_where(kafka: Broker, topic: Topic) -> None:
    """Two readers of one group with one store of positions, as two daemons have."""
    name = topic(partitions=4)
    store = Store()
    lock, stopped = threading.Lock(), threading.Event()
    group, shares = f"group-{name}", {1: 0, 2: 0}
    troubles: list[SourceError] = []

    def daemon(number: int) -> None:
        owned: set[Partition] = set()
        with reading(kafka, name, group=group) as source:
            while not stopped.is_set():
                try:
                    batches = source.poll(0.05)
                except SourceError as said:
                    troubles.append(said)
                    continue
                with lock:
                    for batch in batches:
                        store.take(batch, source)
                    for fresh in source.assigned() - owned:
                        source.seek(fresh, store.next.get(fresh, 0))
                owned = source.assigned()
                shares[number] = len(owned)

    first = threading.Thread(target=daemon, args=(1,))
    second = threading.Thread(target=daemon, args=(2,))
    try:
        first.start()
        for part in range(12):
            for number in range(4):
                kafka.produce(name, values(part * 100, 100), number)
            if part == 3:
                second.start()
        deadline = time.monotonic() + 30
        while (len(store.seen) < 4800 or shares != {1: 2, 2: 2}) and time.monotonic() < deadline:
            time.sleep(0.05)
        settled = dict(shares)  # whoever stops first leaves its share to the other
    finally:
        stopped.set()
        first.join()
        second.join()
    assert settled == {1: 2, 2: 2}, troubles
    assert len(store.seen) == len(set(store.seen)) == 4800, troubles
    assert set(store.next.values()) == {1200}


@broker_needed
def test_polls_much_shorter_than_a_join_still_get_their_partitions(kafka: Broker, topic: Topic) -> None:
    """The client forgets a join that outlived its poll (see `finish_join`); of eight tries without the cure most hang."""
    name = topic(partitions=4)
    for _ in range(8):
        with reading(kafka, name) as source:
            end = time.monotonic() + 10
            while len(source.assigned()) < 4:
                assert time.monotonic() < end, "the consumer never got its partitions"
                source.poll(0.002)


@broker_needed
def test_a_partition_that_is_taken_away_gives_no_more_records(kafka: Broker, topic: Topic) -> None:
    name = topic(partitions=2)
    for number in range(2):
        kafka.produce(name, values(0, 20_000), number)
    with reading(kafka, name, group=f"group-{name}", poll_records_max=100) as first:
        until(first, bool)
        assert len(first.assigned()) == 2
        with reading(kafka, name, group=f"group-{name}") as second:
            end = time.monotonic() + 30
            while len(second.assigned()) != 1 or len(first.assigned()) != 1:
                assert time.monotonic() < end
                for source in (first, second):
                    mine = {batch.partition for batch in source.poll(0.05)}
                    assert mine <= source.assigned()
            assert first.assigned().isdisjoint(second.assigned())
            for _ in range(20):
                assert {batch.partition for batch in first.poll(0.05)} <= first.assigned()


@broker_needed
def test_a_pause_outlives_a_rebalance(kafka: Broker, topic: Topic) -> None:
    name = topic(partitions=1)
    with reading(kafka, name, group=f"group-{name}") as first:
        partition = placed(first)
        until(first, lambda _: first.positions() == {partition: 0})
        first.pause(partition)
        with reading(kafka, name, group=f"group-{name}") as second:
            end = time.monotonic() + 2
            while time.monotonic() < end:
                first.poll(0.05)
                second.poll(0.05)
        kafka.produce(name, [b"x"])
        until(first, lambda _: first.assigned() == {partition})
        assert quiet(first)
        first.resume(partition)
        assert read(first, 1) == [(0, b"x")]


@broker_needed
def test_what_is_decided_is_committed_for_dashboards_and_never_read_back(kafka: Broker, topic: Topic) -> None:
    name = topic()
    group = f"group-{name}"
    kafka.produce(name, values(0, 10))
    with reading(kafka, name, group=group) as source:
        read(source, 10)
        source.decided({placed(source): 7})
        watcher = KafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=group, enable_auto_commit=False)
        until(source, lambda _: watcher.committed(TopicPartition(name, 0)) == 7)
        watcher.close()
    with reading(kafka, name, group=group) as source:
        assert [offset for offset, _ in read(source, 10)] == list(range(10))


@broker_needed
@pytest.mark.slow
def test_a_broker_killed_and_started_again_is_said_once_and_read_on(own_kafka: Broker) -> None:
    name = own_kafka.create_topic("survivor", 2)
    for number in range(2):
        own_kafka.produce(name, values(0, 100), number)
    with reading(own_kafka, name) as source:
        before = until(source, lambda found: len(records(found)) == 200)
        own_kafka.kill()
        troubles = []
        end = time.monotonic() + 9
        while time.monotonic() < end:
            try:
                assert source.poll(0.2) == []
            except SourceError as error:
                troubles.append(error)
        assert len(troubles) == 1
        assert own_kafka.bootstrap in troubles[0].problem
        assert "resumes by itself" in troubles[0].cure
        assert len(source.assigned()) == 2
        own_kafka.start()
        for number in range(2):
            own_kafka.produce(name, values(100, 100), number)
        after = until(source, lambda found: len(records(found)) == 200)
    positions = [(batch.partition, offset) for batch in before + after for offset in batch.offsets]
    assert len(positions) == len(set(positions)) == 400


def test_no_broker_is_said_at_once_with_a_cure_and_leaves_no_thread() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    source = KafkaSource(KafkaSettings(topics=("t",), bootstrap_servers=(f"127.0.0.1:{port}",)), name="bus")
    threads, began = threading.active_count(), time.monotonic()
    with pytest.raises(SourceError, match=f"no Kafka broker answers at 127.0.0.1:{port}") as away:
        source.start({})
    assert "sources.bus.bootstrap_servers" in away.value.cure
    assert time.monotonic() - began < 2
    assert [source.poll(0.1) for _ in range(25)] == [[]] * 25
    assert threading.active_count() == threads
    source.stop()


def test_a_server_that_is_no_broker_is_a_trouble_and_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.sources.kafka.clients.CONNECT_SECONDS_MAX", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        server = f"127.0.0.1:{mute.getsockname()[1]}"
        source = KafkaSource(KafkaSettings(topics=("t",), bootstrap_servers=(server,)))
        threads = threading.active_count()
        with pytest.raises(SourceError):
            source.start({})
        end = time.monotonic() + 5
        while threading.active_count() > threads:
            assert time.monotonic() < end
            time.sleep(0.05)


def test_settings_are_checked_and_secrets_come_from_files(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hush\n")
    given = {"topics": ["t"], "security_protocol": "SASL_SSL", "sasl_username": "driftd", "sasl_password_file": secret}
    settings = KafkaSettings.model_validate(given)
    assert settings.sasl_password is not None
    assert settings.sasl_password.get_secret_value() == "hush"
    assert "hush" not in repr(settings)
    cases: tuple[dict[str, Any], ...] = (
        {"topics": []},
        {"topics": ["t"], "security_protocol": "SASL_SSL"},
        {"topics": ["t"], "ssl_keyfile": secret},
        {"topics": ["t"], "ssl_cafile": tmp_path / "absent"},
        {"topics": ["t"], "start": "2026-01-01T00:00:00"},  # no zone
        {"topics": ["t"], "compacted": "allow"},
    )
    for wrong in cases:
        with pytest.raises(ValidationError):
            KafkaSettings.model_validate(wrong)
