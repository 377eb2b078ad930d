"""The dashboard is what the generator writes, the rules do what they say, and both ask for metrics that exist."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from monitor.metrics import AgentScore, Metrics
from monitor.web.app import build_app
from monitor.web.server import WebServer
from tests.monitor.web.parts import Daemon

FOLDER = Path(__file__).parents[2] / "dashboards"
BOARD: dict[str, Any] = json.loads((FOLDER / "driftd.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
RULES = [rule for group in yaml.safe_load((FOLDER / "rules.yaml").read_text())["groups"] for rule in group["rules"]]
WORDS = re.compile(r"\b(?:driftd|process|python)_[a-z_]+")
VARIABLES = {"$job": ".*", "$instance": ".*", "$tenant": ".*", "$agent": ".*", "$__rate_interval": "5s"}


def needed(name: str) -> str:
    """The program, or a skip; where the environment says that it must be there, a failure."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI") == "true" or os.environ.get("DRIFTD_REQUIRE_PROMETHEUS") == "1":
            pytest.fail(f"{name} is needed here: apt-get install prometheus")
        pytest.skip(f"no {name} here")
    return found


def queries() -> list[tuple[str, str]]:
    found = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
    found += [(one["name"], one["expr"]) for one in BOARD["annotations"]["list"]]
    return found


def test_what_is_committed_is_what_the_generator_writes(tmp_path: Path) -> None:
    (tmp_path / "build.py").write_bytes((FOLDER / "build.py").read_bytes())
    subprocess.run([sys.executable, tmp_path / "build.py"], check=True, capture_output=True)
    assert (tmp_path / "driftd.json").read_bytes() == (FOLDER / "driftd.json").read_bytes()


def test_the_dashboard_keeps_to_the_conventions() -> None:
    assert (BOARD["uid"], BOARD["editable"], BOARD["graphTooltip"]) == ("driftd", False, 1)
    assert [row["title"] for row in BOARD["panels"] if row["type"] == "row"] == ["Fleet", "Agent", "Daemon"]
    variables = [variable["name"] for variable in BOARD["templating"]["list"]]
    assert variables == ["datasource", "job", "instance", "tenant", "agent"]
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    for panel in PANELS:
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]


@pytest.mark.parametrize(("title", "expr"), queries())
def test_every_query_fits_the_variables_and_the_kind_of_metric(title: str, expr: str) -> None:
    for name in WORDS.findall(expr):
        assert f'{name}{{job=~"$job", instance=~"$instance"' in expr, f"{name} is not filtered"
        if name.endswith(("_total", "_bucket")) and "max(" not in expr:
            ranged = re.search(r"(rate|increase)\(" + name, expr)
            assert ranged or expr.startswith("sum(driftd_"), f"{name} is a counter"
    assert not re.search(r"rate\([^)]*\[\d", expr), "rates are over $__rate_interval"


def test_dashboard_and_rules_ask_for_metrics_that_exist() -> None:
    names = Metrics().names()
    variables = " ".join(variable["query"] for variable in BOARD["templating"]["list"])
    asked = set(WORDS.findall(" ".join([variables, *(expr for _, expr in queries()), *(r["expr"] for r in RULES)])))
    assert asked <= names
    unwatched = {name for name in names if name.startswith("driftd_") and not name.endswith(("_sum", "_count"))} - asked
    assert unwatched <= {"driftd_config_last_reload_success_timestamp_seconds"}


def test_rules_are_valid_and_fire_when_they_should() -> None:
    promtool = needed("promtool")
    for asked in (["check", "rules", "rules.yaml"], ["test", "rules", "rules_test.yaml"]):
        told = subprocess.run([promtool, *asked], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stdout + told.stderr


def test_every_rule_is_tested_to_fire() -> None:
    tests = yaml.safe_load((FOLDER / "rules_test.yaml").read_text())["tests"]
    fired = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one.get("exp_alerts")}
    assert fired == {rule["alert"] for rule in RULES}


def fill(metrics: Metrics, round_: int) -> None:
    """Every metric with one value for each of its labels."""
    for found in vars(metrics).values():
        if isinstance(found, Counter | Gauge | Histogram) and found is not metrics.build:
            names = found._labelnames
            one = found.labels(*names) if names else found
            if isinstance(one, Histogram):
                one.observe(0.01 * round_)
            else:
                one.inc()
    metrics.top_agents.show([AgentScore("", "billing/7", "billing", 120.0, 3.0)])


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[str]:
    """A real Prometheus that scrapes a real interface whose metrics grow; its URL, once there is something to see."""
    program, daemon = needed("prometheus"), Daemon(tmp_path)
    web = WebServer(build_app(daemon.answers))
    web.start()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    scraped = {"job_name": "driftd", "static_configs": [{"targets": [web.url.removeprefix("http://")]}]}
    config = {"global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"}, "scrape_configs": [scraped]}
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(config))
    command = [program, f"--config.file={tmp_path}/prometheus.yaml", f"--storage.tsdb.path={tmp_path}/tsdb",
               f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]  # fmt: skip
    running = subprocess.Popen(command)
    try:
        yield _growing(f"http://127.0.0.1:{port}", daemon.metrics)
    finally:
        running.terminate()
        running.wait(10)
        web.stop()
        daemon.close()


def _growing(url: str, metrics: Metrics) -> str:
    end = time.monotonic() + 30
    for round_ in range(1, 1000):
        fill(metrics, round_)
        time.sleep(0.2)
        assert time.monotonic() < end, "Prometheus does not scrape"
        try:
            seen = ask(url, "count_over_time(driftd_duplicates_total[5s])")
        except httpx.TransportError:
            continue
        if seen and float(seen[0]["value"][1]) >= 5:
            break
    return url


def ask(url: str, expr: str) -> list[Any]:
    answer = httpx.get(f"{url}/api/v1/query", params={"query": expr}, trust_env=False)
    if answer.status_code == 503:  # not ready yet
        return []
    told = answer.json()
    assert told["status"] == "success", f"{expr}: {told}"
    found: list[Any] = told["data"]["result"]
    return found


def test_every_panel_shows_something_of_a_running_daemon(prometheus: str) -> None:
    empty = []
    for title, expr in queries():
        filled = re.sub("|".join(map(re.escape, VARIABLES)), lambda found: VARIABLES[found[0]], expr)
        if not ask(prometheus, filled):
            empty.append((title, filled))
    assert empty == []
