"""A river that a test can understand: floods upstream arrive three hours later downstream, a little lower."""

from pathlib import Path

import numpy as np
import pandas as pd

__all__ = ["HOUR", "LAG", "hours", "past_and_later", "river", "write"]

HOUR = 3_600_000
LAG = 3
START = 1_700_006_400_000


def hours(count: int, step_ms: int = HOUR) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Instants, ms."""
    return START + np.arange(count, dtype=np.int64) * step_ms


def river(
    days: int = 200, seed: int = 1, step_ms: int = HOUR, highest: float = 300.0
) -> "dict[str, pd.Series[float]]":
    """``up`` and ``down`` with a flood about every eighth day, levels in cm."""
    random = np.random.default_rng(seed)
    per_hour = HOUR // step_ms
    count = days * 24 * per_hour
    rain = np.zeros(count)
    for begin in random.choice(count, days // 8, replace=False):
        rain[begin : begin + 3 * per_hour] += random.uniform(0.1, 1.0) * highest / (3 * per_hour)
    up = np.zeros(count)
    for index in range(1, count):
        up[index] = up[index - 1] * (1 - 0.15 / per_hour) + rain[index]
    lag = LAG * per_hour
    down = np.concatenate([np.zeros(lag), 0.8 * up[:-lag]])
    times = pd.Index(hours(count, step_ms))
    return {
        "up": pd.Series(np.round(50 + up + random.normal(0, 1, count)), index=times, name="cm"),
        "down": pd.Series(np.round(400 + down + random.normal(0, 1, count)), index=times, name="cm"),
    }


def write(path: Path, series: "dict[str, pd.Series[float]]") -> Path:
    """The series as a recording."""
    frames = []
    for name, one in series.items():
        frame = one.rename("value").rename_axis("time").reset_index()
        frame["time"] = pd.to_datetime(frame["time"], unit="ms", utc=True).dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        frames.append(frame.assign(station=name, unit=str(one.name)))
    pd.concat(frames).to_csv(path, index=False)
    return path


def past_and_later(folder: Path, days: int) -> tuple[Path, Path]:
    """Two recordings of one river: its first 200 days, and the rest of so many."""
    series = river(days)
    past = {name: one.iloc[: 200 * 24] for name, one in series.items()}
    later = {name: one.iloc[200 * 24 :] for name, one in series.items()}
    return write(folder / "past.csv", past), write(folder / "later.csv", later)
