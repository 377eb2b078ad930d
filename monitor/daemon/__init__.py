"""The daemon: sources through pipelines to decisions, each a transaction; the kill path beside it needs none of them."""

from __future__ import annotations

from monitor.daemon.loop import Daemon
from monitor.daemon.run import run

__all__ = ["Daemon", "run"]
