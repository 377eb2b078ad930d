"""What the intent log says of an order: its records, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from detectors.core.inputs import Receipt
from monitor.hooks.base import Order, Plan

Outcome = Literal["confirmed", "acted", "failed", "undone", "skipped"]


class Intent(msgspec.Struct, frozen=True, tag_field="is", tag="intent"):
    """An order that will be acted on; it counts from now on.

    `time` is the clock's and `at` the machine's, both in epoch seconds; `brake` is the length of the brake file.
    `refused` says why it will not be acted on after all.
    """

    order: Order
    time: float
    at: float
    brake: int
    by_person: bool
    refused: str | None = None


class Attempt(msgspec.Struct, frozen=True, tag_field="is", tag="attempt"):
    """A hook is about to act by this plan."""

    id: str
    hook: str
    plan: Plan


class Done(msgspec.Struct, frozen=True, tag_field="is", tag="done"):
    """The hook has acted; `done` is what its undo needs."""

    id: str
    hook: str
    done: dict[str, Any]


class Verified(msgspec.Struct, frozen=True, tag_field="is", tag="verified"):
    """What the hook's own check said at last."""

    id: str
    hook: str
    worked: bool | None


class Failed(msgspec.Struct, frozen=True, tag_field="is", tag="failed"):
    """The hook could not act, or not `undo` it. `braked`: it was kept from acting."""

    id: str
    hook: str
    problem: str
    braked: bool = False
    undo: bool = False


class Release(msgspec.Struct, frozen=True, tag_field="is", tag="release"):
    """The order ends: it is never executed (again), and what was done is undone."""

    id: str
    why: str


class Undone(msgspec.Struct, frozen=True, tag_field="is", tag="undone"):
    """The hook has taken it back."""

    id: str
    hook: str


class Finished(msgspec.Struct, frozen=True, tag_field="is", tag="finished"):
    """What became of the order, or of its release."""

    receipt: Receipt


class Reported(msgspec.Struct, frozen=True, tag_field="is", tag="reported"):
    """Whoever wants to know has been told."""

    id: str
    release: bool


class Obeyed(msgspec.Struct, frozen=True, tag_field="is", tag="obeyed"):
    """The brake file was obeyed and reported up to this length."""

    brake: int


Record = Intent | Attempt | Done | Verified | Failed | Release | Undone | Finished | Reported | Obeyed


@dataclass(slots=True)
class Act:
    """One hook's part in an order."""

    plan: Plan | None = None
    done: dict[str, Any] | None = None
    verified: bool = False
    worked: bool | None = None
    problem: str | None = None
    braked: bool = False
    undone: bool = False
    undo_problem: str | None = None

    @property
    def ended(self) -> bool:
        """Nothing is left to do for the order itself."""
        return self.verified or self.problem is not None

    def outcome(self) -> tuple[Outcome, str]:
        """What became of it, and how to say it."""
        if self.problem is not None:
            return ("skipped" if self.braked else "failed"), self.problem
        if self.worked is None:
            return "acted", "its effect cannot be verified"
        return (
            ("confirmed", "verified")
            if self.worked
            else ("failed", "it acted, and its check says that it did not work")
        )


@dataclass(slots=True)
class OrderState:
    """An order and all that happened to it."""

    intent: Intent
    acts: dict[str, Act] = field(default_factory=dict)
    release: str | None = None
    receipt: Receipt | None = None
    release_receipt: Receipt | None = None
    reported: bool = False
    release_reported: bool = False

    @property
    def open(self) -> bool:
        """Something is still to be done or told."""
        if self.receipt is None or not self.reported:
            return True
        return self.release is not None and not self.release_reported

    @property
    def settled(self) -> bool:
        """It was never carried out or was taken back, and that was told: nothing of it is in force."""
        ended = self.release is not None or (self.receipt is not None and self.receipt.outcome == "skipped")
        return ended and not self.open


def order_of(record: Record) -> str | None:
    """Id of the order that a record is about."""
    if isinstance(record, Intent):
        return record.order.id
    if isinstance(record, Finished):
        return record.receipt.containment
    return None if isinstance(record, Obeyed) else record.id


def outcome_of(acts: dict[str, Act]) -> tuple[Outcome, str]:
    """An order is as good as its worst hook; skipped when no hook acted."""
    ends = {name: act.outcome() for name, act in acts.items()}
    detail = "; ".join(f"{name}: {said}" for name, (_, said) in sorted(ends.items()))
    found = {outcome for outcome, _ in ends.values()}
    if found == {"skipped"}:
        return "skipped", detail
    if found & {"failed", "skipped"}:
        return "failed", detail
    return ("acted" if "acted" in found else "confirmed"), detail


def fold(orders: dict[str, OrderState], record: Record) -> int | None:
    """Take one record in; the brake's length where it is about that."""
    if isinstance(record, Intent):
        orders[record.order.id] = OrderState(record)
    elif isinstance(record, Obeyed):
        return record.brake
    elif isinstance(record, Finished):
        state = orders[record.receipt.containment]
        if record.receipt.step == "release":
            state.release_receipt = record.receipt
        else:
            state.receipt = record.receipt
    elif isinstance(record, Release):
        orders[record.id].release = record.why
    elif isinstance(record, Reported):
        state = orders[record.id]
        state.reported, state.release_reported = state.reported or not record.release, record.release
    else:
        _fold_act(orders[record.id].acts.setdefault(record.hook, Act()), record)
    return None


def _fold_act(act: Act, record: Attempt | Done | Verified | Failed | Undone) -> None:
    match record:
        case Attempt():
            act.plan = record.plan
        case Done():
            act.done = record.done
        case Verified():
            act.verified, act.worked = True, record.worked
        case Failed(undo=True):
            act.undo_problem = record.problem
        case Failed():
            act.problem, act.braked = record.problem, record.braked
        case Undone():
            act.undone = True
