"""What driftd says about itself: JSON lines for programs, plain lines on a terminal, always to standard error."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

LEVELS = ("debug", "info", "warning", "error")


def configure(level: str = "info", stream: TextIO | None = None, *, as_json: bool | None = None) -> None:
    """Set up logging of the whole process, libraries included; JSON unless the stream is a terminal.

    `structlog.contextvars` (agent, alert, partition) stand on every line. Raises ValueError for an unknown level.
    """
    if level not in LEVELS:
        raise ValueError(f"level {level!r} is none of {', '.join(LEVELS)}")
    out = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    written = logging.StreamHandler(out)
    written.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(not out.isatty() if as_json is None else as_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [written]
    root.setLevel(level.upper())


def get(name: str) -> FilteringBoundLogger:
    """The logger of a part: `get("outbox").warning("sink is down", sink=name)`."""
    found: FilteringBoundLogger = structlog.get_logger(name)
    return found


def _rendering(as_json: bool) -> list[Processor]:
    if not as_json:
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    # without the values of variables: secrets are among them. `event` is an agent's action, so the text is `message`
    traceback = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
    return [traceback, structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer()]
