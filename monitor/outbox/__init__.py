"""Delivery: what waits in the outbox goes to its sinks, at least once, in order for each alert, however long it takes."""

from monitor.outbox.delivery import Delivery
from monitor.outbox.waiting import Due, Waiting, Watcher

__all__ = ["Delivery", "Due", "Waiting", "Watcher"]
