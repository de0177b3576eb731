"""A scale: raw scores of a trained model in, 0..1 out, by how rare such a score was in training."""

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["QUANTILES", "Scale"]

QUANTILES = (0.9, 0.99, 0.999)
"""Where the score is 0, 0.5 and 1: nine readings of ten are 0, one in a hundred reaches 0.5, one in a thousand 1."""


class Scale:
    """Piecewise linear between the quantiles of a card.

    Args:
        quantiles: raw score at each of ``QUANTILES``, under their text.

    Raises:
        KeyError: one is missing.
    """

    def __init__(self, quantiles: Mapping[str, float]) -> None:
        rising = [quantiles[str(q)] for q in QUANTILES]
        # A constant history has one raw score; what differs from it must still come out above it.
        self._raw = [
            rising[0],
            max(rising[1], rising[0] + 1e-9),
            max(rising[2], rising[0] + 2e-9, rising[1] + 1e-9),
        ]

    def of(self, raw: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """Scores 0..1, as long as ``raw``."""
        scores: np.ndarray[Any, Any] = np.interp(raw, self._raw, [0.0, 0.5, 1.0])
        return scores
