"""The native event, version 1: one action of one agent, with its constraints in the types."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Effect = Literal["read", "write", "delete", "execute", "send", "grant", "remember"]
Outcome = Literal["ok", "error", "denied"]
Approval = Literal["not-required", "granted", "skipped", "refused"]

Short = Annotated[str, msgspec.Meta(max_length=128)]
Name = Annotated[str, msgspec.Meta(max_length=256)]
Required = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Long = Annotated[str, msgspec.Meta(max_length=1024)]
#: a finite number that is not negative
Amount = Annotated[float, msgspec.Meta(ge=0, le=1.7976931348623157e308)]


class Origin(msgspec.Struct, gc=False, frozen=True):
    """Where a target came from; each part is None while unknown."""

    source: Name | None = msgspec.field(default=None, name="from")
    trusted: bool | None = None
    in_request: bool | None = None


class Event(msgspec.Struct, gc=False):
    """One action of one agent, as it stands on the wire; the meaning of each field is the contract's."""

    agent: Required
    action: Required
    id: Short | None = None
    time: float | str | None = None
    tenant: Short = ""
    role: Name | None = None
    version: Name | None = None
    session: Name | None = None
    principal: Name | None = None
    via: Annotated[tuple[Name, ...], msgspec.Meta(max_length=16)] = ()
    target: Long | None = None
    scope: Name | None = None
    effect: Effect | None = None
    privileged: bool | None = None
    outcome: Outcome = "ok"
    amount: Amount | None = None
    unit: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    count: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    approval: Approval = "not-required"
    approver: Name | None = None
    approval_seconds: Amount | None = None
    host: Name | None = None
    origin: Origin | None = None
    objective: Long | None = None
    digests: dict[str, str] | None = None
    attrs: msgspec.Raw | None = None
