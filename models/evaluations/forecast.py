"""Evaluation of forecasts: recordings of a gauge and of those upstream in, a row for each model and lead out.

Every model gets the same repaired readings, each error only from when it was known. Readings that jump more than 60
cm and return within two are no truth. POD, FAR and CSI judge the yes/no forecast, MAE the median.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.forecast_features import HOUR_MS
from models.forecast_repair import Bools, Floats
from models.forecast_story import Question, Series, Story, tell_story
from models.verify import Table, coverage, mean_absolute_error, nash_sutcliffe, persistence_index

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MODELS", "OUT_COLUMNS", "evaluate"]

MODELS = ("persistence", "upstream_rule", "ridge", "pantau")
OUT_COLUMNS = (
    "model", "issued_at", "target_at", "lead_h", "value_now", "q05", "q50", "q95", "probability", "yes", "observed",
)  # fmt: skip


class _Said(NamedTuple):
    """What a model said for one lead: (n,) each; NaN where it says nothing. ``yes`` is 1, 0 or NaN."""

    middle: Floats
    low: Floats
    high: Floats
    probability: Floats
    yes: Floats


def evaluate(
    series: Series, question: Question, train: Series | None = None
) -> tuple[list[dict[str, Any]], "pd.DataFrame"]:
    """Score every model.

    Without ``train`` the first 40 % of the recording are learnt from and the rest is scored; every 30 days the models
    are fitted again on all that lies before. With it they are fitted once, on ``train``, and scored on the whole
    recording. In both cases the corrections of the band go on learning from what has come.

    Returns:
        Rows with the keys of the command, and every forecast (``OUT_COLUMNS``).

    Raises:
        ConfigError: see ``tell_story``.
    """
    import pandas as pd  # noqa: PLC0415 - only evaluations need it

    story = tell_story(series, question, train, rolling=train is None)
    table: list[dict[str, Any]] = []
    frames = []
    for name in MODELS:
        for lead, ahead in enumerate(question.settings.leads_ms):
            said = _said(name, story, question, lead)
            table.append({"model": name, "lead_h": ahead / HOUR_MS, **_figures(said, story, question, lead)})
            frames.append(_frame(name, said, story, (lead, ahead)))
    return table, pd.concat(frames, ignore_index=True)


def _said(name: str, story: Story, question: Question, lead: int) -> _Said:
    limit, none = question.settings.limits[0], np.full(len(story.issued), np.nan)
    if name == "persistence":
        return _Said(story.now, none, none, none, _yes(story.now >= limit, ~np.isnan(story.now)))
    if name == "upstream_rule":
        known = ~np.isnan(story.upstream) & ~np.isnan(story.rule_limit)
        comes = story.upstream >= story.rule_limit
        rule = question.rule
        if rule is not None and rule.travel_ms is not None:
            comes &= question.settings.leads_ms[lead] <= rule.travel_ms
        return _Said(none, none, none, none, _yes(comes, known))
    if name == "ridge":
        middle = story.ridge[:, lead]
        return _Said(middle, none, none, none, _yes(middle >= limit, ~np.isnan(middle)))
    batch = story.batch
    chance = batch.reach[:, lead, 0]
    yes = _yes(chance >= story.cuts(lead), ~np.isnan(batch.now))
    return _Said(batch.middle[:, lead], batch.low[:, lead], batch.high[:, lead], chance, yes)


def _yes(yes: Bools, known: Bools) -> Floats:
    return np.where(known, yes.astype(np.float64), np.nan)


def _figures(said: _Said, story: Story, question: Question, lead: int) -> dict[str, Any]:
    """The columns of one row; None where there is nothing to count."""
    limit, truth = question.settings.limits[0], story.truth[:, lead]
    here = ~np.isnan(truth) & ~np.isnan(story.now)
    told = here & ~np.isnan(said.middle)
    banded = told & ~np.isnan(said.low)
    counted = here & ~np.isnan(said.yes)
    below = counted & (story.now < limit)
    table = Table.of(truth[counted] >= limit, said.yes[counted] == 1)
    onset = Table.of(truth[below] >= limit, said.yes[below] == 1)
    return {
        "mae": mean_absolute_error(truth[told], said.middle[told]),
        "nse": nash_sutcliffe(truth[told], said.middle[told]),
        "pi": persistence_index(truth[told], said.middle[told], story.now[told]),
        "pod": table.pod,
        "far": table.far,
        "csi": table.csi,
        "onset_pod": onset.pod,
        "onset_far": onset.far,
        "coverage": coverage(truth[banded], said.low[banded], said.high[banded]),
    }


def _frame(name: str, said: _Said, story: Story, lead: tuple[int, int]) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415 - only evaluations need it

    which, ahead = lead
    columns = (
        name, story.issued, story.issued + ahead, ahead / HOUR_MS, story.now, said.low, said.middle, said.high,
        said.probability, said.yes, story.truth[:, which],
    )  # fmt: skip
    return pd.DataFrame(dict(zip(OUT_COLUMNS, columns, strict=True)))
