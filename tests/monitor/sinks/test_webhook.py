"""The webhook sink, against a real server: signed, to the address that was checked, and honest about what came back."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from standardwebhooks import Webhook as Verifier

from monitor.sinks.base import DeliveryError, Gone, Sink
from monitor.sinks.webhook import Webhook, WebhookSettings
from tests.monitor.sinks.contract import SinkContract, Subject, message
from tests.monitor.sinks.receiver import Answer, Receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "B" * 43 + "="


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def webhook(url: str, **settings: Any) -> Webhook:
    given: dict[str, Any] = {"url": url, "secret": SECRET, "timeout_seconds": 2, **settings}
    return Webhook(WebhookSettings(**given))


def resolving(*addresses: str) -> Callable[..., list[tuple[Any, ...]]]:
    return lambda host, port, **_: [(2, 1, 6, "", (address, port)) for address in addresses]


class Server(Subject):
    kind = "webhook"

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def sink(self) -> Sink:
        return webhook(self.receiver.url)

    def received(self) -> list[tuple[str, object]]:
        taken = [] if self.receiver.answer is broken else self.receiver.got
        return [(got.id, json.loads(got.body)["data"]) for got in taken]

    def break_receiver(self) -> None:
        self.receiver.answer = broken


def broken(_: object) -> Answer:
    return Answer(500)


class TestWebhook(SinkContract):
    @pytest.fixture
    def subject(self, receiver: Receiver) -> Subject:
        return Server(receiver)


def test_it_is_signed_with_every_secret_under_the_messages_id(receiver: Receiver) -> None:
    webhook(receiver.url, secret=f"{SECRET}\n{OTHER}\n").deliver(message("m1"))
    (got,) = receiver.got
    for secret in (SECRET, OTHER):
        body = Verifier(secret).verify(got.body, got.headers)
        assert body["type"] == "driftd.alert.v1"
        assert body["timestamp"] == "2026-03-02T09:00:00.250Z"
        assert body["data"]["agent"] == "größe/7"
    assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < 5
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_a_repetition_has_the_same_id_and_body(receiver: Receiver) -> None:
    sink = webhook(receiver.url)
    sink.deliver(message("m1"))
    sink.deliver(message("m1"))
    first, second = receiver.got
    assert (first.id, first.body) == (second.id, second.body)


@pytest.mark.parametrize(
    ("answer", "retry", "after", "told"),
    [
        (Answer(500), True, None, "500"),
        (Answer(503, (("retry-after", "7"),)), True, 7, "503"),
        (Answer(429, (("retry-after", "999999"),)), True, 3600, "429"),
        (Answer(429, (("retry-after", "soon"),)), True, None, "429"),
        (Answer(400), False, None, "400 Bad Request"),
        (Answer(404, (("retry-after", "7"),)), False, None, "404"),
        (Answer(302, (("location", "http://127.0.0.1:1/"),)), False, None, "redirects are not followed"),
        (Answer(drop=True), True, None, "RemoteProtocolError"),
    ],
)
def test_what_is_not_taken_says_whether_to_try_again(
    receiver: Receiver, answer: Answer, retry: bool, after: float | None, told: str
) -> None:
    receiver.answer = lambda _: answer
    with pytest.raises(DeliveryError, match=told) as failed:
        webhook(receiver.url).deliver(message())
    assert failed.value.retry is retry
    assert failed.value.after_seconds == (after if after is None else pytest.approx(after, abs=5))
    assert len(receiver.got) == 1


def test_the_wish_may_be_a_date(receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(503, (("retry-after", formatdate(time.time() + 60, usegmt=True)),))
    with pytest.raises(DeliveryError) as failed:
        webhook(receiver.url).deliver(message())
    assert failed.value.after_seconds == pytest.approx(60, abs=5)


def test_gone_is_gone(receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(410)
    with pytest.raises(Gone):
        webhook(receiver.url).deliver(message())


@pytest.mark.parametrize("answer", [Answer(hang_seconds=30), Answer(drip=True)])
def test_who_hangs_or_drips_is_cut_off(receiver: Receiver, answer: Answer) -> None:
    receiver.answer = lambda _: answer
    began = time.monotonic()
    with pytest.raises(DeliveryError) as failed:
        webhook(receiver.url, timeout_seconds=0.5).deliver(message())
    assert failed.value.retry
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
        *("::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "2001:0:1:2::3"),
    ],
)
def test_a_name_that_leads_into_the_private_network_is_not_called(receiver: Receiver, address: str) -> None:
    settings = WebhookSettings(url=f"http://hooks.example:{receiver.port}/", secret=SECRET, allow_http=True)
    sink = Webhook(settings, resolve=resolving("93.184.216.34", address))
    with pytest.raises(DeliveryError, match="not a public address: set allow_private") as failed:
        sink.deliver(message())
    assert not failed.value.retry
    assert receiver.got == []


def test_the_address_that_was_checked_is_the_one_that_is_called(receiver: Receiver) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        return resolving("127.0.0.2", "127.0.0.1")(host, port)

    url = f"http://hooks.example:{receiver.port}/"
    settings = WebhookSettings(url=url, secret=SECRET, allow_http=True, allow_private=True)
    Webhook(settings, resolve=resolve).deliver(message())
    assert asked == ["hooks.example"]
    assert receiver.got[0].headers["host"] == f"hooks.example:{receiver.port}"


def test_a_name_that_is_not_there_is_tried_again() -> None:
    settings = WebhookSettings(url="https://nowhere.invalid/", secret=SECRET)

    def resolve(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        raise OSError(-2, "Name or service not known")

    with pytest.raises(DeliveryError, match="cannot be resolved") as failed:
        Webhook(settings, resolve=resolve).deliver(message())
    assert failed.value.retry


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of hooks.example with its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example", "-keyout", "-", "-out", "-"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(made.stdout)
    return path


def test_the_certificate_is_of_the_name_and_not_of_the_address(certificate: Path) -> None:
    with Receiver(certificate=certificate) as receiver:
        for host, fits in (("hooks.example", True), ("other.example", False)):
            url = f"https://{host}:{receiver.port}/"
            settings = WebhookSettings(url=url, secret=SECRET, allow_private=True, ca_file=certificate)
            sink = Webhook(settings, resolve=resolving("127.0.0.1"))
            if fits:
                sink.deliver(message())
            else:
                with pytest.raises(DeliveryError, match="CERTIFICATE_VERIFY_FAILED"):
                    sink.deliver(message())
        assert len(receiver.got) == 1


def test_proxies_of_the_environment_are_not_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    webhook(receiver.url).deliver(message())
    assert receiver.ids == ["m1"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"url": "http://hooks.example/"}, "not encrypted"),
        ({"url": "ftp://hooks.example/"}, "not an http"),
        ({"url": "https:///path"}, "not an http"),
        ({"url": "https://me:word@hooks.example/"}, "user name"),
        ({"secret": "whsec_c2hvcnQ="}, "has 5 bytes"),
        ({"secret": f"{SECRET} x"}, "secret 2"),
        ({"secret": " "}, "no secret"),
        ({"timeout": 3}, "Extra inputs"),
    ],
)
def test_wrong_settings_are_refused_without_telling_the_secret(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told) as refused:
        WebhookSettings(**{"url": "https://hooks.example/", "secret": SECRET, **settings})
    assert SECRET not in "".join(error["msg"] for error in refused.value.errors())


def test_the_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n{OTHER}\n")
    settings = WebhookSettings.model_validate({"url": "https://hooks.example/", "secret_file": str(path)})
    assert SECRET not in repr(settings)
    assert settings.secret.get_secret_value() == f"{SECRET}\n{OTHER}"
