from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from monitor.hooks.base import Hook, HookError
from monitor.hooks.control_state import ControlStateHook, ControlStateSettings
from tests.monitor.hooks.contract import HookContract, order


def made(folder: Path, **settings: bool) -> ControlStateHook:
    return ControlStateHook(ControlStateSettings(**settings), state_dir=folder)


class TestContract(HookContract):
    @pytest.fixture
    def hook(self, tmp_path: Path) -> Hook:
        self.folder = tmp_path
        return made(tmp_path)

    def contained(self, agent: str) -> bool:
        path = self.folder / "control_state.json"
        return path.exists() and any(kept["agent"] == agent for kept in msgspec.json.decode(path.read_bytes())["agents"])


def hold(hook: ControlStateHook, step: str, id_: str) -> None:
    one = order(step=step, id_=id_)
    hook.apply(one, hook.plan(one))


def free(hook: ControlStateHook, step: str, id_: str) -> None:
    one = order(step=step, id_=id_)
    hook.undo(one, hook.plan(one), {})


def test_the_hardest_step_counts_and_releasing_one_leaves_the_others(tmp_path: Path) -> None:
    hook = made(tmp_path)
    states = [hook.state("", "billing/1")["state"]]
    for step, id_ in (("restrict", "c1"), ("kill", "c2"), ("throttle", "c3")):
        hold(hook, step, id_)
        states.append(hook.state("", "billing/1")["state"])
    for step, id_ in (("kill", "c2"), ("restrict", "c1"), ("throttle", "c3")):
        free(hook, step, id_)
        states.append(hook.state("", "billing/1")["state"])
    assert states == ["active", "restricted", "killed", "killed", "restricted", "throttled", "active"]


def test_a_tag_never_stands_for_two_states(tmp_path: Path) -> None:
    hook = made(tmp_path)
    seen: dict[str, str] = {}
    for n in range(6):
        hold(hook, "kill" if n % 2 else "throttle", f"c{n}")
        state = hook.state("", "billing/1")["state"]
        assert seen.setdefault(hook.etag("", "billing/1"), state) == state
        if n % 3 == 2:
            for earlier in range(n + 1):
                free(hook, "kill", f"c{earlier}")
            assert hook.etag("", "billing/1") == '"0"'
    assert len(seen) == 6


def test_it_is_still_there_after_a_restart(tmp_path: Path) -> None:
    hold(made(tmp_path), "quarantine", "c1")
    again = made(tmp_path)
    assert again.state("", "billing/1")["state"] == "quarantined"
    assert again.verify(order(step="quarantine"), again.plan(order(step="quarantine"))) is True
    tag = again.etag("", "billing/1")
    hold(again, "kill", "c2")
    assert again.etag("", "billing/1") != tag


def test_tenants_are_apart(tmp_path: Path) -> None:
    hook = made(tmp_path)
    hold(hook, "kill", "c1")
    assert hook.state("other", "billing/1")["state"] == "active"


def test_verify_says_no_when_the_file_does_not_hold_it(tmp_path: Path) -> None:
    hook = made(tmp_path)
    hold(hook, "kill", "c1")
    (tmp_path / "control_state.json").unlink()
    assert hook.verify(order(), hook.plan(order())) is False


def test_with_acknowledgement_only_the_agents_own_question_confirms(tmp_path: Path) -> None:
    hook = made(tmp_path, acknowledged=True)
    before = hook.etag("", "billing/1")
    hold(hook, "kill", "c1")
    hook.seen("", "billing/1", before)
    assert hook.verify(order(), hook.plan(order())) is None
    hook.seen("", "billing/1", hook.etag("", "billing/1"))
    assert hook.verify(order(), hook.plan(order())) is True


def test_a_file_that_cannot_be_read_is_refused_and_not_forgotten(tmp_path: Path) -> None:
    (tmp_path / "control_state.json").write_bytes(b'{"version": 1, "agents"')
    with pytest.raises(HookError, match=r"control_state\.json"):
        made(tmp_path)


def test_what_cannot_be_written_does_not_count(tmp_path: Path) -> None:
    hook = made(tmp_path)
    (tmp_path / "control_state.json.new").mkdir()
    with pytest.raises(HookError):
        hold(hook, "kill", "c1")
    assert hook.state("", "billing/1")["state"] == "active"
