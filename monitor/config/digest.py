"""One short name for the settings that decide verdicts: a change of it is an input, and replays say it."""

from __future__ import annotations

import json
from hashlib import blake2b

from monitor.config.sections import Settings

#: where things are kept and shown changes no verdict
SILENT = {"state_dir", "storage", "api", "sinks", "hooks", "privacy"}


def settings_digest(settings: Settings) -> str:
    """32 hexadecimal digits over canonical JSON; secrets are not part of it."""
    kept = settings.model_dump(mode="json", exclude=SILENT)
    canonical = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return blake2b(canonical.encode(), digest_size=16).hexdigest()
