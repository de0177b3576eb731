"""Growing of the forest: training rows in, a ``Forest`` out, with what trees say of weeks they have not seen."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.tree import DecisionTreeRegressor

from models.forecast_repair import Floats, Ints
from models.forecast_trees import Forest

__all__ = ["TREES", "Grown", "grow"]

TREES = 18
_SHARE = 0.63
_SEED = 20_261_122
_PARAMS: dict[str, Any] = {
    "max_features": 0.2,
    "min_samples_leaf": 15,
    "max_leaf_nodes": 128,
    "max_depth": 14,
}
_NORMAL_RANGE = 2.563


class Grown(NamedTuple):
    """A forest, and (n, outputs) middles and spreads by the trees that had not seen a row's week."""

    forest: Forest
    middle: Floats
    spread: Floats


def grow(x: Floats, ahead: Floats, week: Ints, trees: int = TREES) -> Grown:
    """A forest of trees, each of which sees 63 % of the weeks.

    Shapes:
        x: (n, features); ahead: (n, outputs); week: (n,).
    """
    random = np.random.default_rng(_SEED)
    weeks = np.unique(week)
    exact = x.astype(np.float32)
    guides = _guides(ahead)
    total, votes = np.zeros((len(x), 2, ahead.shape[1])), np.zeros(len(x))
    parts: list[tuple[Any, Floats]] = []
    for number in range(trees):
        inside = np.isin(week, random.choice(weeks, max(1, round(_SHARE * len(weeks))), replace=False))
        tree = DecisionTreeRegressor(random_state=_SEED + number, **_PARAMS).fit(
            exact[inside], guides[inside]
        )
        leaf = tree.apply(exact)
        table = _table(leaf[inside], ahead[inside], tree.tree_.node_count)
        total[~inside] += table[leaf[~inside]]
        votes[~inside] += 1
        parts.append((tree.tree_, table))
    forest = _joined(parts, ahead.shape[1])
    unseen = votes > 0
    total[unseen] /= votes[unseen, None, None]
    total[~unseen] = _table(np.zeros(len(x), dtype=np.int64), ahead, 1)[0]
    return Grown(forest, total[:, 0], total[:, 1])


def _guides(ahead: Floats) -> Floats:
    """What the trees are split by: a few of the outputs, each as important as the others; all would cost more."""
    last = ahead.shape[1] - 1
    columns = sorted({0, last // 3, 2 * last // 3, last})
    chosen = ahead[:, columns]
    found: Floats = chosen / np.maximum(np.abs(chosen).mean(axis=0), 1e-9)
    return found


def _table(leaf: Ints, ahead: Floats, count: int) -> Floats:
    """(nodes, 2, outputs) middles and spreads of the rows in each leaf."""
    table = np.zeros((count, 2, ahead.shape[1]))
    order = np.argsort(leaf, kind="stable")
    found, starts = np.unique(leaf[order], return_index=True)
    for node, rows in zip(found, np.split(ahead[order], starts[1:]), strict=True):
        ranked = np.sort(rows, axis=0)
        low, middle, high = (_quantile(ranked, share) for share in (0.1, 0.5, 0.9))
        table[node] = middle, (high - low) / _NORMAL_RANGE
    return np.round(table, 2).astype(np.float64)


def _quantile(ranked: Floats, share: float) -> Floats:
    """(outputs,) quantile of sorted rows, by linear interpolation; a call of numpy's own costs ten times as much."""
    place = share * (len(ranked) - 1)
    low = int(place)
    high = min(low + 1, len(ranked) - 1)
    found: Floats = ranked[low] + (ranked[high] - ranked[low]) * (place - low)
    return found


def _joined(parts: list[tuple[Any, Floats]], outputs: int) -> Forest:
    """Trees of scikit-learn as one set of lists."""
    roots: list[int] = []
    feature: list[int] = []
    threshold: list[float] = []
    left: list[int] = []
    right: list[int] = []
    tables: list[Floats] = []
    for tree, table in parts:
        base, filled = len(feature), sum(len(done) for done in tables)
        is_leaf = tree.children_left < 0
        slot = filled + np.cumsum(is_leaf) - 1
        roots.append(base)
        feature += np.where(is_leaf, -1, tree.feature).tolist()
        threshold += np.where(is_leaf, 0.0, tree.threshold).tolist()
        left += np.where(is_leaf, slot, tree.children_left + base).tolist()
        right += np.where(is_leaf, 0, tree.children_right + base).tolist()
        tables.append(table[is_leaf])
    flat = np.concatenate(tables).ravel().tolist()
    depth = max(int(tree.max_depth) for tree, _ in parts)
    return Forest(roots, feature, threshold, left, right, flat, outputs, depth)
