"""Connections to Kafka: made, refused and explained."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition, errors
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.net.compat import KafkaNetClient

from monitor.sources.base import SourceError
from monitor.sources.kafka.records import lean

if TYPE_CHECKING:
    from monitor.sources.kafka import KafkaSettings

CONNECT_SECONDS_MAX = 5.0


class Clients:
    """Makes what talks to the brokers of one source; every failure is a SourceError that names a cure."""

    def __init__(self, settings: KafkaSettings, name: str) -> None:
        self._settings, self._name = settings, name

    def consumer(self) -> tuple[Any, Rebalances, bool]:
        """A consumer in its group, where its rebalances show, and whether it gives rows instead of records."""
        self._reach()
        self.look_up(set(self._settings.topics))
        settings = self._settings
        consumer = self._made(
            KafkaConsumer,
            group_id=settings.group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            fetch_min_bytes=settings.fetch_bytes_min,
            fetch_max_wait_ms=round(settings.fetch_seconds_max * 1000),
            max_poll_records=settings.poll_records_max,
            max_partition_fetch_bytes=max(1_048_576, settings.bytes_max),
            session_timeout_ms=round(settings.session_seconds * 1000),
            heartbeat_interval_ms=round(settings.session_seconds * 1000 / 15),
            reconnect_backoff_max_ms=2000,
            metrics_enabled=False,
        )
        rebalances = Rebalances(consumer)
        consumer.subscribe(topics=list(settings.topics), listener=rebalances)
        return consumer, rebalances, lean(consumer)

    def _reach(self) -> None:
        """Fail at once when no broker listens, instead of after the client's own long patience."""
        for server in self._settings.bootstrap_servers:
            host, _, port = server.rpartition(":")
            try:
                socket.create_connection((host.strip("[]") or port, int(port or 9092)), timeout=1).close()
            except (OSError, ValueError):
                continue
            return
        raise self.away()

    def look_up(self, topics: set[str]) -> dict[str, str]:
        """Source ids of topics. Raises SourceError for one that is not there or is compacted."""
        admin = self._made(KafkaAdminClient)
        try:
            described = {found["name"]: found for found in admin.describe_topics(sorted(topics))}
            for topic in sorted(topics):
                if topic not in described or described[topic]["error_code"]:
                    raise self._missing(topic, described.get(topic, {}).get("error_code", 3))
            wanted = [ConfigResource(ConfigResourceType.TOPIC, topic, ["cleanup.policy"]) for topic in sorted(topics)]
            policies = admin.describe_configs(wanted, config_filter="all").get("topic", {})
        except (errors.KafkaError, OSError) as error:
            raise self.trouble(error) from error
        finally:
            admin.close()
        for topic in sorted(topics):
            self._refuse_compacted(topic, policies.get(topic, {}).get("cleanup.policy", {}).get("value"))
        return {topic: str(described[topic]["topic_id"] or topic) for topic in topics}

    def _refuse_compacted(self, topic: str, policy: str | None) -> None:
        if policy is None:
            cure = f"grant DescribeConfigs on it: sources.{self._name} must know that it is not compacted"
            raise SourceError(f"the settings of topic {topic} cannot be read.", cure)
        if "compact" in policy:
            cure = (
                "Kafka deletes records from a compacted topic out of their order; read one with cleanup.policy=delete"
            )
            raise SourceError(f"topic {topic} is compacted.", cure)

    def _missing(self, topic: str, code: int) -> SourceError:
        problem = f"topic {topic} cannot be read ({errors.for_code(code).__name__})."
        return SourceError(problem, f"create it, grant Describe on it, or correct sources.{self._name}.topics")

    def _made(self, client: Callable[..., Any], **more: Any) -> Any:
        """A client, connected; one that cannot connect is closed, because its thread would live on."""
        made: list[Any] = []

        def network(**given: Any) -> Any:
            made.append(KafkaNetClient(**given))
            return made[0]

        bootstrap = round(CONNECT_SECONDS_MAX * 1000)
        try:
            return client(kafka_client=network, bootstrap_timeout_ms=bootstrap, **_reaching(self._settings), **more)
        except (errors.KafkaError, OSError) as error:
            for network_client in made:
                network_client.close()
            raise self.trouble(error) from error

    def trouble(self, error: Exception) -> SourceError:
        """What went wrong, and what a person can do."""
        place = f"sources.{self._name}"
        cures = {
            errors.SaslAuthenticationFailedError: f"check {place}.sasl_username and sasl_password",
            errors.UnsupportedSaslMechanismError: f"check {place}.sasl_mechanism",
            errors.TopicAuthorizationFailedError: "grant Read, Describe and DescribeConfigs on the topics",
            errors.GroupAuthorizationFailedError: f"grant Read on the consumer group {self._settings.group}",
            errors.CorruptRecordError: "restore the partition, or delete its records up to there: that shows as a gap",
        }
        for kind, cure in cures.items():
            if isinstance(error, kind):
                return SourceError(f"Kafka refuses: {error}.", cure)
        if isinstance(error, errors.RetriableError):
            return self.away()
        return SourceError(f"Kafka cannot be read: {error!r}.", f"check {place}")

    def away(self) -> SourceError:
        """Nobody answers."""
        servers = ", ".join(self._settings.bootstrap_servers)
        cure = f"start it, or correct sources.{self._name}.bootstrap_servers; reading resumes by itself"
        return SourceError(f"no Kafka broker answers at {servers}.", cure)


def finish_join(consumer: Any) -> None:
    """Have a join of the group that outlived its poll picked up by the next one.

    A poll that is over before the join leaves it running for the next. But kafka-python 3.0.12 asks then whether a join
    is *needed*, and when it was begun because partitions became known, the half-done join has already answered no: its
    outcome is never fetched, no heartbeat is sent, and the consumer reads nothing for ever.
    """
    coordinator = consumer._coordinator  # noqa: SLF001  # there is no public way to ask for a join
    if getattr(coordinator, "rejoining", False) and not coordinator.need_rejoin():
        coordinator.request_rejoin()


class Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python ships no types
    """Hands rebalances over to the polling thread. The client calls it in its own thread: it must never wait."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self.events: deque[tuple[bool, tuple[TopicPartition, ...]]] = deque()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Ours: held until the polling thread has placed them."""
        for carrier in assigned:
            # Without a position the client would read on at the group's commit: hold it, with a stand-in.
            self._consumer.pause(carrier)
            self._consumer.seek(carrier, 0)
        self.events.append((True, tuple(assigned)))

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """No longer ours."""
        self.events.append((False, tuple(revoked)))


def _reaching(settings: KafkaSettings) -> dict[str, Any]:
    """How both clients reach the brokers."""
    said: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "client_id": "driftd",
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.startswith("SASL"):
        said["sasl_mechanism"] = settings.sasl_mechanism
        said["sasl_plain_username"] = settings.sasl_username
        said["sasl_plain_password"] = settings.sasl_password and settings.sasl_password.get_secret_value()
    if "SSL" in settings.security_protocol:
        said["ssl_cafile"] = settings.ssl_cafile and str(settings.ssl_cafile)
        said["ssl_certfile"] = settings.ssl_certfile and str(settings.ssl_certfile)
        said["ssl_keyfile"] = settings.ssl_keyfile and str(settings.ssl_keyfile)
        said["ssl_password"] = settings.ssl_key_password and settings.ssl_key_password.get_secret_value()
    return said
