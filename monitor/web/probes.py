"""`/healthz`, `/readyz`, `/metrics`: for machines that watch the daemon."""

from __future__ import annotations

from litestar import Response, get

from monitor.metrics.declared import CONTENT_TYPE
from monitor.web.answers import Given, Health
from monitor.web.gate import OPEN, READERS
from monitor.web.problems import answer


@get("/healthz", sync_to_thread=False, opt={"may": OPEN})
def healthz(answers: Given) -> Response[bytes]:
    """200 while the loop goes round; a source or receiver that is away makes it degraded, not ill."""
    return _told(answers.health())


@get("/readyz", sync_to_thread=False, opt={"may": OPEN})
def readyz(answers: Given) -> Response[bytes]:
    """200 once state is restored, the store is open and the sources are assigned."""
    return _told(answers.ready())


@get("/metrics", sync_to_thread=True, opt={"may": READERS})
def metrics(answers: Given) -> Response[bytes]:
    """Everything, in Prometheus's text format."""
    return Response(answers.metrics.text(), media_type=CONTENT_TYPE)


ROUTES = [healthz, readyz, metrics]


def _told(health: Health) -> Response[bytes]:
    # anybody may ask, so which parts are ill is all that is said
    return answer({"ok": health.ok, "ill": sorted(health.problems)}, 200 if health.ok else 503)
