"""What every hook keeps to; a hook's test derives from `HookContract` and says how to make one and how to look."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from monitor import plugins
from monitor.hooks.base import Hook, HookError, Order


def order(agent: str = "billing/1", step: Any = "kill", id_: str = "c1", tenant: str = "") -> Order:
    return Order(id_, 1000.0, tenant, agent, "billing", step, 1234.0, "the gate score reached 1000")


class HookContract:
    """Give a fixture `hook`, and `contained(agent)` that looks at the world by itself, not through the hook."""

    #: undo gives back what was taken; a process that was ended stays ended
    undoes = True

    def contained(self, agent: str) -> bool:
        raise NotImplementedError

    def order(self, hook: Hook, id_: str = "c1") -> Order:
        return order(step=hook.steps[-1], id_=id_)

    def test_it_is_found_with_its_settings_by_its_kind(self, hook: Hook) -> None:
        assert plugins.find("monitor.hooks", hook.kind) is type(hook)
        fields = plugins.settings_class(type(hook)).model_fields
        assert all(field.description for name, field in fields.items() if name != "type")
        assert plugins.settings_class(type(hook)).model_config["extra"] == "forbid"

    def test_a_plan_changes_nothing_and_says_what_is_the_agents_alone(self, hook: Hook) -> None:
        plan = hook.plan(self.order(hook))
        assert plan.text
        assert plan.exclusive
        assert not self.contained("billing/1")

    def test_a_plan_survives_the_intent_log(self, hook: Hook) -> None:
        plan = hook.plan(self.order(hook))
        assert msgspec.json.decode(msgspec.json.encode(plan), type=type(plan)) == plan

    def test_apply_contains_and_verify_does_not_deny_it(self, hook: Hook) -> None:
        plan = hook.plan(self.order(hook))
        assert hook.verify(self.order(hook), plan) is not True
        done = hook.apply(self.order(hook), plan)
        assert msgspec.json.decode(msgspec.json.encode(done)) == done
        assert self.contained("billing/1")
        assert hook.verify(self.order(hook), plan) is not False

    def test_every_verb_may_be_called_again_with_the_same_order(self, hook: Hook) -> None:
        plan = hook.plan(self.order(hook))
        for _ in range(2):
            hook.apply(self.order(hook), plan)
            assert hook.verify(self.order(hook), plan) is not False
        assert self.contained("billing/1")

    def test_undo_takes_it_back_or_says_that_it_cannot(self, hook: Hook) -> None:
        plan = hook.plan(self.order(hook))
        done = hook.apply(self.order(hook), plan)
        if not self.undoes:
            with pytest.raises(HookError, match="start the agent again"):
                hook.undo(self.order(hook), plan, done)
            return
        for _ in range(2):
            hook.undo(self.order(hook), plan, done)
            assert not self.contained("billing/1")

    def test_it_touches_no_other_agent(self, hook: Hook) -> None:
        hook.apply(self.order(hook), hook.plan(self.order(hook)))
        assert not self.contained("billing/2")

    def test_every_verb_keeps_its_deadline(self, hook: Hook) -> None:
        begun = time.monotonic()
        plan = hook.plan(self.order(hook))
        hook.apply(self.order(hook), plan)
        hook.verify(self.order(hook), plan)
        assert time.monotonic() - begun < 3 * hook.deadline_seconds
