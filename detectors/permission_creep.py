"""An agent takes to permissions that it, or what it calls, has never used: creep, step by step or all at once.

Sees: the first use of a permission by an agent itself, and through agents that act for it (`via`): a new delegate, or
a permission foreign to both. Why: power that grows by one harmless step a day is what nobody notices. How: each
family is a counting process with the agent's own reference rate; a first use weighs more when the permission is
privileged and when no peer uses it. Cannot see: permissions granted but not used, and what stays within old ones.
"""

from __future__ import annotations

from detectors.core.columns import Columns
from detectors.core.detector import Detector, Hit, Standing
from detectors.core.family import PEERS, Explanation, Family, Mark
from detectors.core.story import Story, act

PRIVILEGE = Mark("privilege", drift=(0.5, 0.5), usual=(0.8, 0.2))


class PermissionCreep(Detector):
    """Scopes that grow, the agent's own and through delegates."""

    name = "permission_creep"
    families = (
        Family("own", weight=0.18, excite=0.06, gate=True, hit="scope", prior=(0.3, 1500.0), marks=(PRIVILEGE, PEERS)),
        Family("via", weight=0.06, hit="via", prior=(0.3, 1500.0), marks=(PRIVILEGE,)),
    )

    stories = (
        Story("a new privileged permission every two hours", fires=True, usual=(act(1200, "crm:read"),),
              drift=(act(7200, "iam:grant{k}", privileged=True),)),
        Story("new permissions through a delegate", fires=True,
              usual=(act(1200, "crm:read"), act(3600, "tool:run", agent="crm/tool", via=["crm/anna"])),
              drift=(act(3600, "payments:send{k}", agent="crm/tool", via=["crm/anna"], privileged=True),)),
        Story("more of the same", fires=False, usual=(act(1200, "crm:read"), act(1800, "crm:write")),
              drift=(act(60, "crm:write"),)),
    )

    def classify(self, family: Family, hit: Hit) -> dict[str, int] | None:
        """Privileged permissions weigh more; what peers know is the engine's to find."""
        return {"privilege": int(hit.privileged)}

    def explain(self, row: int, at: float, mine: Columns, standings: dict[str, Standing]) -> Explanation:
        """How many permissions are new, which, and how many were to be expected."""
        own, via = standings["own"], standings["via"]
        said = max(own, via, key=lambda standing: standing.score)
        things = ", ".join(dict.fromkeys(e.thing for e in said.exemplars)) or "none named"
        how = "used" if said is own else "reached through delegates"
        number = int(said.seen)
        return Explanation(
            f"{how} {number} permission{'s' if number != 1 else ''} for the first time ({things}); "
            f"{said.due:.2g} expected since then",
            said.since or None, said.seen, round(said.due, 4),
        )
