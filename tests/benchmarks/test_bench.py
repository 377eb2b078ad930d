"""The benchmark must run: it looks at stages of the core by their names, which change."""

from __future__ import annotations

import pytest

from tests.benchmarks import bench


def test_a_small_run_says_what_each_stage_costs(capsys: pytest.CaptureFixture[str]) -> None:
    bench.main(["core", "--agents", "40", "--events", "2000", "--repeats", "1"])
    said = capsys.readouterr().out
    for line in ("file to decision, batches of 4096", "core: scale_spike, events", "core: judging, loop over candidates",
                 "bytes of one agent", "snapshot of all 40 agents"):
        assert line in said


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(SystemExit):
        bench.main(["everything"])
