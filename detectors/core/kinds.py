"""Every combination of categorical fields met, numbered: operator rules and derived fields are computed once for each."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from detectors.core.columns import Columns, Rows
from detectors.core.digests import Digests

if TYPE_CHECKING:
    from detectors.core.event import Event
    from detectors.core.rules import Rules

#: combinations remembered before the memo is cleared; it is a cache, so clearing costs time only
KINDS_MAX = 1 << 16

KIND = np.dtype([
    ("scope", "u8"),
    ("privileged", "?"),
    ("denied", "?"),
    ("destructive", "?"),
])
key_of = attrgetter("action", "scope", "effect", "privileged", "outcome")


class ActionKinds(dict[tuple[Any, ...], int]):
    """Combination of (action, scope, effect, privileged, outcome, role or None) to its number, a row of `columns`."""

    def __init__(self, rules: Rules, scopes: Digests) -> None:
        super().__init__()
        self.rules, self.scopes = rules, scopes
        self.columns = Columns(KIND, 64)
        self.names: list[tuple[str, str | None]] = []

    def __missing__(self, key: tuple[Any, ...]) -> int:
        (action, scope, effect, privileged, outcome), role = key
        scope, effect, privileged = self.rules.derive(action, scope, effect, privileged, role)
        number = len(self.names)
        if number == self.columns.rows:
            self.columns.grow(2 * number)
        row = self.columns
        row.scope[number] = self.scopes[scope]
        row.privileged[number] = privileged
        row.denied[number] = outcome == "denied"
        row.destructive[number] = effect == "delete" and outcome != "denied"
        self.names.append((scope, effect))
        self[key] = number
        return number

    def number(self, events: list[Event], roles: list[str] | None = None) -> Rows:
        """The numbers of these events' kinds; valid until the next call.

        `roles` are their agents' roles, needed when a rule asks for them: what a record claims to be is no role.
        """
        if len(self) >= KINDS_MAX:
            self.clear()
            self.names.clear()
        keys = map(key_of, events)
        told: Iterable[str | None] = repeat(None) if roles is None else roles
        return np.fromiter(map(self.__getitem__, zip(keys, told)), np.int64, len(events))  # noqa: B905 - repeat is endless
