"""The one primitive: a counting process watched by a Shiryaev-Roberts e-detector with geometric restarts.

At each opportunity the reference predicts a hit with probability q. The alternatives say rho_i > q; clustering of
hits is part of null and alternative alike (b z, z = hits of the last hour, decaying). With restarts at rate
lambda = 1 per 30 days:

    hit       M_i <- M_i * mark * (rho_i + b z) / (q + b z)
    between   l = lambda dt, h = l + dn (rho_i - q);  M_i <- M_i e^-h + (l / h)(1 - e^-h)

and the score is the mean of the M_i, read as agent-months per false alarm (Shin, Ramdas, Rinaldo, "E-detectors",
arXiv 2203.03532). Half of the alternatives also weigh what peers know, so peers can raise a score by as much as they
like and never lower it below half (the mean of two e-processes is one).
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from detectors.core.columns import Array, Rows
from detectors.core.exact import exp

HOUR, DAY, MONTH = 3600.0, 86_400.0, 30 * 86_400.0
RATES = 4
MARKS, CLASSES = 3, 4
#: a score beyond this says nothing more; it keeps products finite
SCORE_MAX = 1e12

EVIDENCE = np.dtype([
    ("m", "f8", (2 * RATES,)),  # alternatives: four rates without peers, the same four with
    ("heat", "f8"),  # z: recent hits, forgotten within the hour
    ("time", "f8"),  # epoch seconds of the last settlement
    ("n", "f8"),  # opportunities until then
    ("q", "f8"),  # predicted probability of a hit at the next opportunity; 0: no reference yet
    ("hits", "f8"),  # hits learnt since the freeze
    ("alpha", "f8"),
    ("beta", "f8"),  # the reference, prior included: hits and misses
    ("n0", "f8"),  # opportunities that teach nothing: those before the freeze, and those of suspected hours
    ("cap", "f8"),  # learning never carries q beyond this bound of the reference
    ("since", "f8"),  # when the evidence last left its floor
    ("seen", "f8"),  # hits since then
    ("due", "f8"),  # hits expected since then
    ("classes", "f8", (MARKS, CLASSES)),  # hits of the late reference, and those learnt since, by mark and class
])


def alternatives(q: float) -> list[float]:
    """Four rates after a change, geometric from a little above q to half of all opportunities."""
    low = q if q < 0.3 else 0.3
    top = max(0.5, min(0.95, 3 * low))
    root = sqrt(sqrt(top / low))
    return [low * root, low * root * root, low * root * root * root, top]


def settled(m: list[float], lapse: float, chances: float, q: float) -> list[float]:
    """The M_i after `lapse` months and `chances` opportunities without a hit."""
    if lapse <= 0 and chances <= 0:
        return m
    kept, gained = [], []
    for rate in alternatives(q):
        h = lapse + chances * max(rate - q, 0.0)
        keep = 1.0 if h < 1e-12 else exp(-h) if h < 700 else 0.0
        kept.append(keep)
        gained.append(0.0 if h < 1e-12 else lapse / h * (1.0 - keep))
    return [value * kept[i % RATES] + gained[i % RATES] for i, value in enumerate(m)]


def hit(column: Array, row: int, time: float, n: float, mark: float, peers: float, excite: float = 0.1) -> float:
    """A hit at opportunity n, worth `mark` by itself and `peers` by what peers know; returns the score.

    `excite` is b: what each hit of the last hour adds to the chance of a hit, in null and alternative.
    """
    m, heat, then, before, q, hits, alpha, beta, n0, cap, since, seen, due, classes = column[row].item()
    lapse, chances = max(time - then, 0.0), max(n - before, 0.0)
    m = settled(list(m), lapse / MONTH, chances, q)
    heat = heat * exp(-lapse / HOUR) if heat else 0.0
    null = min(q + excite * heat, 0.98)
    rates = alternatives(q)
    out = []
    for i, value in enumerate(m):
        odds = max(min(rates[i % RATES] + excite * heat, 0.98), null) / null
        out.append(min(value * odds * (mark if i < RATES else mark * peers), SCORE_MAX))
    due += chances * q
    if max(m) < 1.0 / 30.0 or not seen:
        since, seen, due = time, 0.0, min(due, chances * q)
    column[row] = (out, heat + 1.0, time, n, q, hits, alpha, beta, n0, cap, since, seen + 1.0, due, classes)
    return float(sum(out)) / (2 * RATES)


def view(column: Array, row: int, time: float, n: float) -> float:
    """The score settled to `time` and n opportunities; nothing stored is changed."""
    e = column[row]
    q = float(e["q"])
    if q == 0.0:
        return 0.0
    m = settled(e["m"].tolist(), max(time - float(e["time"]), 0.0) / MONTH, max(n - float(e["n"]), 0.0), q)
    return sum(m) / (2 * RATES)


def settle(column: Array, rows: Rows, times: Array, n: Array, teaching: Array) -> Array:
    """`view` for many agents at once, stored; returns their scores. Rows without a reference score 0.

    Opportunities of agents that are not `teaching` do not count when the rate is learnt, as their hits do not: else
    suspicion would feed itself.
    """
    if not len(rows):
        return np.zeros(0)
    e = column[rows]
    e["n0"] += np.where(teaching, 0.0, np.maximum(n - e["n"], 0.0))
    q = e["q"]
    known = q > 0
    safe = np.where(known, q, 0.1)
    lapse = np.maximum(times - e["time"], 0.0)
    chances = np.maximum(n - e["n"], 0.0)
    low = np.minimum(safe, 0.3)
    top = np.maximum(0.5, np.minimum(0.95, 3 * low))
    root = np.sqrt(np.sqrt(top / low))
    rates = np.stack((low * root, low * root * root, low * root * root * root, top), axis=1)
    h = (lapse / MONTH)[:, None] + chances[:, None] * np.maximum(rates - safe[:, None], 0.0)
    still = (h < 1e-12) | ~known[:, None]
    keep = np.where(h < 700, exp(-np.minimum(h, 700.0)), 0.0)
    gain = (lapse / MONTH)[:, None] / np.where(still, 1.0, h) * (1.0 - keep)
    for half in (slice(0, RATES), slice(RATES, 2 * RATES)):
        m = e["m"][:, half]
        e["m"][:, half] = np.where(still, m, m * keep + gain)
    total = np.add.accumulate(e["m"], axis=1)[:, -1]
    e["heat"] = e["heat"] * exp(-np.minimum(lapse / HOUR, 700.0))
    e["due"] += chances * q
    e["time"], e["n"] = times, n
    column[rows] = e
    return np.where(known, total / (2 * RATES), 0.0)


def hold(column: Array, rows: Rows, times: Array, n: Array) -> None:
    """Time and opportunities pass that neither weigh nor teach: a contained agent's evidence stands as it is."""
    if not len(rows):
        return
    e = column[rows]
    e["n0"] += np.maximum(n - e["n"], 0.0)
    e["time"], e["n"] = times, n
    column[rows] = e


