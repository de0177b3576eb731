"""The level of one gauge with its limits, and forecasts as they were issued, with their bands."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from app.drawings.scored import instant, read_scored
from app.drawings.sheet import COLOURS, DASHES, INK, hours_and_days, instants, legend, sheet, traced
from pantau.errors import ConfigError
from simulators.series import read_series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["chosen_issues", "draw"]

_HOUR_MS = 3_600_000
_BEFORE_MS, _AFTER_MS = 24 * _HOUR_MS, 12 * _HOUR_MS  # of the level, around the forecasts
_BEFORE_THE_PEAK_H = (9, 6, 3)
_MOST_IN_TITLE = 3
_COLUMNS = {
    "model": "text",
    "issued_at": "time",
    "target_at": "time",
    "value_now": "number",
    "q05": "number",
    "q50": "number",
    "q95": "number",
}


def draw(
    file: Path, forecasts: Path, out: Path, *, target: str, at: Sequence[str], limits: str, model: str
) -> int:
    """Draw ``out``; returns how many forecasts are in it.

    Args:
        file: recording, time,station,value,unit.
        forecasts: CSV of ``pantau evaluate forecast --out``.
        target: station of the recording.
        at: issue times, RFC 3339; without any those of ``chosen_issues``.
        limits: such as ``750,850``, in the recording's unit.
        model: whose forecasts.
    """
    series = read_series(file)
    if target not in series:
        raise ConfigError(f"{file}: has no station {target!r}; there are {', '.join(map(repr, series))}")
    level = series[target]
    table = read_scored(forecasts, _COLUMNS, keep={"model": model})
    _check_place(table, series, target, where=str(forecasts))
    asked = [instant(text, where="--at") for text in at]
    issues = chosen_issues(level, table["issued_at"], asked, where=str(forecasts))
    parts = [table[table["issued_at"] == issue].sort_values("target_at") for issue in issues]
    last = max(int(part["target_at"].max()) for part in parts)
    around = level.loc[issues[0] - _BEFORE_MS : last + _AFTER_MS]
    if around.empty:
        raise ConfigError(
            f"{file}: no level of {target!r} between {_iso(issues[0])} and {_iso(last)}, when {forecasts} was issued; "
            "give the recording that was forecast"
        )
    title = f"{target}: level and forecasts by {model}\nissued {_in_words(issues)}"
    with sheet(out, title=title, heights=(3.6,)) as (axes,):
        _draw_level(axes, around)
        _draw_limits(axes, _numbers(limits), str(level.name))
        for n, part in enumerate(parts):
            _draw_forecast(axes, part, n)
        hours_and_days(axes)
        axes.set_xlabel("time (UTC)")
        axes.set_ylabel(f"level ({level.name})")
        legend(axes)
    return len(issues)


def _check_place(
    table: pd.DataFrame, series: "dict[str, pd.Series[float]]", target: str, *, where: str
) -> None:
    """Refuse forecasts of another station: what was known when they were issued (``value_now``) is its level.

    Raises:
        ConfigError: another station of the recording fits them clearly better.
    """
    off = {name: _off(table, level) for name, level in series.items()}
    best = min(off, key=lambda name: off[name])
    if best != target and off[best] < off[target] / 2:
        raise ConfigError(
            f"{where}: value_now is the level of {best!r} (half of its values within {off[best]:.1f}), not of "
            f"{target!r} ({off[target]:.1f} apart); give --target {best!r}, or the forecasts of {target!r}"
        )


def _off(table: pd.DataFrame, level: "pd.Series[float]") -> float:
    """Median distance of ``value_now`` from the newest level at each issue time; infinite where there is none."""
    places = level.index.searchsorted(table["issued_at"].to_numpy(dtype="int64"), side="right") - 1
    known = places >= 0
    apart = np.abs(level.to_numpy()[places[known]] - table["value_now"].to_numpy()[known])
    apart = apart[~np.isnan(apart)]
    return float(np.median(apart)) if len(apart) else float("inf")


def chosen_issues(
    level: "pd.Series[float]", issued: "pd.Series[int]", asked: list[int], *, where: str
) -> list[int]:
    """Issue times to draw, rising.

    Args:
        level: index ms.
        issued: issue times there are, ms.
        asked: those that were asked for; without any, the last at or before 9, 6 and 3 h before the highest level of
            the period (the highest median of three, so that no typing error is taken for a flood).
        where: named in errors.

    Raises:
        ConfigError: one that was asked for is not there; the nearest are named.
    """
    there = np.unique(issued.to_numpy(dtype="int64"))
    for instant_ms in asked:
        place = int(np.searchsorted(there, instant_ms))
        if place == len(there) or there[place] != instant_ms:
            near = " and ".join(_iso(int(one)) for one in there[max(0, place - 1) : place + 1])
            raise ConfigError(f"{where}: no forecast was issued at {_iso(instant_ms)} (--at); nearest {near}")
    if asked:
        return sorted(set(asked))
    within = level.loc[there[0] : there[-1]].rolling(3, center=True, min_periods=1).median()
    peak = int(within.index.to_numpy()[within.to_numpy().argmax()]) if len(within) else int(there[-1])
    places = [
        int(np.searchsorted(there, peak - hours * _HOUR_MS, side="right")) - 1 for hours in _BEFORE_THE_PEAK_H
    ]
    return sorted({int(there[max(0, place)]) for place in places})


def _draw_level(axes: "Axes", level: "pd.Series[float]") -> None:
    times, values = traced(level.index.to_numpy(dtype="int64"), np.asarray(level, dtype="float64"))
    axes.plot(times, values, color=INK, linewidth=1.2, label="measured")


def _draw_limits(axes: "Axes", limits: list[float], unit: str) -> None:
    for limit in limits:
        axes.axhline(limit, color="#777777", linewidth=0.9, linestyle=(0, (1, 2)))
        axes.annotate(
            f"limit {limit:g} {unit}", (1.0, limit), xycoords=("axes fraction", "data"), ha="right", va="bottom",
            fontsize="x-small", color="#555555",
        )  # fmt: skip


def _draw_forecast(axes: "Axes", part: pd.DataFrame, n: int) -> None:
    """From the value known when it was issued to the last lead; the ``n``-th forecast in the picture."""
    issued, now = int(part["issued_at"].iloc[0]), float(part["value_now"].iloc[0])
    times = instants([issued, *part["target_at"]])
    low, middle, high = ([now, *part[name]] for name in ("q05", "q50", "q95"))
    colour, dashes = COLOURS[n % len(COLOURS)], DASHES[n % len(DASHES)]
    if part[["q05", "q95"]].notna().to_numpy().any():
        label = None if n else "5 to 95 %"
        axes.fill_between(times, low, high, color=colour, alpha=0.18, linewidth=0, label=label)
    axes.plot(
        times, middle, color=colour, linestyle=dashes, marker="o", markersize=3, linewidth=1.4,
        label=f"issued {_short(issued)}",
    )  # fmt: skip


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise ConfigError(f"--limits {text!r}: expected numbers such as 750,850,950") from None


def _in_words(issues: list[int]) -> str:
    told = [_short(issue) for issue in issues]
    return f"{', '.join(told)} UTC" if len(told) <= _MOST_IN_TITLE else f"{told[0]} to {told[-1]} UTC"


def _short(ms: int) -> str:
    return f"{pd.Timestamp(ms, unit='ms'):%Y-%m-%d %H:%M}"


def _iso(ms: int) -> str:
    return f"{pd.Timestamp(ms, unit='ms'):%Y-%m-%dT%H:%M:%SZ}"
