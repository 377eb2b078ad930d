"""`driftd replay`: event files through the very pipeline that `driftd run` uses, under a clock driven by the events."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from detectors.core.inputs import AnyDirective, Confirm, Directed
from detectors.core.records import Records
from monitor import directives as told
from monitor import plugins
from monitor.assembly import pipeline_of, thresholds_of
from monitor.config import settings_digest
from monitor.findings import Finding, Summary, encode, to_text
from monitor.formats.base import Decoded
from monitor.formats.merged import merged
from monitor.pipeline import Outcome, Pipeline
from monitor.sources.files import FileSource

if TYPE_CHECKING:
    from monitor.config import Settings

Progress = Callable[[int, int], None]
#: id of the source that stands for the files of one replay
SOURCE = "file"


class Replay:
    """One run over files: feeds records and directives in order and counts what the summary says."""

    def __init__(self, pipeline: Pipeline, directives: list[AnyDirective]) -> None:
        self.pipeline = pipeline
        self.directives = [d for d in directives if not isinstance(d, Confirm)]
        self.clock = float("-inf")
        self.first: float | None = None
        self.dead_letters = self.clipped = 0
        self.unknown: Counter[str] = Counter()

    def take(self, decoded: Decoded) -> Iterator[Outcome]:
        """Judge a batch; directives come before the first record that is not before them."""
        self.dead_letters += len(decoded.dead)
        self.clipped += decoded.clipped
        self.unknown += decoded.unknown_fields
        records = decoded.records
        if not len(records):
            return
        if self.first is None:
            self.first = records.arrivals[0]
        start = 0
        while self.directives and self._due(records):
            stop = self._before(records, start, told.seconds_of(self.directives[0].time))
            if stop > start:
                yield self.pipeline.read(records.part(start, stop))
                start = stop
            if stop < len(records):
                yield self.pipeline.apply(Directed(directive=self.directives.pop(0)), records.offsets[stop])
            else:
                break
        if start < len(records):
            yield self.pipeline.read(records.part(start, len(records)) if start else records)
        self.clock = max(self.clock, *records.arrivals)

    def _due(self, records: Records) -> bool:
        return told.seconds_of(self.directives[0].time) <= max(records.arrivals)

    @staticmethod
    def _before(records: Records, start: int, time: float) -> int:
        for i in range(start, len(records)):
            if records.arrivals[i] >= time:
                return i
        return len(records)

    def finish(self) -> Iterator[Outcome]:
        """Directives up to the last event, then timers up to it and not beyond."""
        while self.directives and told.seconds_of(self.directives[0].time) <= self.clock:
            yield self.pipeline.apply(Directed(directive=self.directives.pop(0)))
        if self.first is not None:
            # the clock that is believed: one record from the future would make everybody look silent
            yield self.pipeline.finish(self.pipeline.engine.state.clock)

    def summary(self, settings: Settings, seconds: float) -> Summary:
        """The last line."""
        state = self.pipeline.engine.state
        levels = thresholds_of(settings)
        return Summary(
            events=state.counts["judged"], duplicates=state.counts["duplicates"], id_reuse=state.counts["id_reuse"],
            dead_letters=self.dead_letters, agents=len(state.agents) + len(state.agents.newcomers),
            first_time=to_text(self.first) if self.first is not None else None,
            last_time=to_text(self.clock) if self.first is not None else None, seconds=round(seconds, 3),
            levels={"notice": levels.notice, "page": levels.page, "critical": levels.critical},
            settings=settings_digest(settings), unknown_fields=dict(sorted(self.unknown.items())), clipped=self.clipped,
        )


def replay(paths: list[Path], directives: Path | None, settings: Settings, findings: Path,
           progress: Progress | None = None, form: str = "native") -> None:
    """Read these files to their end and write what the daemon would have said.

    Raises SourceError for a file that cannot be read and BadDirective for a directive that cannot be taken.
    """
    began = time.process_time()
    given = told.read(directives) if directives else []
    attested = _attested(settings)
    run = Replay(pipeline_of(settings, SOURCE, attested=attested), given)
    with ExitStack() as opened:
        out: BinaryIO = sys.stdout.buffer if str(findings) == "-" else opened.enter_context(findings.open("wb"))

        def write(said: list[Finding]) -> None:
            out.writelines(encode(finding) + b"\n" for finding in said)

        for decoded in decoded_files(paths, settings, form, opened, progress, attested=attested):
            for outcome in run.take(decoded):
                write(outcome.findings)
        for outcome in run.finish():
            write(outcome.findings)
        write([run.summary(settings, time.process_time() - began)])


def _attested(settings: Settings) -> bool:
    file = settings.sources.by_name().get("file")
    return bool(getattr(file, "attested", True))


def decoded_files(paths: list[Path], settings: Settings, form: str, opened: ExitStack, progress: Progress | None, *,
                  attested: bool) -> Iterator[Decoded]:
    """The events of these files, merged by time. Raises SourceError for a file that cannot be read."""
    kind = plugins.find("monitor.formats", form)
    if kind is None:
        raise ValueError(f"unknown format {form!r}")
    source = opened.enter_context(FileSource([str(path) for path in paths], attested=attested))
    total = sum(path.stat().st_size for path in paths if path.is_file())
    done = 0
    logs: list[Iterator[Decoded]] = [map(kind(excerpts=settings.privacy.excerpts).decode, log) for log in source.logs()]
    for decoded in merged(logs):
        yield decoded
        if progress is not None:
            done += sum(map(len, decoded.records.contents))
            progress(min(done, total) if total else done, max(total, done))
