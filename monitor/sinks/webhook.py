"""Findings to a URL, signed after Standard Webhooks, so that a receiver can tell them from forgeries and repetitions."""

from __future__ import annotations

import base64
import socket
import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from pathlib import Path
from threading import Timer
from typing import ClassVar, Literal, Self
from urllib.parse import SplitResult, urlsplit

import httpx
import msgspec
from pydantic import Field, SecretStr, field_validator, model_validator
from standardwebhooks import Webhook as Signer

from monitor.findings import to_text
from monitor.section import Section
from monitor.sinks.addresses import Address, ForbiddenAddress, Resolve, checked
from monitor.sinks.base import DeliveryError, Gone, Message

#: what the specification asks for, in bytes
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64
#: a receiver's wish to be left alone is honoured up to this
AFTER_SECONDS_MAX = 3600.0
#: answers that say that the receiver, and not this message, is the trouble; they are tried again without end
_LATER = {408, 425, 429}


class WebhookSettings(Section):
    """A receiver that verifies Standard Webhooks signatures."""

    type: Literal["webhook"] = "webhook"
    url: str = Field(description="where to post; https, unless it is loopback or allow_http is set")
    secret: SecretStr = Field(description="whsec_...; several, one a line: all of them sign, for rotation")
    allow_http: bool = Field(False, description="findings may be read on their way")
    allow_private: bool = Field(False, description="the receiver may be in a private network")
    ca_file: Path | None = Field(None, description="authorities to trust instead of the system's")
    connect_seconds_max: float = Field(3, gt=0, le=60)
    timeout_seconds: float = Field(10, gt=0, le=300, description="for the whole delivery")

    @field_validator("secret")
    @classmethod
    def _is_secret(cls, secret: SecretStr) -> SecretStr:
        if not signers(secret):
            raise ValueError("no secret is given")
        return secret

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url {self.url!r} is not an http(s) address")
        if parts.username is not None:
            raise ValueError("url holds a user name: the signature is what authenticates")
        if parts.scheme == "http" and not (self.allow_http or _is_loopback(parts.hostname)):
            raise ValueError(f"url {self.url!r} is not encrypted: use https, or set allow_http")
        return self


class Webhook:
    """Posts one message at a time; safe for one thread."""

    kind: ClassVar[str] = "webhook"

    def __init__(
        self, settings: WebhookSettings, *, name: str = "webhook", resolve: Resolve = socket.getaddrinfo
    ) -> None:
        self.name = name
        self._settings = settings
        self._resolve = resolve
        self._signers = signers(settings.secret)
        self._parts = urlsplit(settings.url)
        cafile = None if settings.ca_file is None else str(settings.ca_file)
        self._tls = ssl.create_default_context(cafile=cafile)

    def deliver(self, message: Message) -> None:
        """Post it; anything but 2xx raises DeliveryError, and 410 raises Gone."""
        body = body_of(message)
        headers = {"content-type": "application/json", "user-agent": "driftd", **self._signed(message.id, body)}
        problem = "no address"
        for address in self._addresses():
            try:
                answer = self._post(address, headers, body)
            except httpx.ConnectError as error:
                problem = f"{address}: {error}"
                continue
            except httpx.HTTPError as error:
                raise DeliveryError(f"{type(error).__name__}: {error}") from error
            return _check(answer)
        raise DeliveryError(f"cannot connect: {problem}")

    def close(self) -> None:
        """Nothing stays open between deliveries."""

    def _addresses(self) -> list[Address]:
        host, port = self._parts.hostname or "", _port(self._parts)
        allowed = self._settings.allow_private or _is_loopback(host)
        try:
            return checked(host, port, allow_private=allowed, resolve=self._resolve)
        except ForbiddenAddress as error:
            raise DeliveryError(f"{error}: set allow_private if that is meant", retry=False) from error
        except OSError as error:
            raise DeliveryError(f"{host} cannot be resolved: {error}") from error

    def _signed(self, id_: str, body: bytes) -> dict[str, str]:
        # the library takes the hands of any clock for UTC, so it has to be an aware time in UTC
        now = datetime.fromtimestamp(int(time.time()), UTC)
        signatures = " ".join(signer.sign(id_, now, body.decode()) for signer in self._signers)
        return {"webhook-id": id_, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signatures}

    def _post(self, address: Address, headers: dict[str, str], body: bytes) -> httpx.Response:
        """The head of the answer. Connects to the address that was checked, with the name for Host and certificate."""
        settings, host = self._settings, self._parts.hostname or ""
        timeout = httpx.Timeout(settings.timeout_seconds, connect=settings.connect_seconds_max)
        url = httpx.URL(settings.url)
        headers = headers | {"host": url.netloc.decode()}
        # the environment's proxies are not asked: they would connect wherever they like
        with httpx.Client(verify=self._tls, trust_env=False, timeout=timeout) as client:
            # a timeout is for one read; who answers a byte at a time is cut off by the timer
            cut = Timer(settings.timeout_seconds, client.close)
            cut.daemon = True
            cut.start()
            try:
                asked = client.build_request(
                    "POST", url.copy_with(host=str(address)), headers=headers, content=body,
                    extensions={"sni_hostname": host},
                )  # fmt: skip
                answer = client.send(asked, stream=True, follow_redirects=False)
                answer.close()
            except (RuntimeError, OSError) as error:
                raise httpx.ReadTimeout(f"cut off after {settings.timeout_seconds:g} s") from error
            finally:
                cut.cancel()
        return answer


def body_of(message: Message) -> bytes:
    """The body: the same bytes at every try."""
    whole = {"type": f"driftd.{message.kind}.v1", "timestamp": to_text(message.time), "data": msgspec.Raw(message.body)}
    return msgspec.json.encode(whole)


def signers(secret: SecretStr) -> list[Signer]:
    """One for each secret of the text. Raises ValueError, which never holds the secret."""
    return [_signer(number, line) for number, line in enumerate(secret.get_secret_value().split(), 1)]


def _signer(number: int, text: str) -> Signer:
    try:
        raw = base64.b64decode(text.removeprefix("whsec_") + "==", validate=False)
    except ValueError:
        raise ValueError(f"secret {number} is not base64") from None
    if not SECRET_BYTES_MIN <= len(raw) <= SECRET_BYTES_MAX:
        limits = f"{SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes"
        raise ValueError(f"secret {number} has {len(raw)} bytes and not {limits}: openssl rand -base64 32")
    return Signer(raw)


def _check(answer: httpx.Response) -> None:
    status = answer.status_code
    if answer.is_success:
        return
    problem = f"the receiver answers {status} {answer.reason_phrase}".strip()
    if status == httpx.codes.GONE:
        raise Gone(problem)
    if answer.has_redirect_location:
        raise DeliveryError(f"{problem} to {answer.headers['location'][:200]}, and redirects are not followed", retry=False)
    later = answer.is_server_error or status in _LATER
    raise DeliveryError(problem, retry=later, after_seconds=_after_seconds(answer) if later else None)


def _after_seconds(answer: httpx.Response) -> float | None:
    """Retry-After, which is a number of seconds or a date; None when it is neither."""
    told = answer.headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit() and len(told) < 10:
        return min(float(told), AFTER_SECONDS_MAX)
    try:
        moment = parsedate_to_datetime(told)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(0.0, moment.timestamp() - time.time()), AFTER_SECONDS_MAX)


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
