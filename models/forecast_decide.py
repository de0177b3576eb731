"""Decisions of a forecast: probabilities on weeks not learnt from in, cuts that make a yes or an alert of them out."""

from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from models.forecast import Batch, Decision, Forecast
from models.forecast_repair import Bools, Floats, Ints
from models.verify import csi_cut, episodes, events, is_active, mean_absolute_error

__all__ = ["CLOSES", "MERGE_MS", "SLACK_MS", "Alarms", "Unseen", "Warned", "choose_cut", "decide", "warned"]

MERGE_MS = 12 * 3_600_000
"""Crossings closer than this are one flood."""
SLACK_MS = 2 * 3_600_000
"""Time that is granted beyond the horizon, and the lead that is asked for."""
CLOSES = 0.5
"""A forecast alert ends below this share of the probability at which it opened."""
_FALLBACK = 0.35
_MONTH_MS = 30 * 86_400_000
_CUTS = np.concatenate([np.arange(0.02, 0.3, 0.01), np.arange(0.3, 0.96, 0.02)])


class Unseen(NamedTuple):
    """Forecasts for weeks that were not learnt from, and (n, outputs) the levels and maxima that came."""

    batch: Batch
    truth: Floats


class Alarms(NamedTuple):
    """A series of alarms to be judged.

    Attributes:
        times: (n,) ms.
        active: (n,).
        above: (n,) whether the water was at the limit then.
        crossings: instants of the floods.
        horizon_ms: within which a flood should follow.
    """

    times: Ints
    active: Bools
    above: Bools
    crossings: Ints
    horizon_ms: int


class Warned(NamedTuple):
    """Counts of ``Alarms``.

    Attributes:
        false: alarms whose start no flood followed in time.
        in_vain: the same, where an alarm that goes on when its flood should have come begins anew.
    """

    events: int
    warned: int
    warned_2h: int
    false: int
    months: float
    in_vain: int

    @property
    def false_per_30d(self) -> float:
        """False alarms in 30 days."""
        return self.false / self.months if self.months else 0.0


def warned(alarms: Alarms) -> Warned:
    """Count floods with an alarm in the horizon and two hours before, and alarms without a flood.

    An alarm is false when the water is not at the limit at any time from its start until the horizon and two hours
    later. Runs at most two hours apart are one alarm.
    """
    times, window = alarms.times, alarms.horizon_ms + SLACK_MS
    on, wet = times[alarms.active], times[alarms.above]
    early = np.searchsorted(on, alarms.crossings - window)
    any_before = np.searchsorted(on, alarms.crossings) > early
    two_before = np.searchsorted(on, alarms.crossings - SLACK_MS, side="right") > early
    stretches = [
        _in_vain(first, last, wet, window) for first, last in episodes(times, alarms.active, SLACK_MS)
    ]
    false, in_vain = sum(found[0] for found in stretches), sum(sum(found) for found in stretches)
    span = float(times[-1] - times[0]) / _MONTH_MS if len(times) else 0.0
    return Warned(len(alarms.crossings), int(any_before.sum()), int(two_before.sum()), false, span, in_vain)


def _in_vain(first: int, last: int, wet: Ints, window: int) -> list[bool]:
    """For each stretch of an alarm, whether no flood followed within the window; a stretch ends with it."""
    found: list[bool] = []
    at = first
    while at <= last:
        place = int(np.searchsorted(wet, at))
        comes = place < len(wet) and int(wet[place]) - at <= window
        found.append(not comes)
        at = (int(wet[place]) if comes else at) + window
    return found


def choose_cut(
    signal: Floats, cuts: Floats, alarms: Alarms, budget: float, closes: float
) -> tuple[float, Warned]:
    """The highest cut that warns of most floods within a budget of false alarms; the last one when none keeps it.

    What counts against the budget is ``Warned.in_vain``: an alarm that never ends is false but once, and warns of
    everything.

    Args:
        signal: (n,) the higher, the more likely a flood.
        cuts: tried, ascending.
        alarms: what it is judged by; its ``active`` is not read.
        budget: false alarms in 30 days.
        closes: an alarm ends at this share of the cut.
    """
    best: tuple[int, float, Warned] | None = None
    for cut in cuts.tolist():
        found = warned(alarms._replace(active=is_active(signal, cut, closes * cut)))
        if found.in_vain <= budget * found.months:
            worth = found.warned + found.warned_2h
            if best is None or worth >= best[0]:
                best = (worth, cut, found)
    if best is not None:
        return best[1], best[2]
    cut = float(cuts[-1])
    return cut, warned(alarms._replace(active=is_active(signal, cut, closes * cut)))


def decide(bare: Forecast, unseen: Unseen, horizon_ms: int, budget: float) -> Forecast:
    """The model with its decisions and metrics."""
    leads = np.array(bare.leads_ms)
    horizon = max(0, int(np.searchsorted(leads, horizon_ms, side="right")) - 1)
    decisions = tuple(_decision(bare, unseen, which, (horizon, budget)) for which in range(len(bare.limits)))
    return replace(bare, decisions=decisions, metrics=_metrics(bare, unseen))


def _decision(bare: Forecast, unseen: Unseen, which: int, aim: tuple[int, float]) -> Decision:
    batch, (horizon, budget) = unseen.batch, aim
    limit, count = bare.limits[which], len(bare.leads_ms)
    yes = tuple(csi_cut(batch.reach[:, lead, which], unseen.truth[:, lead] >= limit) for lead in range(count))
    crossings = events(batch.at, batch.now, limit, MERGE_MS)
    if len(crossings) == 0:
        cut = _FALLBACK
        return Decision(limit, yes, cut, cut * CLOSES, horizon, budget)
    ahead = bare.leads_ms[horizon]
    alarms = Alarms(batch.at, batch.now >= limit, batch.now >= limit, crossings, ahead)
    cut, found = choose_cut(batch.within[:, horizon, which], _CUTS, alarms, budget, CLOSES)
    share = found.warned / found.events
    return Decision(limit, yes, cut, cut * CLOSES, horizon, budget, found.false_per_30d, share)


def _metrics(bare: Forecast, unseen: Unseen) -> dict[str, float]:
    """Mean absolute errors by lead in the last fifth, beside "it stays as it is"."""
    last = slice(len(unseen.batch.at) * 4 // 5, None)
    found = {"rows": float(bare.readings)}
    for lead, ahead in enumerate(bare.leads_ms):
        truth, name = unseen.truth[last, lead], f"{ahead / 3_600_000:g}h"
        mine = mean_absolute_error(truth, unseen.batch.middle[last, lead])
        stays = mean_absolute_error(truth, unseen.batch.now[last])
        found |= {f"mae_{name}": mine or 0.0, f"mae_persistence_{name}": stays or 0.0}
    return found
