"""The tide at a gauge: its past in, the part of the level that sun and moon explain out, for any instant.

A harmonic fit: five constituents with known periods, amplitude and phase by least squares. What the river does is
taken off before by the mean over the day past (two high waters), so the fit needs no knowledge of the future and a
flood spoils little. Only a gauge where it explains something should use it.

Source:
    Periods: Schureman, Manual of Harmonic Analysis and Prediction of Tides (1958), in degrees an hour.
"""

import msgspec
import numpy as np

from models.forecast_repair import Floats, Ints

__all__ = ["SPEEDS", "Tide", "fit_tide"]

SPEEDS = {"M2": 28.9841042, "S2": 30.0, "N2": 28.4397295, "K1": 15.0410686, "O1": 13.9430356}
"""Constituents, degrees an hour."""
DAY_MS = 89_428_392
"""Two tidal half days of M2."""
_LEAST_DAYS = 15
_HOUR_MS = 3_600_000


class Tide(msgspec.Struct, frozen=True):
    """A fitted tide.

    Attributes:
        cosines, sines: of each constituent in ``SPEEDS``, in the gauge's unit, phases from 1970 UTC.
        explained: share of the variance within a day that it explains in the period of the fit, 0..1.
    """

    cosines: tuple[float, ...]
    sines: tuple[float, ...]
    explained: float

    def at(self, instants: Ints) -> Floats:
        """Height above the mean of the day, for instants in ms since 1970 UTC; any shape."""
        angles = _angles(np.asarray(instants, dtype=np.int64))
        found: Floats = np.cos(angles) @ np.array(self.cosines) + np.sin(angles) @ np.array(self.sines)
        return found

    def amplitude(self, name: str) -> float:
        """Half the range of one constituent."""
        which = list(SPEEDS).index(name)
        return float(np.hypot(self.cosines[which], self.sines[which]))


def fit_tide(times: Ints, values: Floats) -> Tide | None:
    """The tide of a series.

    Args:
        times: ms, rising.
        values: without errors, in the gauge's unit.

    Returns:
        None for less than fifteen days, within which M2 and S2 cannot be told apart.
    """
    if len(times) < 100 or times[-1] - times[0] < _LEAST_DAYS * 86_400_000:
        return None
    total = np.concatenate([[0.0], np.cumsum(values)])
    first = np.searchsorted(times, times - DAY_MS, side="right")
    last = np.arange(1, len(times) + 1)
    whole = times - times[0] >= DAY_MS
    off = (values - (total[last] - total[first]) / (last - first))[whole]
    angles = _angles(times[whole])
    waves = np.hstack([np.cos(angles), np.sin(angles)])
    # A flood stands far off the daily mean; what is beyond four usual deviations is cut to that.
    most = 4.0 * 1.4826 * float(np.median(np.abs(off)))
    calm = np.clip(off, -most, most) if most > 0 else off
    gram = waves.T @ waves + 1e-6 * len(waves) * np.eye(waves.shape[1])
    found = np.linalg.solve(gram, waves.T @ calm)
    around = float(calm.var())
    explained = 1.0 - float((calm - waves @ found).var()) / around if around > 0 else 0.0
    count = len(SPEEDS)
    return Tide(tuple(found[:count].tolist()), tuple(found[count:].tolist()), max(0.0, explained))


def _angles(instants: Ints) -> Floats:
    """(..., constituents) phases in radians, without their whole turns."""
    hours = instants[..., None] / _HOUR_MS
    turns: Floats = hours * np.array(list(SPEEDS.values())) / 360.0
    return (turns - np.floor(turns)) * 2.0 * np.pi
