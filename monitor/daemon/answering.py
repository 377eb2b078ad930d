"""What the interface may ask and tell the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from detectors.core.inputs import WIDENING, AnyDirective, Arm, Confirm, Resolve
from monitor import directives
from monitor.daemon.meters import scores
from monitor.explain import explain as explained
from monitor.findings import Alert, to_text
from monitor.hooks.control_state import ControlStateHook
from monitor.readiness import RoleFacts, readiness, would_have
from monitor.sources.ingest import IngestLog
from monitor.storage.errors import Refused
from monitor.web.answers import Answers, Health, Told

if TYPE_CHECKING:
    from monitor.daemon.loop import Daemon

#: the loop has stopped coming round
STALLED_SECONDS = 30.0


def answers_of(daemon: Daemon) -> Answers:
    """All verbs of the interface, bound to this daemon."""
    asked = _Asked(daemon)
    ingest = next((source for source, _ in daemon.sources.values() if isinstance(source, IngestLog)), None)
    return Answers(
        queries=daemon.store.queries, directives=daemon.store.directives, metrics=daemon.metrics,
        now=daemon.clock.time, health=asked.health, ready=asked.ready, agent_state=asked.agent_state,
        agents=asked.agents, explain=asked.explain, readiness=asked.readiness, direct=asked.direct,
        is_privileged=asked.is_privileged, settings=asked.settings,
        append=ingest.append if ingest is not None else None, state_seen=asked.state_seen,
        bytes_max=max((getattr(section, "bytes_max", 0) for _, section in daemon.sources.values()), default=0) or 1 << 20,
    )


class _Asked:
    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def health(self) -> Health:
        silent = self._daemon.clock.monotonic() - self._daemon.beat
        return Health(silent < STALLED_SECONDS, {} if silent < STALLED_SECONDS else {
            "loop": f"the loop has not come round for {silent:.0f} seconds"})

    def ready(self) -> Health:
        problems = {}
        streams = list(self._daemon.streams.values())
        if not streams:
            problems["sources"] = "no partition is assigned yet"
        elif any(stream.recovering for stream in streams):
            problems["recovery"] = "records since the last snapshot are judged again"
        if self._daemon.executor.problem:
            problems["containment"] = self._daemon.executor.problem
        return Health(not problems, problems)

    def agent_state(self, tenant: str, agent: str) -> Any:
        for hook in self._daemon.hooks:
            if isinstance(hook, ControlStateHook):
                return hook.state(tenant, agent)
        return {"tenant": tenant, "agent": agent, "state": "active", "version": 0}

    def state_seen(self, tenant: str, agent: str, state: Any) -> None:
        for hook in self._daemon.hooks:
            if isinstance(hook, ControlStateHook):
                hook.seen(tenant, agent, f'"{state["version"]}"')

    def agents(self, limit: int) -> list[Any]:
        with self._daemon.lock:
            found = scores(self._daemon, limit)
            seen = {}
            for stream in self._daemon.streams.values():
                state = stream.pipeline.engine.state
                for row in state.agents.residents().tolist():
                    who = state.agents.who[row]
                    if who is not None:
                        frozen, ratified = state.common.frozen_at[row], state.common.ratified_at[row]
                        life = "ratified" if ratified else "provisional" if frozen else "learning"
                        seen[who.tenant, who.agent] = (who.role, float(state.common.last[row]), life)
        scored = {(one.tenant, one.agent): one for one in found}
        rows = [
            {"tenant": tenant, "agent": agent, "role": role, "life": life, "last_seen": to_text(last),
             "score": round(scored[tenant, agent].score, 4) if (tenant, agent) in scored else None,
             "gate_score": round(scored[tenant, agent].gate_score, 4) if (tenant, agent) in scored else None}
            for (tenant, agent), (role, last, life) in seen.items()
        ]
        return sorted(rows, key=lambda row: (-(row["score"] or 0.0), row["agent"]))[:limit]

    def explain(self, alert: str) -> Any | None:
        lines = [line.finding for line in self._daemon.store.queries.alert(alert)]
        told = [line for line in lines if isinstance(line, Alert)]
        if not told:
            return None
        steps = [state.line for state in self._daemon.store.queries.containments(1000) if state.line.alert == alert]
        return {"alert": alert, "text": explained(told, steps[::-1])}

    def readiness(self, tenant: str, role: str) -> Any | None:
        facts = self._facts(tenant, role)
        if facts is None or not facts.agents:
            return None
        told = readiness(facts)
        lines = [s.line for s in self._daemon.store.queries.containments(10_000) if s.line.role == role]
        return {"role": role, "ready": told.ready, "missing": list(told.missing.values()), "would_have": would_have(lines)}

    def direct(self, directive: AnyDirective, alone: bool) -> Told:
        """Write it down; a widening one waits for a second person, all others count at once."""
        book, now = self._daemon.store.directives, self._daemon.clock.time()
        if isinstance(directive, Confirm):
            confirmed = book.confirm(directive.confirms, directive.by)
            self._daemon.tell(confirmed)
            return Told(confirmed.id, True)
        if isinstance(directive, Resolve) and not self._daemon.store.queries.alert(directive.alert):
            raise Refused(f"There is no alert {directive.alert}.", "See driftd alerts.")
        self._check(directive)
        told = book.propose(msgspec.structs.replace(directive, time=now))
        if isinstance(told, WIDENING) and not alone and not self._daemon.settings.one_person:
            return Told(told.id, False)
        self._daemon.tell(book.alone(told.id))
        return Told(told.id, True)

    def _check(self, directive: AnyDirective) -> None:
        """Refuse here what could only be refused later, where nobody is told."""
        try:
            directives.check(directive)
        except ValueError as error:
            raise Refused(str(error), "See driftd config schema, or RFC 5545 for rules.") from None
        if isinstance(directive, Arm):
            facts = self._facts(directive.tenant, directive.role)
            told = readiness(facts, accept_unproven=directive.accept_unproven)
            if not told.ready:
                raise Refused(f"Role {directive.role} cannot be armed: {'; '.join(told.missing.values())}.",
                              f"See driftd containment readiness {directive.role}.")

    def _facts(self, tenant: str, role: str) -> RoleFacts | None:
        with self._daemon.lock:
            streams = list(self._daemon.streams.values())
            for stream in streams:
                self._daemon.fleet.count(stream.pipeline.source, stream.pipeline.engine)
            return streams[0].pipeline.facts(tenant, role, self._daemon.clock.time()) if streams else None

    def is_privileged(self, scope: str) -> bool:
        rules = next((s.pipeline.engine.state.rules for s in self._daemon.streams.values()), None)
        return rules is None or rules.derive(scope, scope, None, None, None)[2]

    def settings(self) -> Any:
        return self._daemon.settings.model_dump(mode="json")
