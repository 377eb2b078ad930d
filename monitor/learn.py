"""`driftd learn`: baselines from history, so that a new daemon need not wait for a reference. Nobody is notified.

What was learnt is kept as the snapshot of a partition of its own; a partition that was never read begins with it.
"""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from monitor.assembly import pipeline_of
from monitor.clock import SystemClock
from monitor.config import settings_digest
from monitor.daemon.loop import PROGRAM
from monitor.daemon.stream import LEARNT
from monitor.daemon.wiring import digest_key, fingerprint
from monitor.pipeline import Pipeline
from monitor.replay import Progress, Replay, decoded_files
from monitor.storage.decision import Decision, Position
from monitor.storage.errors import StorageError
from monitor.storage.store import Store

if TYPE_CHECKING:
    from monitor.config import Settings


def learn(paths: list[Path], settings: Settings, progress: Progress | None = None, form: str = "native") -> int:
    """Learn from these files and keep it for `driftd run`; returns how many agents have a reference now.

    Raises SourceError for a file that cannot be read, StorageError when the daemon has read something before: what is
    learnt now would not be used.
    """
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    key = digest_key(settings.state_dir)
    url = settings.storage.url or f"sqlite:///{settings.state_dir / 'driftd.sqlite'}"
    with closing(Store.open(url, SystemClock())) as store:
        store.check_key(fingerprint(key))
        if store.positions().keys() - {LEARNT}:
            raise StorageError("The daemon has read events already, so this history would not be used.",
                               "Learn before the first run, or with a state_dir of its own.")
        # whoever names the files vouches for them
        pipeline = pipeline_of(settings, LEARNT.source, attested=True, key=key)
        with ExitStack() as opened:
            run = Replay(pipeline, [])
            for decoded in decoded_files(paths, settings, form, opened, progress, attested=True):
                for _ in run.take(decoded):
                    pass
            for _ in run.finish():
                pass
        _calm(pipeline)
        _keep(store, pipeline, settings_digest(settings))
    common = pipeline.engine.state.common
    return int(np.count_nonzero(common.frozen_at))


def _calm(pipeline: Pipeline) -> None:
    """Alerts of history are nobody's: evidence starts from rest, and nothing is counted twice."""
    engine = pipeline.engine
    state, common = engine.state, engine.state.common
    for row in state.agents.residents().tolist():
        engine.directing.restart(row, float(common.clock[row]))
        common.level[row] = common.highest[row] = common.listed[row] = 0
        common.alert[row] = 0
        common.suspected[row] = False
    state.counts.clear()
    state.agents.strangers = 0


def _keep(store: Store, pipeline: Pipeline, settings: str) -> None:
    """One snapshot more of what was learnt; the newest counts."""
    claim = store.claim(LEARNT, f"{socket.gethostname()}/{os.getpid()}")
    position = Position(claim.position.offset + 1 if claim.position is not None else 0)
    store.commit(claim, Decision(position_after=position))
    store.save_snapshot(claim, position, pipeline.engine.dump(everything=True), PROGRAM, settings)
