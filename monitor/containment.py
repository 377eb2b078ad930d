"""The ladder: which containment step is decided, and when one ends. Pure: no clock, no I/O, decisions with reasons."""

from __future__ import annotations

import msgspec

from detectors.core.inputs import Arm, Contain, Directive, Disarm, Receipt, Step, Uncontain
from monitor import ids
from monitor.arming import Arming
from monitor.budget import Budget, Holding
from monitor.findings import Containment, rounded, to_text
from monitor.readiness import RoleFacts
from monitor.reasons import BECAUSE, Reasons
from monitor.steps import RESTRICT, STEPS, AgentState, ContainmentSettings, Held, Subject, id_of, rank_of

AGAIN = "; a step as hard is in force already"

__all__ = ["ContainmentSettings", "Ladder", "RoleFacts", "Subject"]


class Ladder:
    """Decides steps and ends them. A line's `executes` names what is to be carried out now; None: nothing is."""

    def __init__(self, settings: ContainmentSettings | None = None, budget: Budget | None = None) -> None:
        """`budget` may be shared with the other ladders of a daemon."""
        self.settings = settings or ContainmentSettings()
        self.budget = budget or Budget(self.settings.bounds)
        self.arming = Arming()
        self._reasons = Reasons(self.settings, self.arming)
        self._agents: dict[tuple[str, str], AgentState] = {}

    # -- evidence

    def decide(self, subject: Subject) -> list[Containment]:
        """The highest step that the agent newly reaches, at most one line; in every mode."""
        reached = self.settings.thresholds.rank(rounded(subject.gate_score))
        state = self._agents.get((subject.tenant, subject.agent))
        if state is None and not reached:
            return []
        state = state or self._enter(subject.tenant, subject.agent, subject.role)
        state.gate_score, state.alert, state.role = rounded(subject.gate_score), subject.alert, subject.role
        if reached <= state.rank:
            self._leave(state)
            return []
        state.rank = reached
        return [self._decided(state, subject, STEPS[reached - 1])]

    def alert_resolved(self, subject: Subject) -> list[Containment]:
        """The agent's alert resolved: what was not carried out, and throttle and restrict, end with it."""
        state = self._agents.get((subject.tenant, subject.agent))
        if state is None:
            return []
        state.gate_score, state.alert = rounded(subject.gate_score), None
        state.rank = 0
        ending = [held for held in state.held if not held.stays()]
        return self._end(state, ending, subject.time, subject.id, "its alert resolved", subject.event)

    def expire(self, time: float) -> list[Containment]:
        """Releases of executed steps whose declared expiry has come."""
        said: list[Containment] = []
        for state in [self._agents[key] for key in sorted(self._agents)]:
            for held in list(state.held):
                seconds = getattr(self.settings.expiry_seconds, held.executes) if held.executes else None
                if seconds is not None and held.since + seconds <= time:
                    decider = id_of(held.id, "expiry")
                    said += self._end(state, [held], time, decider, f"its declared {seconds:g} seconds are over")
        return said

    # -- inputs

    def directive(self, directive: Directive, time: float, facts: RoleFacts | None = None) -> list[Containment]:
        """What a person told. `facts` are of the role that is armed, or of the role of the agent to contain."""
        if isinstance(directive, Arm):
            self.arming.arm(directive, facts)
        elif isinstance(directive, Disarm):
            self.arming.disarm(directive)
        elif isinstance(directive, Contain):
            return [self._contain(directive, time, facts)]
        elif isinstance(directive, Uncontain):
            return self._uncontain(directive, time)
        return []

    def receipt(self, receipt: Receipt) -> list[Containment]:
        """What became of a step. A failed one stays in force as far as anybody knows: it is an alert, no harder step."""
        state = self._agents.get((receipt.tenant, receipt.agent))
        held = next((held for held in state.held if held.id == receipt.containment), None) if state else None
        if state is None or held is None:
            return []
        if receipt.outcome == "skipped":
            held.executes = None
            self._unhold(state)
            if receipt.detail.startswith("budget"):
                self.arming.latch()
        elif receipt.outcome == "undone":
            return self._end(state, [held], receipt.time, receipt.containment, receipt.detail or "it was taken back")
        return []

    # -- state

    def dump(self) -> bytes:
        """All of it, the same bytes for the same state."""
        agents = [self._agents[key] for key in sorted(self._agents)]
        return msgspec.msgpack.encode((agents, self.arming.dump(), self.budget.dump()))

    def load(self, dumped: bytes) -> None:
        """Take over what was dumped."""
        agents, arming, budget = msgspec.msgpack.decode(dumped, type=tuple[list[AgentState], bytes, bytes])
        self._agents = {(state.tenant, state.agent): state for state in agents}
        self.arming.load(arming)
        self.budget.load(budget)

    # -- inside

    def _decided(self, state: AgentState, subject: Subject, step: Step) -> Containment:
        mode, identity = self._reasons.mode(subject), id_of(subject.id, step)
        executes = self._opted_in(step, signed_breach=subject.signed_breach)
        again = rank_of(executes) <= state.in_force()
        because, bound = self._reasons.of_subject(subject, executes), ""
        if because is None and mode == "enforce" and not again:
            bound = self._spend(identity, subject.time, state, executes, subject.role_size, subject.ratified_agents)
            because = "budget" if bound else None
        acts = executes if because is None and mode == "enforce" and not again else None
        because = because or ("kill_not_opted_in" if executes != step else None)
        because = because or ("observe_mode" if mode == "observe" else None)
        state.held.append(Held(id=identity, step=step, executes=acts, since=subject.time))
        reason = self._reasons.sentence(subject, step, because, bound)
        if again:
            reason += AGAIN
        elif because is None and mode == "approve":
            reason += "; it waits for a person: driftd contain"
        armed = self.arming.find(subject.tenant, subject.role)
        return Containment(
            id=identity, time=to_text(subject.time), event=subject.event, agent=subject.agent, role=subject.role,
            tenant=subject.tenant, step=step, executes=acts, mode=mode, gate_score=rounded(subject.gate_score),
            armed=because is None, not_armed_because=because, reason=f"{reason}.", alert=subject.alert,
            unproven=armed is not None and armed.unproven,
        )  # fmt: skip

    def _opted_in(self, step: Step, *, signed_breach: bool = False) -> Step:
        """What is carried out for a step: quarantine for a kill that nobody opted in to."""
        return "quarantine" if step == "kill" and not (self.settings.kill or signed_breach) else step

    def _spend(self, id_: str, time: float, state: AgentState, executes: Step, role_size: int, ratified: int) -> str:
        """Count a step before it is acted on; the bound that it would break, in words, or nothing."""
        if rank_of(executes) < RESTRICT:
            return ""
        holding = Holding(state.tenant, state.agent, state.role)
        refused = self.budget.refuses(time, holding, role_size, ratified)
        if refused is None:
            self.budget.spend(id_, time, holding)
            return ""
        self.arming.latch()
        return refused

    def _contain(self, directive: Contain, time: float, facts: RoleFacts | None) -> Containment:
        state = self._agents.get((directive.tenant, directive.agent))
        role = facts.role if facts else state.role if state else _role_of(directive.agent)
        state = state or self._enter(directive.tenant, directive.agent, role)
        step, executes = directive.step, self._opted_in(directive.step)
        name = f"contain {step} {directive.id}"
        identity = ids.of_timer("containment", directive.tenant, directive.agent, time, name).hex()
        again = rank_of(executes) <= state.in_force()
        because, bound = self._reasons.of_person(directive.agent, role, executes), ""
        if because is None and not again:
            size, ratified = (facts.agents, facts.ratified_agents) if facts else (0, 0)
            bound = self._spend(identity, time, state, executes, size, ratified)
            because = "budget" if bound else None
        acts = executes if because is None and not again else None
        because = because or ("kill_not_opted_in" if executes != step else None)
        state.held.append(Held(id=identity, step=step, executes=acts, since=time, by_person=acts is not None))
        state.rank = max(state.rank, rank_of(step))
        reason = f"{directive.by} contained it" + (f": {directive.reason}" if directive.reason else "")
        reason += f"; not armed: {BECAUSE[because]}" if because else ""
        reason += (f" ({bound})" if bound else "") + (AGAIN if again else "")
        return Containment(
            id=identity, time=to_text(time), event=None, agent=directive.agent, role=role, tenant=directive.tenant,
            step=step, executes=acts, mode="enforce", gate_score=state.gate_score, armed=because is None,
            not_armed_because=because, reason=f"{reason}.", alert=state.alert,
        )  # fmt: skip

    def _uncontain(self, directive: Uncontain, time: float) -> list[Containment]:
        state = self._agents.get((directive.tenant, directive.agent))
        if state is None:
            return []
        ending = [held for held in state.held if directive.step in (None, held.step, held.executes)]
        name = f"uncontain {directive.step} {directive.id}"
        decider = ids.of_timer("containment", directive.tenant, directive.agent, time, name).hex()
        why = f"{directive.by} released it" + (f": {directive.reason}" if directive.reason else "")
        return self._end(state, ending, time, decider, why)

    def _end(
        self, state: AgentState, ending: list[Held], time: float, decider: str, why: str, event: str | None = None
    ) -> list[Containment]:
        """One release line for the whole agent when all ends, otherwise one for each containment, with its id."""
        whole = len(ending) == len(state.held)
        state.held = [held for held in state.held if held not in ending]
        if not whole:
            state.rank = max(state.rank, *(rank_of(held.step) for held in state.held))
        lines = [(id_of(decider, "release"), ending)] if whole else [(held.id, [held]) for held in ending]
        said = [self._released(state, id_, ended, time, why, event) for id_, ended in lines if ended]
        self._unhold(state)
        self._leave(state)
        return said

    def _released(
        self, state: AgentState, id_: str, ended: list[Held], time: float, why: str, event: str | None
    ) -> Containment:
        executed = [held.executes for held in ended if held.executes]
        steps = ", ".join(executed) if executed else ", ".join(held.step for held in ended)
        return Containment(
            id=id_, time=to_text(time), event=event, agent=state.agent, role=state.role, tenant=state.tenant,
            step="release", executes="release" if executed else None, mode=self.settings.mode,
            gate_score=state.gate_score, armed=bool(executed),
            not_armed_because=None if executed else "nothing_in_force", alert=state.alert,
            reason=f"{'Released from' if executed else 'Closed, never carried out:'} {steps}; {why}.",
        )  # fmt: skip

    def _enter(self, tenant: str, agent: str, role: str) -> AgentState:
        return self._agents.setdefault((tenant, agent), AgentState(tenant=tenant, agent=agent, role=role))

    def _unhold(self, state: AgentState) -> None:
        if state.in_force() < RESTRICT:
            self.budget.free(state.tenant, state.agent)

    def _leave(self, state: AgentState) -> None:
        """Where nothing is held, steps above the score are left, so that they can be reached again."""
        if not state.held:
            state.rank = min(state.rank, self.settings.thresholds.rank(state.gate_score))
            if not state.rank:
                self._agents.pop((state.tenant, state.agent), None)


def _role_of(agent: str) -> str:
    """The cohort of an agent of which nothing more is known, as the contract derives it."""
    return agent.partition("/")[0].partition("#")[0] or agent
