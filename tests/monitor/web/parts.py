"""The parts of a daemon that the interface asks, and tokens of every role."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from detectors.core.inputs import WIDENING, AnyDirective, Confirm
from monitor.clock import SystemClock
from monitor.metrics import Metrics
from monitor.sources.ingest import IngestLog, IngestSettings
from monitor.storage.store import Store
from monitor.web.answers import Answers, Health, Told
from monitor.web.tokens import Token, Tokens, new_token


class Daemon:
    """The parts of a daemon that the interface asks: a real store and a real ingest log, and what is set here."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(f"sqlite:///{folder}/driftd.db", SystemClock())
        self.log = IngestLog(IngestSettings(folder=folder / "ingest", bytes_max=4096))
        self.log.open()
        self.metrics = Metrics()
        self.state: dict[str, Any] = {"step": None}
        self.asked: list[tuple[str, str]] = []
        self.shown: list[tuple[str, str, Any]] = []
        self.told: list[tuple[AnyDirective, bool]] = []
        self.health = Health(ok=True)
        self.answers = Answers(
            queries=self.store.queries,
            directives=self.store.directives,
            metrics=self.metrics,
            now=lambda: 1000.5,
            health=lambda: self.health,
            ready=lambda: self.health,
            agent_state=self.agent_state,
            agents=lambda limit: [{"agent": "billing/7", "role": "billing", "score": 12.5}][:limit],
            explain=lambda alert: {"text": "It did."} if alert == "known" else None,
            readiness=lambda tenant, role: {"ready": False, "missing": ["x"], "would_have": {}} if role == "a/b" else None,
            direct=self.direct,
            is_privileged=lambda scope: scope.endswith(":delete"),
            settings=lambda: {"tenant": ""},
            state_seen=lambda *what: self.shown.append(what),
            append=self.log.append,
            bytes_max=4096,
        )

    def agent_state(self, tenant: str, agent: str) -> dict[str, Any]:
        self.asked.append((tenant, agent))
        return self.state

    def direct(self, directive: AnyDirective, alone: bool) -> Told:
        self.told.append((directive, alone))
        if isinstance(directive, Confirm):
            self.store.directives.confirm(directive.confirms, directive.by)
            return Told(directive.confirms, confirmed=True)
        kept = self.store.directives.propose(directive)
        return Told(kept.id, confirmed=alone or not isinstance(directive, WIDENING))

    def close(self) -> None:
        self.log.stop()
        self.store.close()


class Badge:
    """Tokens of every role: `badge.of("viewer")` are the headers that bear one."""

    def __init__(self) -> None:
        self._headers: dict[str, dict[str, str]] = {}
        held = []
        more: dict[str, dict[str, Any]] = {
            "agent": {"agents": ("billing/*",)}, "ingest": {"agents": ("billing/*",)}, "pipeline": {"releases": "billing"},
        }  # fmt: skip
        for name, role in {r: r for r in ("viewer", "agent", "ingest", "pipeline", "admin", "operator")}.items() | {("second", "operator")}:
            token, digest = new_token()
            held.append(Token(name, role, digest, **more.get(role, {})))  # type: ignore[arg-type]
            self._headers[name] = {"authorization": f"Bearer {token}"}
        self.tokens = Tokens(held)

    def of(self, name: str) -> dict[str, str]:
        return self._headers[name]
