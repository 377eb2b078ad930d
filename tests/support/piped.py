"""The whole pipeline behind the conformance suite: alerts, incidents and containment around the engine."""

from __future__ import annotations

import msgspec

from detectors import Detector, Engine, EngineSettings
from detectors.core.conformance.case import Line
from detectors.core.inputs import CohortVersion
from detectors.core.records import Records
from detectors.core.rules import Rules
from monitor.alerts import Thresholds
from monitor.containment import ContainmentSettings, Ladder
from monitor.findings import Alert, Containment, encode
from monitor.fleet import Fleet
from monitor.pipeline import Outcome, Pipeline


class Piped:
    """Feeds a pipeline; decisions over agents are kept apart from the engine's state, as the store keeps them."""

    def __init__(self, detectors: list[Detector], settings: EngineSettings) -> None:
        engine = Engine(detectors, Rules(), settings)
        self.pipeline = Pipeline("0", engine, Thresholds(2.0, 10.0, 100.0), Fleet(Ladder(ContainmentSettings())))
        self._sealed: list[CohortVersion] = []

    def read(self, records: Records) -> list[Line]:
        return self._lines(self.pipeline.read(records))

    def finish(self, clock: float) -> list[Line]:
        return self._lines(self.pipeline.finish(clock))

    def merge(self, version: CohortVersion) -> None:
        self.pipeline.apply(version)

    def sealed(self) -> list[CohortVersion]:
        found, self._sealed = self._sealed, []
        return found

    def dump(self, *, everything: bool) -> dict[str, bytes]:
        return {**self.pipeline.engine.dump(everything=everything), "fleet": self.pipeline.fleet.dump()}

    def load(self, parts: dict[str, bytes]) -> None:
        engine = {name: part for name, part in parts.items() if name != "fleet"}
        self.pipeline.engine.load(engine)
        self.pipeline.fleet.load(parts["fleet"])

    def _lines(self, outcome: Outcome) -> list[Line]:
        self._sealed += outcome.sealed
        return [Line(getattr(finding, "tenant", ""), getattr(finding, "agent", ""), encode(finding).decode())
                for finding in outcome.findings]


class PipedAlone(Piped):
    """The same, saying of each agent only what does not look over agents."""

    def _lines(self, outcome: Outcome) -> list[Line]:
        self._sealed += outcome.sealed
        lines = []
        for finding in outcome.findings:
            if isinstance(finding, Alert):
                own: Alert | Containment = msgspec.structs.replace(finding, incident=None)
            elif isinstance(finding, Containment):
                own = msgspec.structs.replace(finding, armed=False, not_armed_because=None)
            else:
                continue
            lines.append(Line(own.tenant, own.agent, encode(own).decode()))
        return lines
