"""The declarations. Values are added once for each batch, never for each event; names and units are Prometheus's."""

from __future__ import annotations

from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest

from monitor.metrics.top import SHOWN_DEFAULT, TopAgents

# a second series for each counter, which nobody asks for
disable_created_metrics()  # type: ignore[no-untyped-call]
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: buckets of what takes milliseconds, and of what takes seconds
QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
SLOW = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """All metrics of one daemon, in a registry of their own; `text` is what is scraped.

    Labels take their values from closed sets: detectors, families, levels, named reasons, steps, modes, and what the
    settings name (sources, sinks, hooks). Nothing that a record claims ever becomes a label, but for the names of the
    agents in `top_agents`.
    """

    def __init__(self, agents_shown_max: int = SHOWN_DEFAULT) -> None:
        self.registry = CollectorRegistry()
        self.top_agents = TopAgents(agents_shown_max)
        self.registry.register(self.top_agents)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._declare_reading()
        self._declare_judging()
        self._declare_saying()
        self._declare_containing()
        self._declare_keeping()

    def text(self) -> bytes:
        """Everything, in the text format."""
        return generate_latest(self.registry)

    def names(self) -> set[str]:
        """Every series name that can be scraped, whether it has a value yet or not."""
        found: set[str] = set()
        for family in self.registry.collect():
            suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}
            found |= {family.name + suffix for suffix in suffixes.get(family.type, ("",))}
        return found

    def _declare_reading(self) -> None:
        where = ("source", "partition")
        self.events = self._counter("driftd_events", "Events decoded.", *where)
        self.judged = self._counter("driftd_events_judged", "Events judged.", *where)
        self.duplicates = self._counter("driftd_duplicates", "Events dropped because their id was seen with the same content.")
        self.id_reuse = self._counter("driftd_id_reuse", "Events judged although their id was seen with other content.")
        self.dead_letters = self._counter("driftd_dead_letters", "Records that could not be judged.", "reason")
        self.clipped = self._counter("driftd_times_clipped", "Events whose own time was too far from their arrival.")
        self.unknown_fields = self._counter("driftd_unknown_fields", "Top-level fields that the contract does not know.")
        self.gaps = self._counter("driftd_gaps", "Stretches of records that were gone before they were read.", "source")
        self.lag_records = self._gauge("driftd_lag_records", "Records that wait to be read.", *where)
        self.lag_seconds = self._gauge("driftd_lag_seconds", "Age of the newest record that was judged.", *where)
        self.source_up = self._gauge("driftd_source_up", "1 while the source can be read.", "source")
        self.decode_seconds = self._histogram("driftd_decode_seconds", "Time to decode a batch.", QUICK)

    def _declare_judging(self) -> None:
        family = ("detector", "family")
        self.judge_seconds = self._histogram("driftd_judge_seconds", "Time to judge a batch.", QUICK)
        self.tick_seconds = self._histogram("driftd_tick_seconds", "Time of a round of ticks, learning included.", SLOW)
        self.agents = self._gauge("driftd_agents", "Agents by state of life.", "state")
        self.blind = self._gauge("driftd_agents_blind", "Agents for which a detector is blind.", "detector", "reason")
        self.detector_errors = self._counter("driftd_detector_errors", "Times a detector raised and became blind.", "detector")
        self.hits = self._counter("driftd_hits", "Hits observed.", *family)
        self.hits_expected = self._counter("driftd_hits_expected", "Hits expected by the references.", *family)
        self.heartbeat = self._gauge("driftd_heartbeat_timestamp_seconds", "When the loop last came round.")

    def _declare_saying(self) -> None:
        self.alerts_opened = self._counter("driftd_alerts_opened", "Alerts opened, or risen to the level.", "level")
        self.alerts_open = self._gauge("driftd_alerts_open", "Alerts open now.", "level")
        self.incidents_open = self._gauge("driftd_incidents_open", "Incidents open now.")
        self.suppressed = self._counter("driftd_findings_suppressed", "Findings not said or not sent.", "reason")
        self.outbox_pending = self._gauge("driftd_outbox_pending", "Messages that wait for their sinks.")
        self.outbox_age = self._gauge("driftd_outbox_oldest_age_seconds", "Age of the oldest message that waits.")
        self.outbox_attempts = self._counter("driftd_outbox_attempts", "Deliveries tried.", "sink", "outcome")
        self.sink_down = self._gauge("driftd_sink_down", "1 while the receiver takes nothing.", "sink")

    def _declare_containing(self) -> None:
        self.decisions = self._counter(
            "driftd_containment_decisions",
            "Steps decided; armed_reason is `armed`, or why it could not have acted.",
            "step", "mode", "armed_reason",
        )  # fmt: skip
        self.contained = self._gauge("driftd_containments_active", "Steps in force.", "step")
        self.latched = self._gauge("driftd_containment_budget_latched", "1 when the budget was used up: a person re-arms.")
        self.hook_seconds = self._histogram("driftd_hook_seconds", "Time of a hook's verb.", SLOW, "hook", "verb")
        self.hook_outcomes = self._counter("driftd_hook_outcomes", "What became of steps.", "hook", "step", "outcome")

    def _declare_keeping(self) -> None:
        self.commit_seconds = self._histogram("driftd_commit_seconds", "Time to make a decision durable.", QUICK)
        self.storage_up = self._gauge("driftd_storage_up", "1 while the storage can be written.")
        self.snapshot_time = self._gauge("driftd_snapshot_timestamp_seconds", "When the last snapshot was complete.")
        self.snapshot_bytes = self._gauge("driftd_snapshot_bytes", "Size of the last snapshot.")
        self.mismatches = self._counter("driftd_replay_mismatches", "Verdicts that a restart found otherwise than recorded.")
        self.config_reload_ok = self._gauge("driftd_config_last_reload_successful", "1 when the last reload was taken.")
        self.config_reload_time = self._gauge(
            "driftd_config_last_reload_success_timestamp_seconds", "When settings were last taken."
        )
        # whoever makes this has taken settings: without a reload they are the ones in force
        self.config_reload_ok.set(1)
        self.config_reload_time.set_to_current_time()
        self.http_requests = self._counter("driftd_http_requests", "Requests answered.", "route", "status")
        self.build = self._gauge("driftd_build_info", "Always 1; which release this is.", "version")
        self.build.labels(version("driftd")).set(1)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)
