"""How NAB's score carries over: each folder is scored at the threshold that suits all the others best.

Sibling series lie in one folder, so a threshold never comes from a series' own family. What was chosen by looking at
the files (a model's form and weights) is not held out by this; only the threshold is.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from models.evaluations.nab import Marked, Profile, best, points

__all__ = ["HeldOut", "held_out"]

_DRAWS = 2_000
_SEED = 1


class HeldOut(NamedTuple):
    """Normalised score with held-out thresholds, and its 95 % interval over drawings of the files."""

    score: float
    low: float
    high: float


def held_out(files: Mapping[str, Marked], profile: Profile) -> HeldOut:
    """Score of all files together, each folder at the others' threshold.

    Args:
        files: by path below ``data``; what stands before the last slash is the folder.
        profile: what counts.

    Returns:
        NaN where no window is labelled.

    Raises:
        ValueError: there is only one folder.
    """
    folders = sorted({_folder(name) for name in files})
    if len(folders) < 2:
        raise ValueError("all files lie in one folder; a threshold needs other folders to come from")
    rows = []
    for folder in folders:
        others = [file for name, file in sorted(files.items()) if _folder(name) != folder]
        threshold = best(others, profile).threshold
        rows += [
            points(file, profile, threshold)
            for name, file in sorted(files.items())
            if _folder(name) == folder
        ]
    table = np.array(rows)
    drawn = np.random.default_rng(_SEED).integers(0, len(table), (_DRAWS, len(table)))
    sums = table[drawn].sum(axis=1)
    scores = 100.0 * sums[:, 0] / np.where(sums[:, 1] > 0, sums[:, 1], np.nan)
    got, span = table.sum(axis=0)
    if not span:
        return HeldOut(float("nan"), float("nan"), float("nan"))
    low, high = np.nanpercentile(scores, [2.5, 97.5])
    return HeldOut(100.0 * got / span, float(low), float(high))


def _folder(name: str) -> str:
    return name.rpartition("/")[0]
