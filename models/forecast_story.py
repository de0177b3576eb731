"""The story of an evaluation: a recording in, what every model said at every reading, and what came, out.

Nothing is known before its time: models are fitted on what lies before (or on another recording), features hold what
was known then, the band's corrections learn from what had come.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.forecast import Batch, Forecast
from models.forecast_conformal import Conformal, follow
from models.forecast_features import HOUR_MS, Gauge, Rows, rows
from models.forecast_fit import (
    Learnt,
    Settings,
    changes_ahead,
    fit_learnt,
    learn,
    levels_in,
    thinned,
    times_of,
)
from models.forecast_repair import Floats, Ints, Levels
from pantau.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FIRST", "Question", "Rule", "Series", "Story", "ridge_of", "tell_story", "trend_of"]

Series = Mapping[str, "pd.Series[float]"]
"""Recordings by station, as ``simulators.series.read_series`` gives them."""

FIRST = 0.4
"""Share of a recording that is learnt from before the first forecast is scored."""
_REFIT_MS = 30 * 86_400_000
_PENALTY = 1e-3


class Rule(NamedTuple):
    """The operators' rule: the first gauge upstream at its lowest limit means that the water comes.

    Attributes:
        station: its name in the recording.
        limit_at: its limit at an instant; None when it has none then.
        travel_ms: the rule speaks for leads up to this; None: for every lead.
    """

    station: str
    limit_at: Callable[[int], float | None]
    travel_ms: int | None = None


class Question(NamedTuple):
    """What is asked of the models.

    Attributes:
        target, upstream: names in the recording.
        settings: limits (the first one counts), leads, horizon, budget.
        rule: None when the city does not know the gauge upstream, or its limits.
    """

    target: str
    upstream: tuple[str, ...]
    settings: Settings
    rule: Rule | None = None


class Story(NamedTuple):
    """n instants of issue, L leads.

    Attributes:
        issued: (n,) ms.
        now: (n,) repaired own level, NaN where there is none.
        truth: (n, 2L) level at each lead, highest level until each lead; NaN where unknown or an error.
        batch: what ``pantau`` said, bands corrected.
        ridge: (n, 2L) what ridge said, levels.
        trend: (n,) own change over the last three hours.
        upstream, rule_limit: (n,) level of the rule's gauge and its limit then, NaN where there is none.
        own: the gauge.
        stages: from which instant on which model was used, and what it had learnt from.
    """

    issued: Ints
    now: Floats
    truth: Floats
    batch: Batch
    ridge: Floats
    trend: Floats
    upstream: Floats
    rule_limit: Floats
    own: Levels
    stages: list[tuple[int, Learnt, Forecast]]

    def cuts(self, lead: int) -> Floats:
        """(n,) the cut on ``Batch.reach`` that was in force at each instant."""
        starts = np.array([start for start, *_ in self.stages])
        cuts = np.array([model.decisions[0].yes[lead] for *_, model in self.stages])
        found: Floats = cuts[np.maximum(np.searchsorted(starts, self.issued, side="right") - 1, 0)]
        return found


def tell_story(series: Series, question: Question, train: Series | None, *, rolling: bool) -> Story:
    """Play a recording through every model.

    Args:
        series: the recording that is scored.
        question: see there.
        train: learnt from before; None: the first 40 % of the recording, which are then not scored.
        rolling: fit again every 30 days on all that lies before.

    Raises:
        ConfigError: a station is not in the recording, or there is too little to learn from.
    """
    names = (question.target, *question.upstream)
    times, *_ = (times_of(thinned(series, name)) for name in names)
    pieces = []
    stages: list[tuple[int, Learnt, Forecast]] = []
    period = (int(times[0]), int(times[-1]))
    parts = _stages(times, train, rolling=rolling)
    past = _learnt_from(series, train, names, period, parts[0][0])
    _check(past, series, names)
    found = [levels_in(series, name, past) for name in names]
    for start, stop in parts:
        known = _learnt_from(series, train, names, period, start)
        learnt = learn(known, names[0], names[1:], question.settings)
        model = fit_learnt(learnt)
        at = times[(times >= start) & (times < stop)]
        pairs = list(zip(model.gauges, found, strict=True))
        made = rows(at, pairs[0], pairs[1:])
        ahead = changes_ahead(found[0], model.gauges[0], at, made.now, model.leads_ms)
        pieces.append(
            (model.of_rows(at, made), trend_of(made, model.gauges[0]), ahead, ridge_of(learnt, made))
        )
        stages.append((start, learnt, model))
    batch = Batch(*(np.concatenate(part) for part in zip(*(piece[0] for piece in pieces), strict=True)))
    trend, ahead, ridge = (np.concatenate([piece[which] for piece in pieces]) for which in (1, 2, 3))
    gauge = stages[0][2].gauges[0]
    low, high = follow(batch, found[0], Conformal.fresh(question.settings.leads_ms), gauge.cadence_ms // 2)
    now = batch.now[:, None]
    return Story(
        batch.at, batch.now, now + ahead, batch._replace(low=low, high=high), now + ridge, trend,
        *_rule(question.rule, batch.at, found, stages[0][2]), found[0], stages,
    )  # fmt: skip


def _stages(times: Ints, train: Series | None, *, rolling: bool) -> list[tuple[int, int]]:
    """Periods [start, stop) that are scored, each with a model of its own."""
    first, end = int(times[0]), int(times[-1]) + 1
    start = first if train is not None else first + round((end - first) * FIRST)
    if not rolling:
        return [(start, end)]
    return [(begin, min(begin + _REFIT_MS, end)) for begin in range(start, end, _REFIT_MS)]


def _learnt_from(
    series: Series, train: Series | None, names: tuple[str, ...], period: tuple[int, int], start: int
) -> Series:
    """What may be learnt from at ``start``: the training recordings outside the scored period, and what lies before.

    Args:
        period: first and last instant of the recording that is scored.
        start: before which its own readings may be learnt from.
    """
    import pandas as pd  # noqa: PLC0415 - only evaluations need it

    found = {}
    for name in names:
        parts = []
        if train is not None and name in train:
            index = train[name].index
            parts.append(train[name][(index < period[0]) | (index > period[1])])
        if name in series:
            parts.append(series[name][series[name].index < start])
        parts = [part for part in parts if len(part)]
        if parts:
            joined = pd.concat(parts).sort_index()
            joined.name = parts[0].name
            found[name] = joined[~joined.index.duplicated(keep="last")]
    return found


def _check(past: Series, series: Series, names: tuple[str, ...]) -> None:
    """Every station has something to learn from, in its own unit.

    Raises:
        ConfigError: one has not.
    """
    for name in names:
        if name not in past:
            raise ConfigError(
                f"station {name!r} has nothing to learn from: its readings to learn from (--train) are none, or lie "
                "within the period that is scored; give a recording of it from before or after"
            )
        if past[name].name != series[name].name:
            raise ConfigError(
                f"station {name!r} is in {past[name].name} where it is learnt from and in {series[name].name} where it "
                "is scored; give one unit a station"
            )


def trend_of(made: Rows, own: Gauge) -> Floats:
    """(n,) own change over the last three hours: the level is the first feature, changes since the lags follow."""
    found: Floats = made.x[:, own.lags_ms.index(3 * HOUR_MS)]
    return found


def ridge_of(learnt: Learnt, made: Rows) -> Floats:
    """(n, 2L) changes by ridge regression on the same features, the baseline."""
    usable = learnt.usable
    x, ahead = learnt.made.x[usable], learnt.ahead[usable]
    mean, deviation = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
    z = (x - mean) / deviation
    gram = z.T @ z + _PENALTY * len(z) * np.eye(z.shape[1])
    coefficients = np.linalg.solve(gram, z.T @ (ahead - ahead.mean(axis=0)))
    said: Floats = (made.x - mean) / deviation @ coefficients + ahead.mean(axis=0)
    return said


def _rule(rule: Rule | None, at: Ints, series: Sequence[Levels], model: Forecast) -> tuple[Floats, Floats]:
    """(n,) level of the rule's gauge and its limit then; NaN where there is none."""
    if rule is None:
        return np.full(len(at), np.nan), np.full(len(at), np.nan)
    which = 1 + model.upstream.index(rule.station)
    made = rows(at, (model.gauges[which], series[which]), [])
    limits = [rule.limit_at(instant) for instant in at.tolist()]
    return made.now, np.array([np.nan if limit is None else limit for limit in limits])
