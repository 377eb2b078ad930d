"""Settings: read from a YAML file, the environment and the command line, checked as a whole, said where they stand."""

from __future__ import annotations

from monitor.config.digest import settings_digest
from monitor.config.load import Reading, load, read, schema
from monitor.config.problems import Problem, SettingsError
from monitor.config.sections import Settings

__all__ = ["Problem", "Reading", "Settings", "SettingsError", "load", "read", "schema", "settings_digest"]
