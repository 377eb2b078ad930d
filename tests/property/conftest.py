"""How many random streams the property tests take: few in CI, in a campaign as many as DRIFTD_CAMPAIGN says."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

CAMPAIGN = int(os.environ.get("DRIFTD_CAMPAIGN", "0"))
slow = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile("ci", max_examples=6, deadline=None, derandomize=True, suppress_health_check=slow)
settings.register_profile("campaign", max_examples=CAMPAIGN or 1, deadline=None, suppress_health_check=slow)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CAMPAIGN:
        for item in items:
            item.add_marker(pytest.mark.timeout(12 * 3600))


settings.load_profile("campaign" if CAMPAIGN else "ci")
