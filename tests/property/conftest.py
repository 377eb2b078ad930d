"""How many random streams the property tests take: few in CI, a thousand with `--campaign`."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

CAMPAIGN = os.environ.get("DRIFTD_CAMPAIGN") == "1"
slow = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile("ci", max_examples=6, deadline=None, derandomize=True, suppress_health_check=slow)
settings.register_profile("campaign", max_examples=1000, deadline=None, suppress_health_check=slow)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CAMPAIGN:
        for item in items:
            item.add_marker(pytest.mark.timeout(12 * 3600))


settings.load_profile("campaign" if CAMPAIGN else "ci")
