"""Messages that wait for their sink: written with the decision, delivered at least once, in order for each alert."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitor.sinks.base import Message
from monitor.storage.database import Database
from monitor.storage.decision import Outgoing
from monitor.storage.errors import StorageError
from monitor.storage.tables import OUTBOX
from monitor.storage.text import storable

_columns = OUTBOX.c
_pending = _columns.state == "pending"


class Due(NamedTuple):
    """A message to deliver now, and how often that was tried already."""

    sink: str
    message: Message
    attempts: int
    about: str


def put(connection: Connection, outgoing: Iterable[Outgoing], now: float) -> None:
    """Write messages down; a message that was written before for that sink raises."""
    rows = [
        {
            "id": message.id, "sink": sink, "about": about or message.id, "kind": message.kind, "time": message.time,
            "body": message.body, "state": "pending", "attempts": 0, "next_at": now, "written_at": now,
        }
        for sink, message, about in outgoing
    ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(OUTBOX), rows)


class Outbox:
    """What the thread that delivers works with."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, now: float, limit: int) -> list[Due]:
        """At most `limit` messages of each sink whose turn has come (epoch seconds), the oldest first.

        A message waits until the ones before it, about the same thing and to the same sink, are out of the way.
        """
        earlier = OUTBOX.alias("earlier")
        waits = sa.exists().where(
            earlier.c.state == "pending", earlier.c.sink == _columns.sink,
            earlier.c.about == _columns.about, earlier.c.seq < _columns.seq,
        )  # fmt: skip
        # numbered within each sink, so that a dead receiver with a long queue does not starve the others
        turn = sa.func.row_number().over(partition_by=_columns.sink, order_by=_columns.seq).label("turn")
        ready = sa.select(OUTBOX, turn).where(_pending, _columns.next_at <= now, ~waits).subquery()
        query = sa.select(ready).where(ready.c.turn <= limit).order_by(ready.c.seq)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [Due(row.sink, Message(row.id, row.kind, row.time, row.body), row.attempts, row.about) for row in rows]

    def delivered(self, id_: str, sink: str) -> None:
        """The receiver has it."""
        self._end(id_, sink, {"state": "delivered", "error": None})

    def failed(self, id_: str, sink: str, error: str, retry_at: float) -> None:
        """It was not delivered; `retry_at` (epoch seconds) is when to try again."""
        self._update(id_, sink, {"next_at": retry_at, "error": storable(error, 1024)})

    def give_up(self, id_: str, sink: str, error: str) -> None:
        """It will never be delivered; what waited behind it goes on."""
        self._end(id_, sink, {"state": "given_up", "error": storable(error, 1024)})

    def pending_count(self) -> int:
        """Messages that wait, over all sinks."""
        with self._database.read() as connection:
            return connection.execute(sa.select(sa.func.count()).where(_pending)).scalar_one()

    def oldest_age_seconds(self) -> float:
        """For how long the oldest waiting message has waited; 0 when none waits."""
        with self._database.read() as connection:
            oldest = connection.execute(sa.select(sa.func.min(_columns.written_at)).where(_pending)).scalar_one()
        return 0.0 if oldest is None else max(0.0, self._database.clock.time() - oldest)

    def _end(self, id_: str, sink: str, values: dict[str, Any]) -> None:
        self._update(id_, sink, values | {"ended_at": self._database.clock.time()})

    def _update(self, id_: str, sink: str, values: dict[str, Any]) -> None:
        one = sa.update(OUTBOX).where(_columns.id == id_, _columns.sink == sink, _pending)
        with self._database.write() as connection:
            if connection.execute(one.values(attempts=_columns.attempts + 1, **values)).rowcount != 1:
                raise StorageError(f"No message {id_} waits for sink {sink}.", "Is a second daemon delivering?")
