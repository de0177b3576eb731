"""Training: the readings of one kind in, an artifact out; the same readings always give the same version.

The first four fifths of each station's readings are learnt from, the last fifth only tells how often the result would
have spoken on days it has not seen.
"""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version as version_of
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest

from models import features
from models.artifact import Artifact, Card
from models.scale import QUANTILES, Scale
from pantau.errors import ConfigError

__all__ = ["HELD_BACK", "PARAMS", "series_of", "train"]

HELD_BACK = 0.2
PARAMS: dict[str, Any] = {"n_estimators": 100, "max_samples": 512, "random_state": 20_261_101}
LEAST_ROWS = 500
"""Fewer rows say nothing about one reading in a thousand."""


def series_of(times: list[int], values: list[float]) -> "pd.Series[float]":
    """One sensor's history: index ms since 1970 UTC, rising; of several values for an instant the last one stays."""
    series = pd.Series(values, index=pd.Index(times, dtype="int64"), dtype="float64")
    return series[~series.index.duplicated(keep="last")].sort_index()


def train(
    kind: str, history: Mapping[str, "pd.Series[float]"], params: Mapping[str, Any] = PARAMS
) -> Artifact:
    """Learn what is ordinary for a kind.

    Args:
        kind: its name.
        history: per station (or ``station/sensor``) a series of ``series_of``.
        params: of ``IsolationForest``.

    Raises:
        ConfigError: too few readings.
    """
    parts = [_split(series) for _, series in sorted(history.items())]
    learnt = np.concatenate([part for part, _ in parts]) if parts else np.empty((0, len(features.NAMES)))
    if len(learnt) < LEAST_ROWS:
        raise ConfigError(
            f"kind {kind!r}: {len(learnt)} readings with {features.WINDOW - 1} before them to learn from, expected at "
            f"least {LEAST_ROWS}; give a longer recording"
        )
    unseen = np.concatenate([part for _, part in parts])
    model = IsolationForest(**params).fit(learnt)
    raw = -model.score_samples(learnt)
    quantiles = {str(q): float(np.quantile(raw, q)) for q in QUANTILES}
    metrics = {"rows_learnt": float(len(learnt)), "rows_held_back": float(len(unseen))}
    if len(unseen):
        scores = Scale(quantiles).of(-model.score_samples(unseen))
        metrics["share_above_half"] = float(np.mean(scores >= 0.5))
        metrics["share_at_one"] = float(np.mean(scores >= 1.0))
    return Artifact(_card(kind, history, dict(params), quantiles, metrics), model)


def _split(series: "pd.Series[float]") -> tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]:
    steps = np.diff(series.index.to_numpy(dtype="int64"))
    cadence = int(np.median(steps)) if len(steps) else 0
    rows = features.frame(series, features.GAP_CADENCES * cadence).to_numpy()
    cut = len(rows) - round(len(rows) * HELD_BACK)
    return rows[:cut], rows[cut:]


def _card(
    kind: str,
    history: Mapping[str, "pd.Series[float]"],
    params: dict[str, Any],
    quantiles: dict[str, float],
    metrics: dict[str, float],
) -> Card:
    digest = hashlib.sha256()
    for station, series in sorted(history.items()):
        digest.update(f"{station}:{len(series)}\n".encode())
        digest.update(series.index.to_numpy(dtype="<i8").tobytes())
        digest.update(series.to_numpy(dtype="<f8").tobytes())
    data = digest.hexdigest()
    recipe = json.dumps([kind, data, features.NAMES, features.WINDOW, HELD_BACK, params], sort_keys=True)
    filled = [series for series in history.values() if len(series)]
    return Card(
        version=hashlib.sha256(recipe.encode()).hexdigest()[:12],
        kind=kind,
        estimator=IsolationForest.__name__,
        features=features.NAMES,
        data=data,
        start=min(int(series.index[0]) for series in filled),
        end=max(int(series.index[-1]) for series in filled),
        stations={station: len(series) for station, series in sorted(history.items())},
        params=params,
        quantiles=quantiles,
        metrics=metrics,
        libraries={name: version_of(name) for name in ("numpy", "pandas", "scikit-learn", "skops")},
    )
