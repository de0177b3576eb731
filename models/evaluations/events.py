"""Evaluation of warnings: recordings of a gauge and of those upstream in, warned floods and false alarms out.

The models are fitted again every 30 days on all that lies before, and the cut at which an alarm opens is chosen on
that past alone, so that it would have kept the budget of false alarms there. A flood is an upward crossing of the
limit; those within 12 h of high water are one.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.forecast_decide import MERGE_MS, Alarms, Warned, choose_cut, warned
from models.forecast_fit import Learnt
from models.forecast_repair import Floats
from models.forecast_story import Question, Series, Story, ridge_of, tell_story, trend_of
from models.verify import events, is_active, poisson_interval, wilson_interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MODELS", "OUT_COLUMNS", "evaluate"]

MODELS = ("own_trend", "upstream_rule", "ridge", "pantau")
OUT_COLUMNS = ("model", "at", "value_now", "signal", "cut", "active", "flood")
_CANDIDATES = np.linspace(0.9, 0.9995, 60)
_TREND_H = 3.0


class _Signal(NamedTuple):
    """(n,) what an alarm looks at, and where it opened and closed then."""

    value: Floats
    opens: Floats
    closes: Floats


def evaluate(
    series: Series, question: Question, train: Series | None = None
) -> tuple[list[dict[str, Any]], "pd.DataFrame"]:
    """Judge the alarms of every model.

    Args:
        series: the recording that is scored, by rolling origin.
        question: its settings' horizon and budget count; leads end at the horizon.
        train: learnt from as well; None: the first 40 % of the recording are not scored.

    Returns:
        Rows with the keys of the command, and every signal (``OUT_COLUMNS``).

    Raises:
        ConfigError: see ``tell_story``.
    """
    import pandas as pd  # noqa: PLC0415 - only evaluations need it

    story = tell_story(series, question, train, rolling=True)
    limit, horizon = question.settings.limits[0], question.settings.leads_ms[-1]
    times, levels, start = story.own.times, story.own.level, int(story.issued[0])
    good = (story.own.after == 0) & (times >= start)
    crossings = events(times[good], levels[good], limit, MERGE_MS)
    above = (story.now >= limit) & ~np.isin(story.issued, times[story.own.after != 0])  # an error is no flood
    begins = np.isin(story.issued, crossings).astype(np.int64)
    table, frames = [], []
    for name in MODELS:
        signal = _signal(name, story, question)
        active = np.zeros(len(above), dtype=np.bool_)
        known = not np.isnan(signal.value).all()
        if known:
            active = is_active(signal.value, signal.opens, signal.closes)
        counts = warned(Alarms(story.issued, active, above, crossings, horizon))
        table.append(_row(name, counts, known=known))
        on = active.astype(np.int64)
        columns = (name, story.issued, story.now, signal.value, signal.opens, on, begins)
        frames.append(pd.DataFrame(dict(zip(OUT_COLUMNS, columns, strict=True))))
    return table, pd.concat(frames, ignore_index=True)


def _signal(name: str, story: Story, question: Question) -> _Signal:
    leads = len(question.settings.leads_ms)
    if name == "upstream_rule":
        return _Signal(story.upstream, story.rule_limit, story.rule_limit)
    stage = np.maximum(
        np.searchsorted([start for start, *_ in story.stages], story.issued, side="right") - 1, 0
    )
    if name == "pantau":
        decisions = [model.decisions[0] for _, _, model in story.stages]
        opens, closes = (np.array([getattr(one, edge) for one in decisions]) for edge in ("open", "close"))
        return _Signal(story.batch.within[:, leads - 1, 0], opens[stage], closes[stage])
    if name == "own_trend":
        value = _trend(story.now, story.trend, question)
    else:
        value = np.maximum(story.ridge[:, -1], story.now)
    cuts = np.array([_cut(name, learnt, question) for _, learnt, _ in story.stages])[stage]
    return _Signal(value, cuts, cuts)


def _trend(now: Floats, change: Floats, question: Question) -> Floats:
    """The level at the horizon if the last three hours went on."""
    hours = question.settings.leads_ms[-1] / 3_600_000
    found: Floats = now + np.maximum(change, 0.0) * hours / _TREND_H
    return found


def _cut(name: str, learnt: Learnt, question: Question) -> float:
    """The baseline's cut that keeps the budget on the past, as ``pantau`` chooses its own."""
    settings, made = question.settings, learnt.made
    if name == "own_trend":
        signal = _trend(made.now, trend_of(made, learnt.gauges[0]), question)
    else:
        signal = np.maximum(made.now + ridge_of(learnt, made)[:, -1], made.now)
    whole = ~np.isnan(made.now)
    at, now, signal = learnt.issued[whole], made.now[whole], signal[whole]
    limit = settings.limits[0]
    alarms = Alarms(at, now >= limit, now >= limit, events(at, now, limit, MERGE_MS), settings.leads_ms[-1])
    cuts = np.unique(np.quantile(signal, _CANDIDATES))
    return choose_cut(signal, cuts, alarms, settings.budget, 1.0)[0]


def _row(name: str, counts: Warned, *, known: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"model": name, "events": counts.events}
    for key, part in (("warned", counts.warned), ("warned_2h", counts.warned_2h)):
        low, high = wilson_interval(part, counts.events)
        share = part / counts.events if counts.events else None
        row |= dict(
            zip((key, f"{key}_low", f"{key}_high"), (share, low, high) if known else (None,) * 3, strict=True)
        )
    low, high = poisson_interval(counts.false)
    rates = (
        (counts.false / counts.months, low / counts.months, high / counts.months)
        if counts.months
        else (None,) * 3
    )
    names = ("false_per_30d", "false_per_30d_low", "false_per_30d_high")
    return row | dict(zip(names, rates if known else (None,) * 3, strict=True))
