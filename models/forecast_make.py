"""Making of a core: training rows in, a ``Core`` out, and what its parts say of weeks they have not learnt from."""

import numpy as np
from msgspec.structs import replace

from models.forecast_core import LEVELS, Answer, Core, Linear
from models.forecast_features import Gauge
from models.forecast_grow import TREES, grow
from models.forecast_repair import Floats, Ints

__all__ = ["make_core"]

_FOLDS = 10
_PENALTY = 3e-3
_ROUNDS = 3
_STATES = (0.9, 0.98)
_QUIET = 0.3
_LONE_TREES = 8


def make_core(x: Floats, ahead: Floats, week: Ints, gauges: tuple[Gauge, ...]) -> tuple[Core, Answer]:
    """A core, and its answer for every row by parts that had not seen the row's week.

    Shapes:
        x: (n, width) features; ahead: (n, 2L) changes, then largest changes; week: (n,) what is kept or left as one.
    """
    leads = ahead.shape[1] // 2
    level, usual = ahead[:, :leads], np.maximum(np.abs(x / np.maximum(x.std(axis=0), 1e-6)).max(axis=1), 0.5)
    median, linear = _linear(x, level, week, _median_weights(x, level))
    average, mean = _linear(x, ahead, week, np.sqrt(usual))
    grown = grow(x, level, week, TREES if len(gauges) > 1 else _LONE_TREES)
    largest = np.abs(linear).max(axis=1)
    starts = np.cumsum([0, *(gauge.width for gauge in gauges)])[:-1].tolist()
    lively = largest > np.quantile(largest, _STATES[0])
    lively |= not lively.any()  # a gauge that never moved
    core = Core(
        width=x.shape[1],
        median=median,
        average=average,
        forest=grown.forest,
        weights=[],
        states=(float(np.quantile(largest, _STATES[0])), float(np.quantile(largest, _STATES[1]))),
        heights=starts,
        tops=[float(x[:, start].max()) for start in starts],
        units=[max(float(x[:, start].std()), 1e-6) for start in starts],
        largest=np.maximum(np.abs(x).max(axis=0), 1e-6).tolist(),
        floor=[max(1e-3, float(0.25 * np.quantile(np.abs(part), 0.8))) for part in level.T],
        typical=np.maximum(np.abs(ahead - mean)[lively].mean(axis=0), 1e-3).tolist(),
        band=[],
        chance=[],
    )
    core = replace(core, weights=_weights(core, level, linear, grown.middle).ravel().tolist())
    unseen = core.blend(x, linear, mean, (grown.middle, grown.spread))
    core = replace(
        core,
        band=np.quantile((level - unseen.middle) / unseen.scale, LEVELS, axis=0).T.ravel().tolist(),
        chance=np.quantile((ahead - unseen.mean) / unseen.spread, LEVELS, axis=0).T.ravel().tolist(),
    )
    return core, unseen


def _weights(core: Core, level: Floats, linear: Floats, remembered: Floats) -> Floats:
    """(3, L) shares of the linear median with the least absolute error, by state.

    On weeks not learnt from only a third of the trees can be asked, so the forest looks worse than it is; in quiet
    hours, which decide about little, the linear share is cut down for that.
    """
    state = np.searchsorted(np.array(core.states), np.abs(linear).max(axis=1), side="right")
    shares = np.linspace(0.0, 1.0, 6)
    weights = np.zeros((3, level.shape[1]))
    for which in range(3):
        rows = state == which
        if rows.any():
            off, apart = level[rows] - remembered[rows], linear[rows] - remembered[rows]
            losses = [np.abs(off - share * apart).mean(axis=0) for share in shares]
            weights[which] = shares[np.argmin(losses, axis=0)]
    weights[0] *= _QUIET
    return weights


def _median_weights(x: Floats, level: Floats) -> Floats:
    """(n,) weights with which least squares come near to least absolute errors: the inverse of a row's mean error."""
    z = np.hstack([(x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-6), np.ones((len(x), 1))])
    weights: Floats = np.ones(len(z))
    for _ in range(_ROUNDS):
        off: Floats = np.abs(level - z @ _solved(*_sums(z, level, weights), weights.sum())).mean(axis=1)
        weights = 1.0 / np.maximum(off, max(float(np.median(off)) / 2, 1e-6)).astype(np.float64)
        weights = np.asarray(weights / weights.mean(), dtype=np.float64)
    return weights


def _linear(x: Floats, ahead: Floats, week: Ints, weights: Floats) -> tuple[Linear, Floats]:
    """A linear model, and what it says of each row when fitted without a tenth of the weeks, the row's among them.

    The sums that least squares need are made by tenth, so that leaving one out costs one more solution only.
    """
    mean, deviation = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
    z = np.hstack([(x - mean) / deviation, np.ones((len(x), 1))])
    fold, said = week % _FOLDS, np.empty_like(ahead)
    parts = {
        part: _sums(z[fold == part], ahead[fold == part], weights[fold == part]) for part in np.unique(fold)
    }
    gram, moment = (np.sum([sums[which] for sums in parts.values()], axis=0) for which in (0, 1))
    for part, (part_gram, part_moment) in parts.items():
        out = fold == part
        said[out] = z[out] @ _solved(gram - part_gram, moment - part_moment, weights[~out].sum())
    coefficients = _solved(gram, moment, weights.sum())
    return Linear(mean.tolist(), deviation.tolist(), coefficients.ravel().tolist()), said


def _sums(z: Floats, ahead: Floats, weights: Floats) -> tuple[Floats, Floats]:
    weighted = z * weights[:, None]
    return weighted.T @ z, weighted.T @ ahead


def _solved(gram: Floats, moment: Floats, weight: float) -> Floats:
    penalty = np.full(len(gram), _PENALTY * max(weight, 1.0))
    penalty[-1] = 1e-9
    return np.asarray(np.linalg.solve(gram + np.diag(penalty), moment), dtype=np.float64)
