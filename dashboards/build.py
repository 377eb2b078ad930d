"""Writes driftd.json, the Grafana dashboard: `make dashboards`. What is committed is what this writes."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueColorMode, BigValueGraphMode, StackingMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    ThresholdsMode,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.dashboard import Threshold as Step
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

PATH = Path(__file__).with_name("driftd.json")
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
ONE = 'job=~"$job", instance=~"$instance"'
AGENT = 'tenant=~"$tenant", agent=~"$agent"'
SCORE_UNIT = "none"  # agent-months per false alarm


class Panel(NamedTuple):
    """A panel as it is written down: `queries` are (PromQL, legend); ONE, AGENT and RATE stand for what they name."""

    title: str
    description: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "lines"
    span: int = 8


FLEET = (
    Panel("Agents", "Agents by state of life.", "short", (("sum by (state) (driftd_agents{ONE})", "{{state}}"),), "stat", 6),
    Panel("Alerts open", "Alerts open now, by level.", "short", (("sum by (level) (driftd_alerts_open{ONE})", "{{level}}"),), "stat", 6),
    Panel("Incidents open", "Several agents with one cause.", "short", (("sum(driftd_incidents_open{ONE})", "incidents"),), "stat", 4),
    Panel("Contained", "Steps in force, by step.", "short", (("sum by (step) (driftd_containments_active{ONE})", "{{step}}"),), "stat", 4),
    Panel("Budget used up", "1: the switch observes only, until a person re-arms it.", "bool_yes_no",
          (("max(driftd_containment_budget_latched{ONE})", "latched"),), "stat", 4),
    Panel("Highest scores", "Agent-months per false alarm: 100 is a page by default.", SCORE_UNIT,
          (("topk(20, driftd_agent_score{ONE})", "{{tenant}} {{agent}}"),), "bars", 12),
    Panel("Alerts opened", "Alerts opened or risen, by level.", "short",
          (("sum by (level) (increase(driftd_alerts_opened_total{ONE}[$__rate_interval]))", "{{level}}"),), "stack", 12),
    Panel("Containment decisions", "Steps decided, and whether they could have acted.", "short",
          (("sum by (step, mode, armed_reason) (increase(driftd_containment_decisions_total{ONE}[$__rate_interval]))",
            "{{step}} {{mode}} {{armed_reason}}"),), "stack", 12),
    Panel("Not said", "Findings that were not said or not sent, by named reason.", "short",
          (("sum by (reason) (increase(driftd_findings_suppressed_total{ONE}[$__rate_interval]))", "{{reason}}"),), "stack", 12),
    Panel("Hits against expectation", "Observed hits over those that the references expect, by family; 1 is normal.", "percentunit",
          (("sum by (detector, family) (increase(driftd_hits_total{ONE}[1h])) / "
            "sum by (detector, family) (increase(driftd_hits_expected_total{ONE}[1h]))", "{{detector}} {{family}}"),), "lines", 12),
    Panel("Blind", "Agents for which a detector sees nothing, with the reason.", "short",
          (("sum by (detector, reason) (driftd_agents_blind{ONE})", ""),), "table", 12),
)  # fmt: skip
AGENTS = (
    Panel("Score", "Agent-months per false alarm of the chosen agents, as far as they are among those shown.", SCORE_UNIT,
          (("driftd_agent_score{ONE, AGENT}", "{{tenant}} {{agent}}"),), "lines", 12),
    Panel("Gate score", "The same of harm-capable evidence alone, which containment stands on.", SCORE_UNIT,
          (("driftd_agent_gate_score{ONE, AGENT}", "{{tenant}} {{agent}}"),), "lines", 12),
    Panel("Agents not shown", "Agents with a score that the list of the highest leaves out.", "short",
          (("sum(driftd_agents_truncated{ONE})", "left out"),), "stat", 24),
)  # fmt: skip
DAEMON = (
    Panel("Events", "Events judged, by source.", "cps",
          (("sum by (source) (rate(driftd_events_judged_total{ONE}[$__rate_interval]))", "{{source}}"),)),
    Panel("Lag", "Age of the newest record that was judged: containment asks a person beyond 300 s.", "s",
          (("max by (source, partition) (driftd_lag_seconds{ONE})", "{{source}}/{{partition}}"),)),
    Panel("Records waiting", "Records behind the position.", "short",
          (("sum by (source, partition) (driftd_lag_records{ONE})", "{{source}}/{{partition}}"),)),
    Panel("Bad records", "Dead letters by reason.", "cps",
          (("sum by (reason) (rate(driftd_dead_letters_total{ONE}[$__rate_interval]))", "{{reason}}"),), "stack"),
    Panel("Oddities", "Duplicates, reused ids, clipped times, unknown fields, gaps.", "cps",
          (("sum(rate(driftd_duplicates_total{ONE}[$__rate_interval]))", "duplicates"),
           ("sum(rate(driftd_id_reuse_total{ONE}[$__rate_interval]))", "id reuse"),
           ("sum(rate(driftd_times_clipped_total{ONE}[$__rate_interval]))", "clipped times"),
           ("sum(rate(driftd_unknown_fields_total{ONE}[$__rate_interval]))", "unknown fields"),
           ("sum(rate(driftd_gaps_total{ONE}[$__rate_interval]))", "gaps"))),
    Panel("Time by stage", "99th percentile of a batch, or of a round of ticks.", "s",
          tuple((f"histogram_quantile(0.99, sum by (le) (rate(driftd_{stage}_seconds_bucket{{ONE}}[$__rate_interval])))", stage)
                for stage in ("decode", "judge", "commit", "tick"))),
    Panel("Outbox", "Messages that wait.", "short", (("sum(driftd_outbox_pending{ONE})", "waiting"),)),
    Panel("Oldest message", "How long the oldest message has waited.", "s",
          (("max(driftd_outbox_oldest_age_seconds{ONE})", "age"),)),
    Panel("Deliveries", "Tries by sink and outcome.", "cps",
          (("sum by (sink, outcome) (rate(driftd_outbox_attempts_total{ONE}[$__rate_interval]))", "{{sink}} {{outcome}}"),), "stack"),
    Panel("Hooks", "99th percentile of a hook's verb.", "s",
          (("histogram_quantile(0.99, sum by (le, hook, verb) (rate(driftd_hook_seconds_bucket{ONE}[$__rate_interval])))",
            "{{hook}} {{verb}}"),)),
    Panel("What became of steps", "Hook outcomes; anything but confirmed deserves a look.", "short",
          (("sum by (hook, step, outcome) (increase(driftd_hook_outcomes_total{ONE}[$__rate_interval]))", "{{hook}} {{step}} {{outcome}}"),), "stack"),
    Panel("Snapshot age", "Time since the last complete snapshot.", "s", (("time() - driftd_snapshot_timestamp_seconds{ONE} > 0", "{{instance}}"),)),
    Panel("Memory", "Resident memory, and the size of the last snapshot.", "bytes",
          (("process_resident_memory_bytes{ONE}", "resident"), ("driftd_snapshot_bytes{ONE}", "snapshot"))),
    Panel("CPU", "Cores in use.", "short", (("rate(process_cpu_seconds_total{ONE}[$__rate_interval])", "{{instance}}"),)),
    Panel("Requests", "Answers of the interface by route and status.", "reqps",
          (("sum by (route, status) (rate(driftd_http_requests_total{ONE}[$__rate_interval]))", "{{route}} {{status}}"),)),
    Panel("Health", "Sources and storage that can be used, receivers that are away, verdicts that a restart found otherwise.", "short",
          (("min by (source) (driftd_source_up{ONE})", "source {{source}}"), ("min(driftd_storage_up{ONE})", "storage"),
           ("max by (sink) (driftd_sink_down{ONE})", "{{sink}} is away"), ("sum(driftd_replay_mismatches_total{ONE})", "mismatches"),
           ("sum(driftd_detector_errors_total{ONE})", "detectors that raised")), "lines", 24),
)  # fmt: skip
ROWS = (("Fleet", FLEET), ("Agent", AGENTS), ("Daemon", DAEMON))


def build() -> str:
    """The dashboard as JSON, the same bytes every time."""
    made = (
        dashboard.Dashboard("driftd")
        .uid("driftd")
        .description("Behavioural drift of AI agents. Scores are agent-months per false alarm.")
        .tags(["driftd", "ai-agents"])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-6h", "now")
        .refresh("30s")
        .link(dashboard.DashboardLink("driftd").type(DashboardLinkType.DASHBOARDS).tags(["driftd"]).as_dropdown(True))
        .annotation(_steps())
    )
    for variable in _variables():
        made = made.with_variable(variable)
    numbers = itertools.count(1)
    for title, panels in ROWS:
        made = made.with_row(dashboard.Row(title).id(next(numbers)))
        for panel in panels:
            made = made.with_panel(_panel(panel).id(next(numbers)))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def _variables() -> list[Any]:
    found: list[Any] = [dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")]
    asked = {
        "job": "label_values(driftd_build_info, job)",
        "instance": 'label_values(driftd_build_info{job=~"$job"}, instance)',
        "tenant": "label_values(driftd_agent_score{" + ONE + "}, tenant)",
        "agent": "label_values(driftd_agent_score{" + ONE + ', tenant=~"$tenant"}, agent)',
    }
    for name, query in asked.items():
        variable = dashboard.QueryVariable(name).label(name.capitalize()).datasource(SOURCE).query(query)
        variable = variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
        # an empty tenant is a tenant too, so all is .*
        found.append(variable.multi(True).include_all(True).all_value(".*"))
    return found


def _steps() -> dashboard.AnnotationQuery:
    expr = _expr("sum by (step) (increase(driftd_hook_outcomes_total{ONE}[$__rate_interval])) > 0")
    return dashboard.AnnotationQuery().name("Steps carried out").datasource(SOURCE).enable(True).icon_color("red").expr(expr)


def _panel(panel: Panel) -> Any:
    kinds = {"stat": _stat, "bars": _bars, "table": _table, "lines": _lines, "stack": _stack}
    made = kinds[panel.kind]().title(panel.title).description(panel.description).unit(panel.unit).datasource(SOURCE)
    for number, (expr, legend) in enumerate(panel.queries):
        query = prometheus.Dataquery().expr(_expr(expr)).legend_format(legend).ref_id("ABCDEFGH"[number])
        if panel.kind in ("stat", "bars", "table"):
            query = query.instant()
        if panel.kind == "table":
            query = query.format(PromQueryFormat.TABLE)
        made = made.with_target(query)
    return made.span(panel.span).height(4 if panel.kind == "stat" else 8)


def _expr(expr: str) -> str:
    return expr.replace("ONE", ONE).replace("AGENT", AGENT)


def _lines() -> timeseries.Panel:
    return timeseries.Panel().line_width(1).fill_opacity(5).show_points("never").min(0)


def _stack() -> timeseries.Panel:
    stacking = common.StackingConfig().mode(StackingMode.NORMAL)
    return timeseries.Panel().line_width(1).fill_opacity(40).stacking(stacking).min(0)


def _stat() -> stat.Panel:
    return stat.Panel().graph_mode(BigValueGraphMode.NONE).color_mode(BigValueColorMode.VALUE).reduce_options(_last())


def _bars() -> bargauge.Panel:
    steps = [Step(value=None, color="green"), Step(value=10, color="yellow"), Step(value=100, color="orange"), Step(value=1000, color="red")]
    thresholds = dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
    return bargauge.Panel().orientation("horizontal").thresholds(thresholds).min(0).reduce_options(_last())


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"])


def _table() -> table.Panel:
    return table.Panel()


if __name__ == "__main__":
    PATH.write_text(build(), encoding="utf-8")
    sys.stdout.write(f"{PATH.name} is written\n")
