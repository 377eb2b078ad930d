"""An agent acts on resources it never touched, above all on some it was told of by a tool's output.

Sees: the first use of an area (any level of a hierarchical target above the last) and of a single target; only the
first new level counts. Why: an injected instruction needs a destination, and that is seldom one the agent knows. How:
one counting process for areas and one for single targets, against the agent's own rate of discovery (an explorer
discovers all day and is not surprising); a target that no peer knows, that was not in the request, or that was copied
from another tool's output weighs more. Cannot see: harm done to targets that the agent always had.
"""

from __future__ import annotations

from detectors.core.columns import Columns
from detectors.core.detector import Detector, Hit, Standing
from detectors.core.event import Origin
from detectors.core.family import PEERS, Explanation, Family, Mark
from detectors.core.story import Story, act

#: the request named the target; it was copied from a tool's output; from an output that is not trusted
PROVENANCE = Mark("provenance", drift=(0.10, 0.60, 0.30), usual=(0.70, 0.25, 0.05))
_REQUESTED, _COPIED, _UNTRUSTED = 0, 1, 2


def provenance(origin: Origin | None) -> int | None:
    """Class of where a target came from; None while that is unknown."""
    if origin is None or (origin.in_request is None and origin.source is None and origin.trusted is None):
        return None
    if origin.in_request:
        return _REQUESTED
    return _UNTRUSTED if origin.trusted is False else _COPIED


class TargetNovelty(Detector):
    """Resources never touched before, with where they came from."""

    name = "target_novelty"
    families = (
        Family("area", weight=0.05, hit="area", marks=(PROVENANCE, PEERS), prior=(0.3, 150.0), excite=0.3, rate_max=0.05),
        Family("item", weight=0.03, hit="item", marks=(PROVENANCE, PEERS), prior=(0.3, 30.0), excite=0.5, rate_max=0.05),
    )

    stories = (
        Story("targets that an untrusted output named", fires=True, usual=(act(600, "files:read", target="files/notes"),),
              drift=(act(3600, "files:send", target="drop{k}/box",
                         origin={"from": "web", "trusted": False, "in_request": False}),)),
        Story("new targets at their usual pace", fires=False, usual=(act(1200, "crm:read", target="crm/{k}"),),
              drift=(act(3600, "crm:write", target="crm/{k}"),)),
    )

    def classify(self, family: Family, hit: Hit) -> dict[str, int] | None:
        """By provenance, where it is told."""
        known = provenance(hit.event.origin)
        return {} if known is None else {"provenance": known}

    def explain(self, row: int, at: float, mine: Columns, standings: dict[str, Standing]) -> Explanation:
        """How many targets are new, which, and how many were to be expected."""
        area, item = standings["area"], standings["item"]
        said = max(area, item, key=lambda standing: standing.score)
        what = "areas" if said is area else "targets"
        things = ", ".join(dict.fromkeys(e.thing for e in said.exemplars)) or "none named"
        return Explanation(
            f"acted on {int(said.seen)} {what} for the first time ({things}); {said.due:.2g} expected since then",
            said.since or None, said.seen, round(said.due, 4),
        )
