"""Training of a forecast: series of a gauge and of those upstream in, a ``Forecast`` out; always the same one.

Errors, decisions and metrics come from weeks that were not learnt from: every tree sees 63 % of the weeks, and the
linear model is solved once more without each tenth of them, which costs little because its sums are kept by week.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.forecast import Forecast
from models.forecast_decide import Unseen, decide
from models.forecast_features import HOUR_MS, Gauge, Rows, gauge_of, rows
from models.forecast_make import make_core
from models.forecast_repair import JUMP_CM, Bools, Floats, Ints, Levels, levels
from pantau.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LEADS_MS",
    "LEAST_ROWS",
    "Learnt",
    "Settings",
    "changes_ahead",
    "fit",
    "fit_learnt",
    "jump_of",
    "learn",
    "levels_in",
    "thinned",
    "times_of",
]

LEADS_MS = tuple(hour * HOUR_MS for hour in range(1, 10))
LEAST_ROWS = 500
"""Fewer instants teach nothing that carries over to other weeks."""
_MOST_ROWS = 26_000
_DAY_MS = 86_400_000
_BLOCKS = 20


class Settings(NamedTuple):
    """What a model is made for.

    Attributes:
        limits: levels whose crossing is of interest, in the gauge's unit.
        leads_ms: how far ahead.
        horizon_ms: until when a crossing raises a forecast alert; the last lead by default.
        budget: false forecast alerts in 30 days allowed.
    """

    limits: tuple[float, ...]
    leads_ms: tuple[int, ...] = LEADS_MS
    horizon_ms: int = 0
    budget: float = 1.0


def fit(
    series: "Mapping[str, pd.Series[float]]", target: str, upstream: Sequence[str], settings: Settings
) -> Forecast:
    """Learn what follows what.

    Args:
        series: by station, as ``simulators.series.read_series`` gives them: index ms since 1970 UTC, name = unit.
        target: the gauge.
        upstream: gauges that see the water before, the one that decides first.
        settings: limits, leads, budget.

    Raises:
        ConfigError: a station is not in ``series``, or there are too few readings.
    """
    return fit_learnt(learn(series, target, upstream, settings))


class Learnt(NamedTuple):
    """What is learnt from.

    Attributes:
        names: target first.
        gauges: in the same order.
        settings: what for.
        issued: (n,) instants.
        made: their features.
        ahead: (n, 2 x leads) what came, see ``changes_ahead``.
        usable: (n,) whether nothing is missing.
    """

    names: tuple[str, ...]
    gauges: tuple[Gauge, ...]
    settings: Settings
    issued: Ints
    made: Rows
    ahead: Floats
    usable: Bools


def learn(
    series: "Mapping[str, pd.Series[float]]", target: str, upstream: Sequence[str], settings: Settings
) -> Learnt:
    """The rows that ``fit`` learns from.

    Raises:
        ConfigError: see ``fit``.
    """
    names = (target, *upstream)
    found = [levels_in(series, name) for name in names]
    gauges = tuple(
        gauge_of(one, jump_of(series[name]), () if place else settings.leads_ms)
        for place, (one, name) in enumerate(zip(found, names, strict=True))
    )
    at = found[0].times
    at = at[:: max(1, -(-len(at) // _MOST_ROWS))]
    made = rows(at, (gauges[0], found[0]), list(zip(gauges[1:], found[1:], strict=True)))
    ahead = changes_ahead(found[0], gauges[0], at, made.now, settings.leads_ms)
    usable: Bools = np.logical_not(np.isnan(ahead).any(axis=1) | made.missing.any(axis=1))
    if usable.sum() < LEAST_ROWS:
        raise ConfigError(
            f"station {target!r}: {int(usable.sum())} readings with {settings.leads_ms[-1] / HOUR_MS:g} h after "
            f"them and all of {', '.join(map(repr, names))} at hand, expected at least {LEAST_ROWS}; give a longer "
            "recording"
        )
    return Learnt(names, gauges, settings, at, made, ahead, usable)


def fit_learnt(learnt: Learnt) -> Forecast:
    """The model of ``fit``, from rows made before."""
    names, gauges, settings = learnt.names, learnt.gauges, learnt.settings
    issued, usable = learnt.issued, learnt.usable
    at = issued[usable]
    x, ahead, week = learnt.made.x[usable], learnt.ahead[usable], at // _block_ms(at)
    whole, unseen = make_core(x, ahead, week, gauges)
    alone = whole
    if len(gauges) > 1:
        alone, _ = make_core(x[:, : gauges[0].width], ahead, week, gauges[:1])
    bare = Forecast(
        target=names[0],
        upstream=names[1:],
        limits=tuple(sorted(settings.limits)),
        leads_ms=settings.leads_ms,
        gauges=gauges,
        cores=(whole, alone),
        rise=float(np.quantile(unseen.middle.max(axis=1), 0.8)),
        decisions=(),
        metrics={},
        start=int(at[0]),
        end=int(at[-1]),
        readings=len(at),
    )
    whole_rows = learnt.made
    made = Rows(
        whole_rows.x[usable], whole_rows.now[usable], whole_rows.missing[usable], whole_rows.held[usable]
    )
    said = Unseen(bare.of_answers(at, made, unseen), made.now[:, None] + ahead)
    return decide(bare, said, settings.horizon_ms or settings.leads_ms[-1], settings.budget)


def _block_ms(at: Ints) -> int:
    """What is kept or left out as one: a week, or a twentieth of a short recording, a day at least."""
    return min(max((int(at[-1]) - int(at[0])) // _BLOCKS, _DAY_MS), 7 * _DAY_MS)


def levels_in(
    series: "Mapping[str, pd.Series[float]]", name: str, past: "Mapping[str, pd.Series[float]] | None" = None
) -> Levels:
    """A station's series with its errors marked, and no closer than live memory keeps it.

    Args:
        past: what tells which jumps are rare; by default the series itself, which then must have passed.
    """
    kept = thinned(series, name)
    values = kept.to_numpy(dtype="float64").astype(np.float64)
    return levels(times_of(kept), values, jump_of((past or series)[name]))


def thinned(series: "Mapping[str, pd.Series[float]]", name: str) -> "pd.Series[float]":
    """A station's readings, no closer than live memory keeps them.

    Raises:
        ConfigError: it is not in the recording.
    """
    if name not in series:
        raise ConfigError(
            f"station {name!r} is not in the recording; it has {', '.join(map(repr, sorted(series)))}"
        )
    return series[name].iloc[_thinned(times_of(series[name]))]


def times_of(one: "pd.Series[float]") -> Ints:
    """(n,) ms since 1970 UTC."""
    return one.index.to_numpy(dtype="int64")


def jump_of(one: "pd.Series[float]") -> float:
    """Smallest step that may be an error: known for water levels; for anything else a step that is rare."""
    if one.name == "cm":
        return JUMP_CM
    steps = np.abs(np.diff(one.to_numpy(dtype="float64")))
    return float(np.quantile(steps, 0.999)) * 2 if len(steps) else float("inf")


def _thinned(times: Ints) -> Ints:
    """Indices of readings at least five minutes apart, as ``Recent`` keeps them."""
    if len(times) < 2 or np.diff(times).min() >= 300_000:
        return np.arange(len(times))
    kept, last = [], -(10**18)
    for index, at in enumerate(times.tolist()):
        if at - last >= 300_000:
            kept.append(index)
            last = at
    return np.array(kept, dtype=np.int64)


def changes_ahead(series: Levels, gauge: Gauge, at: Ints, now: Floats, leads_ms: Sequence[int]) -> Floats:
    """What came: (n, 2 x leads), the change until each lead, then the largest change on the way; NaN where unknown.

    A reading that was an error is no truth; the one at a lead may be off by half an interval.
    """
    good = series.after == 0
    times, values = series.times, series.level
    times, values = times[good], values[good]
    slack = gauge.cadence_ms // 2
    out = np.full((len(at), 2 * len(leads_ms)), np.nan)
    first = np.searchsorted(times, at, side="right")
    highest, reached = np.full(len(at), -np.inf), first
    for lead, ahead in enumerate(leads_ms):
        last = np.searchsorted(times, at + ahead, side="right")
        highest = np.maximum(highest, _highest(values, reached, last))
        reached = last
        near = np.clip(last, 1, len(times) - 1)
        near = np.where(
            np.abs(times[near] - at - ahead) < np.abs(times[near - 1] - at - ahead), near, near - 1
        )
        there = np.abs(times[near] - at - ahead) <= slack
        out[:, lead] = np.where(there, values[near] - now, np.nan)
        out[:, len(leads_ms) + lead] = np.where(
            there, np.maximum(np.maximum(highest, values[near]) - now, out[:, lead]), np.nan
        )
    return out


def _highest(values: Floats, start: Ints, stop: Ints) -> Floats:
    """Highest of ``values[start:stop]`` for each pair; -inf where there is none."""
    longest = int((stop - start).max(initial=0))
    found = np.full(len(start), -np.inf)
    for step in range(longest):
        index = start + step
        inside = index < stop
        found[inside] = np.maximum(found[inside], values[index[inside]])
    return found
