"""How soon drift of a sensor is seen, and how often it is seen for nothing: readings in, figures out.

The baseline is learnt on the first part of each series, as training does; the rest is watched day by day, as the
service does. What is told of the untouched rest counts as false, real changes of the place included. Faults are put on
copies of the rest from its sixtieth day on, when the watch has long known what is usual.
"""

from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import pandas as pd

from models.baseline import DAY_MS, Baseline, Days, baseline_of

__all__ = ["FAULTS", "figures", "told"]

LEARN = 0.6
FROM_DAY = 60
WIDTHS = 0.75
"""Widths outside of training at which the detector opens its alert."""
_ENDS = 0.8

Fault = Callable[[float, float], float]
"""(value, width of the values in training) -> wrong value."""

FAULTS: dict[str, Fault] = {
    "none": lambda value, _: value,
    "zero_quarter_width": lambda value, width: value + width / 4,
    "zero_half_width": lambda value, width: value + width / 2,
    "zero_one_width": lambda value, width: value + width,
    "scale_x1.5": lambda value, _: 1.5 * value,
    "scale_x2": lambda value, _: 2 * value,
    "unit_x10": lambda value, _: 10 * value,
    "unit_x0.1": lambda value, _: value / 10,
}
"""A shifted zero is told in widths: what the values of training span from their 1st to their 99th percentile."""


def told(known: Baseline, watched: "pd.Series[float]") -> tuple[list[int], int]:
    """Instants at which drift begins to be told, and how many days were judged."""
    days, judged, starts, on = Days(), 0, [], False
    for at, value in zip(watched.index.tolist(), watched.tolist(), strict=True):
        if not days.add(at, value) or not days.ready:
            continue
        judged += 1
        outside = known.strangeness(days)[0]
        if outside >= WIDTHS and not on:
            starts.append(at)
        on = outside >= (WIDTHS * _ENDS if on else WIDTHS)
    return starts, judged


def figures(found: "Mapping[str, pd.Series[float]]") -> list[dict[str, Any]]:
    """One row a fault: sensors, years watched, alerts a year, part found, median delay in days.

    Sensors with too short a history to learn from or to watch are left out.
    """
    parts: list[tuple[Baseline, pd.Series[float]]] = []
    for series in found.values():
        cut = int(len(series) * LEARN)
        known = baseline_of(zip(series.index[:cut].tolist(), series[:cut].tolist(), strict=True))
        rest = series[cut:]
        if known is not None and len(rest) and rest.index[-1] - rest.index[0] > 2 * FROM_DAY * DAY_MS:
            parts.append((known, rest))
    return [_row(name, fault, parts) for name, fault in FAULTS.items()]


def _row(name: str, fault: Fault, parts: "list[tuple[Baseline, pd.Series[float]]]") -> dict[str, Any]:
    alerts, judged, delays = 0, 0, []
    for known, rest in parts:
        since = int(rest.index[0]) + FROM_DAY * DAY_MS
        values = [
            fault(value, known.width) if at >= since else value
            for at, value in zip(rest.index.tolist(), rest.tolist(), strict=True)
        ]
        wrong = pd.Series(values, index=rest.index)
        starts, days = told(known, wrong)
        alerts, judged = alerts + len(starts), judged + days
        delays += [(at - since) / DAY_MS for at in starts if at >= since][:1]
    years = judged / 365
    clean = name == "none"
    return {
        "fault": name,
        "sensors": len(parts),
        "years": round(years, 1),
        "alerts_per_year": alerts / years if years and clean else None,
        "found": None if clean or not parts else len(delays) / len(parts),
        "median_delay_days": median(delays) if delays and not clean else None,
    }
