"""What `driftd replay` says of a story, in the form in which it is committed beside the events."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from monitor.config import load
from monitor.replay import replay

__all__ = ["expected", "settled"]
#: parts of the summary that differ between machines, or with every new setting
UNSETTLED = ("seconds", "settings")


def settled(text: str) -> str:
    """Findings without what may differ: CPU seconds, and the digest of all settings."""
    *lines, last = text.splitlines()
    summary = {name: value for name, value in json.loads(last).items() if name not in UNSETTLED}
    return "\n".join([*lines, json.dumps(summary, separators=(",", ":"))]) + "\n"


def expected(place: Path) -> str:
    """What is said of the trace in this folder."""
    told, config = (path if path.exists() else None for path in (place / "directives.jsonl", place / "settings.yaml"))
    with TemporaryDirectory() as folder:
        out = Path(folder) / "findings.jsonl"
        replay([place / "events.jsonl.gz"], told, load(config, environment={}, purpose="replay"), out, None, "native")
        return settled(out.read_text(encoding="utf-8"))
