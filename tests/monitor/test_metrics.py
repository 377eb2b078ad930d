"""Metrics follow Prometheus's conventions, their labels are bounded, and agents are shown by a capped list."""

from __future__ import annotations

import re
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.metrics import AgentScore, Metrics, TopAgents

#: values of these come from closed sets or from the settings; a label that is not here needs a thought
LABELS = {
    *("source", "partition", "reason", "detector", "family", "level", "state", "sink", "outcome", "step", "mode"),
    *("armed_reason", "hook", "verb", "route", "status", "version", "le", "generation"),
}
NAMES_AN_AGENT = {"driftd_agent_score", "driftd_agent_gate_score"}


def agents(count: int) -> list[AgentScore]:
    return [AgentScore("", f"billing/{n:04}", "billing", float(n % 100), n / 2) for n in range(count)]


def shown(top: TopAgents) -> tuple[list[str], float]:
    score, _, truncated = top.collect()
    return [sample.labels["agent"] for sample in score.samples], truncated.samples[0].value


def test_names_and_units_are_those_of_prometheus() -> None:
    for family in Metrics().registry.collect():
        if not family.name.startswith("driftd_"):
            continue
        assert re.fullmatch(r"driftd_[a-z]+(_[a-z]+)*", family.name)
        assert family.documentation.endswith(".")
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        assert not re.search(r"_(ms|millis|minutes|hours|kb|mb|percent)(_|$)", family.name)


def test_labels_are_bounded() -> None:
    metrics = Metrics()
    for found in vars(metrics).values():
        assert set(getattr(found, "_labelnames", ())) <= LABELS
    metrics.top_agents.show(agents(3))
    for family in metrics.registry.collect():
        for sample in family.samples:
            assert "agent" not in sample.labels or family.name in NAMES_AN_AGENT


def test_all_names_are_there_before_anything_has_happened() -> None:
    metrics = Metrics()
    names = metrics.names()
    assert {"driftd_events_total", "driftd_tick_seconds_bucket", "driftd_alerts_open", "driftd_agent_score"} <= names
    metrics.events.labels("kafka", "0").inc(7)
    metrics.tick_seconds.observe(0.2)
    scraped = {s.name for f in text_string_to_metric_families(metrics.text().decode()) for s in f.samples}
    assert scraped <= names
    assert 'driftd_events_total{partition="0",source="kafka"} 7.0' in metrics.text().decode()


def test_the_highest_are_shown_and_the_others_counted() -> None:
    top = TopAgents(3)
    top.show([AgentScore("", name, "r", score, 0) for name, score in {"d": 5.0, "a": 9.0, "c": 5.0, "b": 5.0}.items()])
    assert shown(top) == (["a", "b", "c"], 1)
    top.show([])
    assert shown(top) == ([], 0)


def test_the_list_is_capped_whatever_is_asked_for() -> None:
    top = TopAgents()
    top.show(agents(10_000))
    assert (len(shown(top)[0]), shown(top)[1]) == (50, 9950)
    top.show(agents(60), total=1_000_000)
    assert (len(shown(top)[0]), shown(top)[1]) == (50, 999_950)
    with pytest.raises(ValueError, match="between 0 and 200"):
        TopAgents(201)


def test_a_scrape_sees_one_list_or_the_other() -> None:
    top, stop = TopAgents(200), threading.Event()
    lists = [[AgentScore("", f"{name}{n}", "r", 1.0, 1.0) for n in range(100)] for name in "xy"]

    def change() -> None:
        while not stop.is_set():
            for one in lists:
                top.show(one)

    writer = threading.Thread(target=change)
    top.show(lists[0])
    writer.start()
    try:
        for _ in range(300):
            assert len({name[0] for name in shown(top)[0]}) == 1
    finally:
        stop.set()
        writer.join()


def test_the_registry_is_the_daemons_own() -> None:
    first, second = Metrics(), Metrics()
    first.duplicates.inc()
    assert b"driftd_duplicates_total 1.0" in first.text()
    assert b"driftd_duplicates_total 0.0" in second.text()
