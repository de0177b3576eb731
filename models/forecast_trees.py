"""A forest as plain arrays: rows of features in, for every output the middle and the spread of similar days out.

Each tree sorts a row into a leaf; the leaf holds the median of the changes that followed such rows and
their 80 % range over that of a normal distribution. The forest's answer is the mean over its trees. One structure
serves all leads. Arrays instead of pickled estimators: they are read and written as JSON and give the same numbers on
every machine.
"""

import msgspec
import numpy as np

from models.forecast_repair import Floats, Ints

__all__ = ["Forest", "Grove", "Walk"]


class Forest(msgspec.Struct, frozen=True):
    """Trees one after the other in flat lists.

    Attributes:
        roots: node where each tree begins.
        feature, threshold, left, right: of each node; a row goes left when its feature is at most the threshold. A
            leaf has feature -1, and ``left`` is its row in ``tables``.
        tables: (leaves x 2 x outputs), flat: middles, spreads.
        outputs: number of them.
        depth: longest way from a root to a leaf.
    """

    roots: list[int]
    feature: list[int]
    threshold: list[float]
    left: list[int]
    right: list[int]
    tables: list[float]
    outputs: int
    depth: int


class Grove:
    """A forest ready to use: its lists as arrays."""

    def __init__(self, forest: Forest) -> None:
        self._forest = forest
        self._roots = np.array(forest.roots, dtype=np.int64)
        self._feature = np.array(forest.feature, dtype=np.int64)
        self._threshold = np.array(forest.threshold, dtype=np.float64)
        self._left = np.array(forest.left, dtype=np.int64)
        self._right = np.array(forest.right, dtype=np.int64)
        self._tables = np.array(forest.tables, dtype=np.float64).reshape(-1, 2, forest.outputs)
        self._depth = forest.depth

    def leaves(self, x: Floats) -> Ints:
        """(n, trees) row of ``tables`` that each tree sorts each row of features into."""
        exact = x.astype(np.float32)  # as scikit-learn saw them when it chose the thresholds
        row = np.arange(len(x))[:, None]
        node = np.broadcast_to(self._roots, (len(x), len(self._roots))).copy()
        for _ in range(self._depth):
            feature = self._feature[node]
            goes_left = exact[row, np.maximum(feature, 0)] <= self._threshold[node]
            step = np.where(goes_left, self._left[node], self._right[node])
            node = np.where(feature < 0, node, step)
        found: Ints = self._left[node]
        return found

    def answer(self, x: Floats) -> tuple[Floats, Floats]:
        """(n, outputs) middles and spreads."""
        leaves = self.leaves(x)
        total = np.zeros((len(x), *self._tables.shape[1:]))
        for tree in range(leaves.shape[1]):
            total += self._tables[leaves[:, tree]]
        total /= leaves.shape[1]
        return total[:, 0], total[:, 1]


class Walk:
    """A forest for one row at a time.

    Every node of every tree is asked at once where the row would go on from it, which is two calls; then all trees take
    their steps down together. Walking one tree after the other waits for the memory at each step.
    """

    def __init__(self, forest: Forest) -> None:
        own = np.arange(len(forest.feature))
        feature, left, right = (
            np.array(part, dtype=np.intp) for part in (forest.feature, forest.left, forest.right)
        )
        is_leaf = feature < 0
        self._roots = np.array(forest.roots, dtype=np.intp)
        self._feature = np.where(is_leaf, 0, feature)
        self._threshold = np.array(forest.threshold, dtype=np.float64)
        self._left, self._right = np.where(is_leaf, own, left), np.where(is_leaf, own, right)
        self._leaf = left
        self._depth = forest.depth
        self._tables = np.array(forest.tables, dtype=np.float64).reshape(-1, 2 * forest.outputs)
        self._outputs = forest.outputs

    def answer(self, x: Floats) -> tuple[list[float], list[float]]:
        """Middles and spreads of one row of features, each as long as there are outputs."""
        exact = x.astype(np.float32)  # as scikit-learn saw them when it chose the thresholds
        onward = np.where(exact.take(self._feature) <= self._threshold, self._left, self._right)
        node = self._roots
        for _ in range(self._depth):
            node = onward[node]
        found = self._tables[self._leaf[node]]
        total: list[float] = (np.add.reduce(found, axis=0) / len(node)).tolist()
        return total[: self._outputs], total[self._outputs :]
