"""The quick forest gives scikit-learn's scores to the last bit, or it is not used."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from models import features
from models.detectors.forest import Forest
from models.isolation import quick
from tests.detector_bench import forest_data

WIDTH = 4


def learnt(trees: int = 40, samples: int = 128) -> IsolationForest:
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(600, WIDTH)) * np.array([1, 10, 100, 0.1])
    rows[:, 1] = np.round(rows[:, 1])  # as a gauge that is read by eye: many values are the same
    model: IsolationForest = IsolationForest(n_estimators=trees, max_samples=samples, random_state=7)
    return model.fit(rows)


MODEL = learnt()
QUICK = quick(MODEL, WIDTH)


@pytest.mark.parametrize("count", [1, 2, 7, 400, 600])
def test_scores_are_those_of_scikit_learn_to_the_last_bit(count: int) -> None:
    rows = np.random.default_rng(count).normal(size=(count, WIDTH)) * 20
    assert QUICK is not MODEL
    assert np.array_equal(QUICK.score_samples(rows), MODEL.score_samples(rows))
    lists = [tuple(row) for row in rows.tolist()]
    assert np.array_equal(QUICK.score_samples(lists), MODEL.score_samples(rows))


@given(st.lists(st.floats(-1e9, 1e9), min_size=WIDTH, max_size=WIDTH))
def test_any_row_has_the_score_of_scikit_learn(row: list[float]) -> None:
    assert QUICK.score_samples([row])[0] == MODEL.score_samples([row])[0]


def test_a_value_on_a_threshold_goes_the_same_way() -> None:
    model = learnt(trees=5)
    for estimator in model.estimators_:
        edges = estimator.tree_.threshold
        edges[:] = edges.astype(
            np.float32
        )  # a row is looked at in this precision, so that it can lie on them
    rows = [[float(edge)] * WIDTH for edge in model.estimators_[0].tree_.threshold[:100]]
    table = quick(model, WIDTH)
    assert table is not model
    assert np.array_equal(table.score_samples(rows), model.score_samples(rows))


def test_a_forest_with_other_scores_is_asked_itself() -> None:
    def apart(self: Any, rows: Any) -> Any:
        return IsolationForest.score_samples(self, rows) - 1e-12

    strange = type("Strange", (IsolationForest,), {"score_samples": apart})
    other = strange(n_estimators=5, random_state=1).fit(np.random.default_rng(1).normal(size=(50, WIDTH)))
    assert quick(other, WIDTH) is other


def test_a_forest_that_looks_different_inside_is_asked_itself() -> None:
    model = learnt(trees=5)
    del model._decision_path_lengths
    assert quick(model, WIDTH) is model


def test_what_is_no_such_forest_is_asked_itself() -> None:
    class Strange:
        def score_samples(self, rows: Any, /) -> Any:
            return rows

    strange = Strange()
    assert quick(strange, WIDTH) is strange


def test_the_detector_asks_the_quick_one() -> None:
    forest = Forest()
    forest.configure(forest_data())
    assert {type(live.model).__module__ for live in forest._live.values()} == {quick.__module__}
    row = [[0.0] * len(features.NAMES)]
    assert all(-1 <= live.model.score_samples(row)[0] <= 0 for live in forest._live.values())
