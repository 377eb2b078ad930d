"""The jars of Apache Kafka for tests: fetched once by Maven, kept in the user's cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

VERSION = "4.3.1"
HERE = Path(__file__).parent / "kafka"


class KafkaAbsent(Exception):
    """A broker cannot be had on this machine; the message says why."""


def jars() -> Path:
    """The folder of jars; fetched on first use (about 40 s, 44 MB). Raises KafkaAbsent."""
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise KafkaAbsent(f"{tool} is not installed: real Kafka tests need Java 17 and Maven")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "driftd-test"
    kept = cache / f"kafka-{VERSION}"
    if not (kept / "DONE").exists():
        _fetch(cache, kept)
    return kept


def _fetch(cache: Path, kept: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f"{kept.name}-", dir=cache))
    goal = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies"
    maven = subprocess.run(
        ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), goal, "-DincludeScope=runtime", f"-DoutputDirectory={fresh}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if maven.returncode != 0:
        shutil.rmtree(fresh)
        # Maven gives the reason first; its later error lines are advice.
        reason = next((line for line in maven.stdout.splitlines() if "[ERROR]" in line), maven.stderr.strip())
        raise KafkaAbsent(f"Maven could not fetch Kafka {VERSION}: {reason}")
    (fresh / "DONE").touch()
    try:
        fresh.rename(kept)
    except OSError:  # somebody else was quicker; his are as good
        shutil.rmtree(fresh)
