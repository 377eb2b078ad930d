"""Replays a fleet through the whole pipeline and prints the digest of all findings and of the state; a process of its own."""

from __future__ import annotations

import hashlib
import sys

from detectors import discover
from detectors.core.conformance import Case
from detectors.core.conformance.case import play
from detectors.core.state import EngineSettings
from tests.support.fleets import fleet
from tests.support.piped import Piped

if __name__ == "__main__":
    told = play(Case(tuple(discover()), fleet, EngineSettings(reference_days=10.5, interesting=1.0), Piped).run(),
                fleet(11), range(500, 100_000, 500))
    digest = hashlib.sha256()
    for line in told.lines:
        digest.update(line.text.encode() + b"\n")
    for name in sorted(told.state):
        digest.update(told.state[name])
    sys.stdout.write(f"{len(told.lines)} {digest.hexdigest()}\n")
