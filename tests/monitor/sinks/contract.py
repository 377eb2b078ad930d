"""One suite for every sink: what delivery relies on, whatever the receiver is."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec
import pytest

from monitor.plugins import find, settings_class
from monitor.sinks.base import DeliveryError, Message, Sink


def message(id_: str = "m1", kind: str = "alert", **more: object) -> Message:
    body = {"kind": kind, "id": "a1", "level": "page", "agent": "größe/7", "text": "a\nb\u2028", **more}
    return Message(id_, kind, 1_772_442_000.25, msgspec.json.encode(body))


class Subject(ABC):
    """A sink and its receiver."""

    kind: str

    @abstractmethod
    def sink(self) -> Sink:
        """The sink, with its receiver well."""

    @abstractmethod
    def received(self) -> list[tuple[str, object]]:
        """Id and finding of each message that arrived, in order."""

    @abstractmethod
    def break_receiver(self) -> None:
        """From now on nothing arrives."""


class SinkContract:
    """Subclasses give the fixture `subject`."""

    def test_it_is_found_by_its_kind_with_settings_of_its_own(self, subject: Subject) -> None:
        found = find("monitor.sinks", subject.kind)
        assert found is not None
        assert isinstance(subject.sink(), found)
        assert settings_class(found).model_config["extra"] == "forbid"

    def test_a_message_arrives_with_its_id_and_its_finding(self, subject: Subject) -> None:
        sent = message()
        subject.sink().deliver(sent)
        assert subject.received() == [("m1", msgspec.json.decode(sent.body))]

    def test_messages_arrive_in_order_and_again_under_their_id(self, subject: Subject) -> None:
        sink = subject.sink()
        for id_ in ("m1", "m2", "m1"):
            sink.deliver(message(id_))
        assert [id_ for id_, _ in subject.received()] == ["m1", "m2", "m1"]
        assert subject.received()[0] == subject.received()[2]

    def test_what_does_not_arrive_raises(self, subject: Subject) -> None:
        sink = subject.sink()
        subject.break_receiver()
        with pytest.raises(DeliveryError) as failed:
            sink.deliver(message())
        assert failed.value.retry
        assert subject.received() == []

    def test_closing_is_final_and_may_be_repeated(self, subject: Subject) -> None:
        sink = subject.sink()
        sink.deliver(message())
        sink.close()
        sink.close()