def freeze(column: Array, rows: Rows, times: Array, n: Array, hits: Array, counted: Array,
           prior: tuple[float, float]) -> None:
    """Take `hits` in `counted` opportunities as the reference; evidence starts from rest at these times."""
    e = column[rows]
    e["m"] = 0.0
    e["heat"] = 0.0
    e["time"], e["n"], e["n0"] = times, n, n
    e["hits"] = e["seen"] = e["due"] = 0.0
    e["since"] = times
    e["alpha"] = prior[0] + hits
    e["beta"] = prior[1] + np.maximum(counted - hits, 0.0)
    total = e["alpha"] + e["beta"]
    q = e["alpha"] / total
    e["cap"] = np.minimum(q + 3.1 * np.sqrt(q / total) + 2.0 / total, 0.9)
    e["q"] = np.minimum(q, e["cap"])
    column[rows] = e


def relearn(column: Array, rows: Rows) -> None:
    """Move q to what the reference and the learnt hits say, never past the bound; the rows must be settled."""
    if not len(rows):
        return
    e = column[rows]
    total = np.maximum(e["alpha"] + e["beta"], 1e-9)  # 0 without a reference
    q = (e["alpha"] + e["hits"]) / (total + np.maximum(e["n"] - e["n0"], 0.0))
    e["q"] = np.where(e["q"] > 0, np.minimum(np.maximum(q, 1e-9), e["cap"]), 0.0)
    column[rows] = e


def restart(column: Array, row: int, time: float, n: float) -> None:
    """Evidence back to rest: a person resolved what it said."""
    column["m"][row] = 0.0
    column["heat"][row] = column["seen"][row] = column["due"][row] = 0.0
    column["time"][row], column["n"][row], column["since"][row] = time, n, time
