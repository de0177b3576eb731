"""An isolation forest asked as a stream asks: few rows in, scikit-learn's scores out, in a hundredth of its time.

``IsolationForest.score_samples`` goes through its trees one after the other, each with checks of its own: milliseconds
a call, however few rows it is given. Here all trees are one table, and all rows take a step down in all trees together.
The sums are made in scikit-learn's order, so that the scores are the same to the last bit; a forest for which they are
not (another release of the library) is asked by itself.
"""

from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest

from models.families import Estimator
from models.forecast_repair import Bools, Ints

__all__ = ["quick"]

_PROBES = 32
_MANY = 500
"""From so many rows on scikit-learn's own way is the quicker one."""
_LEAF = -2
"""How scikit-learn's trees mark one, in ``feature``."""


def quick(model: Estimator, width: int) -> Estimator:
    """The same forest, quicker; the model itself where that cannot be had.

    Args:
        width: number of features.
    """
    forest: Any = model
    if not isinstance(forest, IsolationForest):
        return model
    try:
        made = _Table(forest)
        probes = made.probes(width)
        same = np.array_equal(made.score_samples(probes), model.score_samples(probes))
        same &= np.array_equal(made.score_samples(probes[:1]), model.score_samples(probes[:1]))
    except (ImportError, AttributeError, TypeError, ValueError, IndexError):  # it looks different inside
        return model
    return made if same else model


class _Table:
    """All trees in flat arrays, the two children of a node side by side, so that one step down is one sum.

    A leaf is its own left child and no value lies beyond its threshold, so that who has arrived stays.
    """

    def __init__(self, model: IsolationForest) -> None:
        self._model = model
        trees = [estimator.tree_ for estimator in model.estimators_]
        first = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
        leaf = np.concatenate([tree.feature == _LEAF for tree in trees])
        left, right = (
            np.concatenate([getattr(tree, side) + at for tree, at in zip(trees, first, strict=True)])
            for side in ("children_left", "children_right")
        )
        order = _side_by_side(first, left, right, leaf)
        place = np.empty(len(order), dtype=np.intp)
        place[order] = np.arange(len(order))
        leaf = leaf[order]
        self._roots = place[first]
        self._feature = np.where(leaf, 0, np.concatenate([tree.feature for tree in trees])[order]).astype(
            np.intp
        )
        self._edges = np.concatenate([tree.threshold for tree in trees])[order]
        self._threshold = np.where(leaf, np.inf, self._edges)
        self._left = np.where(leaf, np.arange(len(order)), place[np.where(leaf, 0, left[order])])
        # Path to each node, and what a leaf with several samples stands for, as scikit-learn adds them up.
        lengths: Any = zip(model._decision_path_lengths, model._average_path_length_per_tree, strict=True)  # noqa: SLF001 - checked by ``quick``
        self._length = np.concatenate([path + more - 1.0 for path, more in lengths])[order]
        self._depth = max(tree.max_depth for tree in trees)
        self._most = len(trees) * _ordinary(model)

    def score_samples(self, rows: Any, /) -> "np.ndarray[Any, Any]":
        """(n,) how ordinary each of (n, width) rows is: the lower, the stranger."""
        if len(rows) > _MANY:
            there: np.ndarray[Any, Any] = self._model.score_samples(rows)
            return there
        x = np.array(rows, dtype=np.float32)
        values = x.ravel()
        start = (np.arange(len(x), dtype=np.intp) * x.shape[1])[:, None]
        node = self._roots
        for _ in range(self._depth):
            feature = self._feature[node]
            value = values[start + feature if len(x) > 1 else feature]
            node = self._left[node] + (value > self._threshold[node])
        node = node.reshape(len(x), -1)
        depths = np.add.accumulate(self._length[node], axis=1)[:, -1]
        scores: np.ndarray[Any, Any] = -(2 ** (-np.divide(depths, self._most)))
        return scores

    def probes(self, width: int) -> "np.ndarray[Any, Any]":
        """Rows on both sides of the forest's own thresholds."""
        edges = np.sort(self._edges[self._edges != _LEAF])
        rng = np.random.default_rng(1)
        beside = rng.choice([-1e-3, 0.0, 1e-3], (_PROBES, width))
        rows: np.ndarray[Any, Any] = rng.choice(edges, (_PROBES, width)) + beside
        return rows


def _side_by_side(first: Ints, left: Ints, right: Ints, leaf: Bools) -> Ints:
    """Nodes in an order in which every right child follows its left one: level by level, all trees together."""
    order, level = [first], first
    while len(level):
        inner = level[~leaf[level]]
        level = np.stack([left[inner], right[inner]], axis=1).ravel()
        order.append(level)
    return np.concatenate(order)


def _ordinary(model: IsolationForest) -> float:
    """Mean path in a tree of so many samples, as scikit-learn has it."""
    from sklearn.ensemble._iforest import _average_path_length  # noqa: PLC0415 - private: where it is not, ``quick`` says so

    return float(_average_path_length([model._max_samples])[0])  # noqa: SLF001 - checked by ``quick``
