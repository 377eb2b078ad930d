"""A real Apache Kafka broker for tests: own process, own data folder, own free port."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import string
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic

from tests.kafka_jars import HERE, KafkaAbsent, jars

__all__ = ["Broker", "KafkaAbsent"]
START_SECONDS_MAX = 60
HEAP = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
VERSIONS_REQUEST = struct.pack(">i", 14) + struct.pack(">hhih", 18, 0, 1, 4) + b"test"


class Broker:
    """One broker. With `external` set it is somebody else's, and can be used but not started or killed."""

    def __init__(self, external: str | None = None) -> None:
        self.external = external
        self.bootstrap = external or ""
        self._child: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    def start(self) -> Broker:
        """Start, or start again on the same data and port, and wait until it answers. Raises KafkaAbsent."""
        if self.external:
            return self
        if self._folder is None:
            self._prepare()
        assert self._folder is not None
        log = (self._folder / "broker.log").open("ab")
        with log:
            self._child = subprocess.Popen(
                [*self._java(), "kafka.Kafka", str(self._folder / "server.properties")],
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        self._wait()
        return self

    def kill(self) -> None:
        """SIGKILL to the broker that `start` started."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the broker and forget its data."""
        self._end(signal.SIGTERM)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """An admin client."""
        client = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            yield client
        finally:
            client.close()

    def create_topic(
        self,
        name: str,
        partitions: int = 1,
        config: dict[str, str] | None = None,
        timestamp_type: str = "LogAppendTime",
    ) -> str:
        """A topic; returns its name."""
        settings = {"message.timestamp.type": timestamp_type, **(config or {})}
        with self.admin() as admin:
            admin.create_topics([NewTopic(name, partitions, 1, topic_configs=settings)])
            admin.wait_for_topics([name])
        return name

    def configure(self, topic: str, settings: dict[str, str]) -> None:
        """Change settings of a topic."""
        with self.admin() as admin:
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, settings)])

    def delete_records(self, topic: str, before: int, partition: int = 0) -> None:
        """Move the start of a partition's log up to this offset."""
        with self.admin() as admin:
            admin.delete_records({TopicPartition(topic, partition): before})

    def produce(
        self, topic: str, values: Iterable[bytes | None], partition: int = 0, times: Iterable[float] | None = None
    ) -> list[int]:
        """Append values, with producer times in epoch seconds if given; returns their offsets once acknowledged."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, acks="all", linger_ms=5)
        try:
            stamps = [None] * 0 if times is None else [round(t * 1000) for t in times]
            sent = [
                producer.send(topic, value, partition=partition, timestamp_ms=stamps[n] if stamps else None)
                for n, value in enumerate(values)
            ]
            producer.flush(timeout=30)
            return [future.get(timeout=30).offset for future in sent]
        finally:
            producer.close()

    def _prepare(self) -> None:
        jars()
        self._folder = Path(tempfile.mkdtemp(prefix="driftd-kafka-"))
        port, controller = _free_ports(2)
        template = string.Template((HERE / "server.properties").read_text())
        settings = template.substitute(port=port, controller=controller, folder=self._folder / "data")
        (self._folder / "server.properties").write_text(settings)
        self.bootstrap = f"127.0.0.1:{port}"
        storage = [*self._java(), "kafka.tools.StorageTool", "format", "--standalone", "-t", "4L6g3nShT-eMCtK--X86sw"]
        subprocess.run([*storage, "-c", str(self._folder / "server.properties")], check=True, capture_output=True)

    def _java(self) -> list[str]:
        # The JVM itself expands the star: no shell stands between.
        return ["java", *HEAP, f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}", "-cp", f"{jars()}/*"]

    def _wait(self) -> None:
        assert self._child is not None
        assert self._folder is not None
        until = time.monotonic() + START_SECONDS_MAX
        while not _answers(self.bootstrap):
            if self._child.poll() is not None or time.monotonic() > until:
                end = (self._folder / "broker.log").read_text(errors="replace")[-2000:]
                self._end(signal.SIGKILL)
                raise RuntimeError(f"Kafka did not start; the end of its log:\n{end}")
            time.sleep(0.05)

    def _end(self, how: signal.Signals) -> None:
        if self._child is not None:
            os.kill(self._child.pid, how)
            self._child.wait(timeout=30)
            self._child = None


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def _answers(bootstrap: str) -> bool:
    host, _, port = bootstrap.partition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1) as connection:
            connection.sendall(VERSIONS_REQUEST)
            return len(connection.recv(10)) > 0
    except OSError:
        return False
