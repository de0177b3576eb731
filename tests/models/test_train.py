"""Training: deterministic, honest about what it has not seen."""

import numpy as np
import pandas as pd
import pytest

from models.train import LEAST_ROWS, series_of, train
from pantau.errors import ConfigError
from tests.detector_bench import MIN, T0, tide
from tests.recordings import series

SMALL = {"n_estimators": 10, "max_samples": 64, "random_state": 1}


def _history(days: float = 6, seed: int = 1) -> dict[str, "pd.Series[float]"]:
    return {"uji-1": series_of(*map(list, zip(*tide(days, seed=seed), strict=True)))}


def test_the_same_readings_give_the_same_version_and_the_same_scores() -> None:
    first, second = (train("water_level", _history(), SMALL) for _ in range(2))
    assert first.card == second.card
    rows = np.random.default_rng(2).normal(size=(50, 8))
    assert (first.model.score_samples(rows) == second.model.score_samples(rows)).all()


def test_other_readings_parameters_or_kinds_give_another_version() -> None:
    cards = [
        train("water_level", _history(), SMALL).card,
        train("water_level", _history(seed=2), SMALL).card,
        train("water_level", _history(), {**SMALL, "n_estimators": 11}).card,
        train("rain", _history(), SMALL).card,
    ]
    assert len({card.version for card in cards}) == 4


def test_the_card_says_what_was_learnt_from() -> None:
    card = train("water_level", _history(), SMALL).card
    assert card.stations == {"uji-1": 864}
    assert (card.start, card.end) == (T0, T0 + 863 * 10 * MIN)
    assert card.metrics["rows_learnt"] + card.metrics["rows_held_back"] == 852
    assert 0 <= card.metrics["share_above_half"] <= 0.1
    assert card.quantiles["0.9"] < card.quantiles["0.99"] <= card.quantiles["0.999"]
    assert card.libraries.keys() == {"numpy", "pandas", "scikit-learn", "skops"}


def test_what_is_held_back_is_not_learnt() -> None:
    """A changed last fifth changes the metrics, not the quantiles."""
    times, values = map(list, zip(*tide(6), strict=True))
    late = [value + (500.0 if index > 800 else 0.0) for index, value in enumerate(values)]
    calm, wild = (
        train("water_level", {"uji-1": series_of(times, found)}, SMALL).card for found in (values, late)
    )
    assert calm.quantiles == wild.quantiles
    assert calm.metrics != wild.metrics


def test_too_few_readings_are_an_error_that_says_how_many() -> None:
    with pytest.raises(ConfigError, match=rf"kind 'rain': 10\d readings .* at least {LEAST_ROWS}"):
        train("rain", _history(1), SMALL)
    with pytest.raises(ConfigError, match="0 readings"):
        train("rain", {}, SMALL)


def test_a_repeated_instant_counts_once_with_its_last_value() -> None:
    assert series_of([5, 3, 5], [1.0, 2.0, 3.0]).to_dict() == {3: 2.0, 5: 3.0}


def test_a_real_river_gives_an_artifact_that_seldom_speaks_on_later_days() -> None:
    found = series("water_ciliwung/ciliwung_2021-10_2024-05.csv")
    history = {name: series_of(*map(list, zip(*values, strict=True))) for name, values in found.items()}
    card = train("water_level", history).card
    assert card.metrics["rows_learnt"] > 50_000
    assert card.metrics["share_above_half"] < 0.03
    assert card.metrics["share_at_one"] < 0.005
