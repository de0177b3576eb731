"""Reliability diagram: do things that are said to come with 30 % come in 30 of 100 cases?

Forecast probabilities are put into bins; each bin shows how often the level really was at or above the limit. Hours of
one flood are not independent, so that the usual interval of a share is too short: shares of whole weeks drawn again are
looked at too, and the wider interval is shown. Below stands how many forecasts a bin has.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.drawings.scored import read_scored
from app.drawings.sheet import COLOURS, INK, legend, sheet
from pantau.errors import ConfigError

__all__ = ["Bin", "Found", "bins_of", "brier", "draw", "wilson"]

_WEEK_MS = 7 * 86_400_000
_DRAWS = 1_000
_SEED = 20_260_101
_Z = 1.959964  # of a normal distribution, 95 %
_COLUMNS = {
    "model": "text",
    "issued_at": "time",
    "lead_h": "number",
    "probability": "number",
    "observed": "number",
    "limit": "number",
}


class Bin(NamedTuple):
    """One bin: how many cases, their mean probability, the share that came true and its 95 % interval."""

    cases: int
    said: float
    came: float
    low: float
    high: float


class Found(NamedTuple):
    """What stands in the picture: cases, how many came true, Brier score, and that of the base rate alone."""

    cases: int
    true: int
    score: float
    usual: float


def draw(
    forecasts: Path, out: Path, *, limit: float | None, lead: float | None, model: str, bins: int
) -> Found:
    """Draw ``out``.

    Args:
        forecasts: CSV of ``pantau evaluate forecast --out``.
        limit: level that was forecast; None: the file's, which has only one.
        lead: hours; None: all together.
        model: whose forecasts.
        bins: of equal width.
    """
    table = read_scored(forecasts, _COLUMNS, keep={"model": model})
    limit = _limit(forecasts, table["limit"], limit)
    table = table[table["limit"] == limit]
    if lead is not None:
        there = sorted(table["lead_h"].dropna().unique())
        table = table[table["lead_h"] == lead]
        if table.empty:
            raise ConfigError(
                f"{forecasts}: no lead_h is {lead:g}; there are {', '.join(f'{one:g}' for one in there)}"
            )
    known = table.dropna(subset=["probability", "observed"])
    outside = known[~known["probability"].between(0, 1)]
    if len(outside):
        line, text = outside.index[0], outside["probability"].iloc[0]
        raise ConfigError(f"{forecasts}:{line}: probability is {text:g}, expected 0 to 1")
    if known.empty:
        raise ConfigError(
            f"{forecasts}: {model} has no row with both probability and observed; nothing to draw"
        )
    said = known["probability"].to_numpy(dtype="float64")
    came = known["observed"].to_numpy(dtype="float64") >= limit
    found = bins_of(said, came, known["issued_at"].to_numpy(dtype="int64") // _WEEK_MS, bins)
    score, usual = brier(said, came), brier(np.full(len(came), came.mean()), came)
    _draw(out, _title(model, limit, lead, known["issued_at"], score, usual), found, float(came.mean()), bins)
    return Found(len(known), int(came.sum()), score, usual)


def _limit(forecasts: Path, limits: "pd.Series[float]", limit: float | None) -> float:
    """The limit that is asked for, or the only one there is.

    Raises:
        ConfigError: the probabilities were made for another, or for several.
    """
    known = sorted(limits.dropna().unique())
    words = ", ".join(f"{one:g}" for one in known) or "none"
    if limit is None:
        if len(known) != 1:
            raise ConfigError(f"{forecasts}: its limits are {words}; name one with --limit")
        return float(known[0])
    if limit not in known:
        raise ConfigError(
            f"{forecasts}: its probabilities were made for a limit of {words}, --limit is {limit:g}; give that limit, "
            f"or forecasts that were made for {limit:g}"
        )
    return limit


def bins_of(
    said: NDArray[np.float64], came: NDArray[np.bool_], weeks: NDArray[np.int64], bins: int
) -> list[Bin]:
    """Bins of equal width that have cases, rising; a probability of 1 is in the last.

    The interval is the wider, on each side, of Wilson's and the 2.5 and 97.5 % of shares after drawing whole weeks with
    replacement 1,000 times (fixed seed).

    Shapes:
        said: (n,) 0..1. came, weeks: (n,).
    """
    place = np.minimum((said * bins).astype("int64"), bins - 1)
    _, week = np.unique(weeks, return_inverse=True)
    count = int(week.max()) + 1
    drawn = np.random.default_rng(_SEED).multinomial(count, np.full(count, 1 / count), size=_DRAWS)
    found = []
    for one in range(bins):
        inside = place == one
        cases = int(inside.sum())
        if not cases:
            continue
        true = int(came[inside].sum())
        low, high = wilson(true, cases)
        of_week = drawn @ np.bincount(week[inside], minlength=count)
        true_of_week = drawn @ np.bincount(week[inside & came], minlength=count)
        shares = true_of_week[of_week > 0] / of_week[of_week > 0]
        low, high = min(low, float(np.quantile(shares, 0.025))), max(high, float(np.quantile(shares, 0.975)))
        found.append(Bin(cases, float(said[inside].mean()), true / cases, low, high))
    return found


def wilson(true: int, cases: int) -> tuple[float, float]:
    """95 % interval of a share.

    Source:
        E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).
    """
    share, square = true / cases, _Z * _Z
    middle = (share + square / (2 * cases)) / (1 + square / cases)
    half = _Z / (1 + square / cases) * (share * (1 - share) / cases + square / (4 * cases * cases)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def brier(said: NDArray[np.float64], came: NDArray[np.bool_]) -> float:
    """Mean square of probability minus outcome: 0 is perfect.

    Source:
        G. W. Brier, Verification of forecasts expressed in terms of probability, Mon. Weather Rev. 78 (1950).
    """
    return float(np.mean((said - came) ** 2))


def _title(
    model: str, limit: float, lead: float | None, issued: "pd.Series[int]", score: float, usual: float
) -> str:
    first, last = (pd.Timestamp(int(one), unit="ms") for one in (issued.min(), issued.max()))
    return (
        f"{model}: level at or above {limit:g} cm, {'all leads' if lead is None else f'{lead:g} h ahead'}, "
        f"issued {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC\n"
        f"{len(issued)} forecasts; Brier score {score:.4f}, of the base rate alone {usual:.4f}"
    )


def _draw(out: Path, title: str, found: list[Bin], base: float, bins: int) -> None:
    with sheet(out, title=title, heights=(4.0, 1.2)) as (above, below):
        above.plot(
            [0, 1], [0, 1], color="#777777", linewidth=0.9, linestyle="dashed", label="perfectly reliable"
        )
        above.axhline(
            base, color=COLOURS[4], linewidth=0.9, linestyle="dotted", label=f"base rate {base:.3f}"
        )
        said, came = [one.said for one in found], [one.came for one in found]
        bars = [
            [max(0.0, one.came - one.low) for one in found],
            [max(0.0, one.high - one.came) for one in found],
        ]
        above.errorbar(
            said, came, yerr=bars, color=COLOURS[0], marker="o", markersize=4, linewidth=1.2, capsize=3,
            label="share that came true, 95 %",
        )  # fmt: skip
        above.set_ylabel("share at or above the limit (0 to 1)")
        above.set_ylim(-0.02, 1.02)
        legend(above)
        centres = [(min(int(one.said * bins), bins - 1) + 0.5) / bins for one in found]
        below.bar(centres, [one.cases for one in found], width=0.9 / bins, color=INK, alpha=0.6)
        for centre, one in zip(centres, found, strict=True):
            below.annotate(f"{one.cases}", (centre, one.cases), ha="center", va="bottom", fontsize="x-small")
        below.set_yscale("log")
        below.set_ylim(0.5, max(one.cases for one in found) * 6)
        below.set_ylabel("forecasts")
        below.set_xlabel("forecast probability (0 to 1)")
        for axes in (above, below):
            axes.set_xlim(-0.02, 1.02)
