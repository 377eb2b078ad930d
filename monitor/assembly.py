"""Settings to a pipeline: the one place where both are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors import Engine, EngineSettings, discover
from detectors.core.digests import PUBLIC_KEY
from detectors.core.rules import Rules
from monitor.alerts import Thresholds
from monitor.containment import Ladder
from monitor.fleet import Fleet
from monitor.pipeline import Pipeline

if TYPE_CHECKING:
    from monitor.config import Settings


def thresholds_of(settings: Settings) -> Thresholds:
    """Scores of the levels, as set."""
    levels = settings.alerting.levels
    return Thresholds(levels.notice, levels.page, levels.critical)


def pipeline_of(settings: Settings, source: str, *, attested: bool, key: bytes = PUBLIC_KEY,
                cohorts_given: bool = False, trusted_time: bool = True, fleet: Fleet | None = None) -> Pipeline:
    """A pipeline for one partition of this source, with nothing learnt yet; its fleet is its own if none is given."""
    chosen = settings.detectors.by_name()
    detectors = [kind(chosen[kind.name]) for kind in discover() if chosen[kind.name].enabled]
    levels, steps = settings.alerting.levels, settings.containment.thresholds
    core = EngineSettings(
        reference_days=settings.reference.days,
        person_ratifies=settings.reference.ratify == "person",
        interesting=min(levels.notice, steps.throttle, steps.restrict, steps.quarantine, steps.kill),
        rows_max=settings.agents.max,
        key=key,
        attested=attested,
        cohorts_given=cohorts_given,
    )
    engine = Engine(detectors, Rules(settings.rule_set()), core)
    return Pipeline(source, engine, thresholds_of(settings), fleet or fleet_of(settings), trusted_time=trusted_time)


def fleet_of(settings: Settings) -> Fleet:
    """Decisions over agents, with the ladder as set."""
    return Fleet(Ladder(settings.containment.for_ladder()))
