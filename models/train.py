"""Training: readings in, a model with its card out; the same readings always give the same version.

The first four fifths of each station's readings are learnt from, the last fifth only tells how the result would have
done on days it has not seen.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest

from models import features
from models.artifact import Shelf
from models.baseline import Baseline, baseline_of
from models.card import Card
from models.cardtext import card_text
from models.drift import Slow
from models.families import opened, packed
from models.scale import QUANTILES, Scale
from pantau.errors import ConfigError

__all__ = [
    "HELD_BACK",
    "PARAMS",
    "History",
    "Trained",
    "baselines",
    "digest_of",
    "keep",
    "series_of",
    "train",
    "version",
]

History = Mapping[str, "pd.Series[float]"]
"""Per station (or ``station/sensor``) a series of ``series_of``."""
HELD_BACK = 0.2
PARAMS: dict[str, Any] = {"n_estimators": 100, "max_samples": 512, "random_state": 20_261_101}
LEAST_ROWS = 500
"""Fewer rows say nothing about one reading in a thousand."""
LIMITS = (
    "It is no better than the rules on labelled series, so it runs in shadow: its scores are shown and open no alert.",
    "It cannot tell a high value from a far higher one once both lie beyond what it has seen.",
    "A period of floods or faults teaches that these are ordinary.",
)


class Trained(msgspec.Struct, frozen=True):
    """A model with its card, not yet kept.

    Attributes:
        body: bytes of the model's file.
    """

    card: Card
    model: Any
    body: bytes


def keep(made: Trained, folder: Path) -> Shelf:
    """Put a model on its shelf below ``folder`` (``PANTAU_DATA/models``); nothing is promoted."""
    shelf = Shelf(folder, made.card.family, made.card.name)
    shelf.save(made.card, made.body, card_text(made.card), opened)
    return shelf


def series_of(times: Sequence[int], values: Sequence[float]) -> "pd.Series[float]":
    """One sensor's history: index ms since 1970 UTC, rising; of several values for an instant the last one stays."""
    series = pd.Series(list(values), index=pd.Index(list(times), dtype="int64"), dtype="float64")
    return series[~series.index.duplicated(keep="last")].sort_index()


def train(kind: str, history: History, params: Mapping[str, Any] = PARAMS, *, source: str = "") -> Trained:
    """Learn what is ordinary for a kind: a forest.

    Args:
        kind: its name.
        params: of ``IsolationForest``.
        source: where the readings came from, in words.

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
    metrics: dict[str, float] = {
        "rows_learnt": float(len(learnt)), "rows_held_back": float(len(unseen))
    }  # fmt: skip
    if len(unseen):
        scores = Scale(quantiles).of(-model.score_samples(unseen))
        metrics["share_above_half"] = float(np.mean(scores >= 0.5))
        metrics["share_at_one"] = float(np.mean(scores >= 1.0))
    card = _card(kind, history, dict(params), quantiles, metrics, source)
    shares = _shares(model, Scale(quantiles), history)
    return Trained(msgspec.structs.replace(card, shares=shares), model, packed(model))


def digest_of(history: History) -> str:
    """SHA-256 of readings: names, instants and values."""
    digest = hashlib.sha256()
    for station, series in sorted(history.items()):
        digest.update(f"{station}:{len(series)}\n".encode())
        digest.update(series.index.to_numpy(dtype="<i8").tobytes())
        digest.update(series.to_numpy(dtype="<f8").tobytes())
    return digest.hexdigest()


def version(*recipe: Any) -> str:
    """Twelve hexadecimal digits that stand for everything a training depends on."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:12]


def baselines(history: History) -> dict[str, Baseline]:
    """What each sensor's readings were like, for the watch on drift; sensors with a short history are left out."""
    found = {
        station: baseline_of(zip(series.index.tolist(), series.tolist(), strict=True))
        for station, series in sorted(history.items())
    }
    return {station: baseline for station, baseline in found.items() if baseline is not None}


def _shares(model: IsolationForest, scale: Scale, history: History) -> dict[str, float]:
    """Per sensor the highest share of strange readings that two weeks had."""
    found = {}
    for station, series in sorted(history.items()):
        rows = _rows(series)
        if len(rows):
            slow, highest = Slow(), 0.0
            strange = scale.of(-model.score_samples(rows.to_numpy())) >= 0.5
            for at, one in zip(rows.index.tolist(), strange.tolist(), strict=True):
                slow.add(at, float(one))
                highest = max(highest, slow.mean) if slow.ready else highest
            found[station] = highest
    return found


def _rows(series: "pd.Series[float]") -> pd.DataFrame:
    steps = np.diff(series.index.to_numpy(dtype="int64"))
    cadence = int(np.median(steps)) if len(steps) else 0
    return features.frame(series, features.GAP_CADENCES * cadence)


def _split(series: "pd.Series[float]") -> tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]:
    rows = _rows(series).to_numpy()
    cut = len(rows) - round(len(rows) * HELD_BACK)
    return rows[:cut], rows[cut:]


def _card(
    kind: str,
    history: History,
    params: dict[str, Any],
    quantiles: dict[str, float],
    metrics: dict[str, float],
    source: str,
) -> Card:
    data = digest_of(history)
    filled = [series for series in history.values() if len(series)]
    return Card(
        version=version(kind, data, features.NAMES, features.WINDOW, HELD_BACK, params),
        family="forest",
        name=kind,
        kind=kind,
        estimator=IsolationForest.__name__,
        features=features.NAMES,
        data=data,
        source=source,
        start=min(int(series.index[0]) for series in filled),
        end=max(int(series.index[-1]) for series in filled),
        stations={station: len(series) for station, series in sorted(history.items())},
        params=params,
        quantiles=quantiles,
        metrics=metrics,
        baselines={"share_above_half": 0.01, "share_at_one": 0.001},
        limits=LIMITS,
        inputs=baselines(history),
        libraries={name: version_of(name) for name in ("numpy", "pandas", "scikit-learn", "skops")},
        format="skops",
    )
