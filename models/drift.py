"""Drift: what a model is asked with, and how wrong it is, in slow means; how far they are from training comes out.

Three things are watched over about two weeks, for a wet week is no drift: what the readings are like
(``models.baseline``), how often a forest finds them strange, and whether forecasts are worse than no forecast at all.
The last needs no figure from training: "no change" is as wrong as the weather makes it, so a wet season excuses both.
"""

from collections.abc import Mapping

import msgspec

from models.baseline import DAY_MS, DAYS, Baseline, Days
from pantau.outlook import Outlook

__all__ = ["Errors", "Finding", "Slow", "Watched", "error_of", "of_errors", "of_readings", "of_share"]

_TAU_MS = DAYS * DAY_MS
_LONGEST_MS = 6 * 3_600_000
"""No single reading stands for more time than this."""
WIDTHS = 1.5
"""A two weeks' mean so many widths of its band outside of what training saw scores 1, half of that 0.5.

Source:
    Nine counters and seven gauges, learnt on 40 to 70 % of their time and watched on the rest (50 sensor-years in all):
    at three quarters of a width two false alerts, at one width one, and fewer of the faults found.
"""
WORSE = 1.5
"""Forecasts worse than none by so many times their error score 1, by half of that 0.5.

Source:
    A year of one gauge that its forecast had not seen: the score of all three stayed at 0.44 and below.
"""
LEAST_SHARE = 0.1
"""Fewer strange readings than one in ten are no drift, however few training had: one in a hundred is meant."""
_PENDING = 8


class Slow(msgspec.Struct, array_like=True):
    """A mean over about two weeks, each value weighted with the time it stands for.

    Attributes:
        at: of the last value, ms; ``seen``: time covered, ms, at most ten times what it looks back on.
    """

    at: int = 0
    seen: int = 0
    mean: float = 0.0

    def add(self, at: int, value: float) -> None:
        """Take the next value."""
        step = min(max(at - self.at, 1), _LONGEST_MS)
        self.at, self.seen = at, min(self.seen + step, 10 * _TAU_MS)
        self.mean += step / min(self.seen, _TAU_MS) * (value - self.mean)

    @property
    def ready(self) -> bool:
        """Whether two weeks are covered."""
        return self.seen >= _TAU_MS


class Errors(msgspec.Struct, array_like=True):
    """How wrong the forecasts of one gauge are, beside "no change".

    Attributes:
        lead_ms: that is looked at, 0 before the first forecast.
        pending: forecasts that wait for their target: (instant, expected, level at issue).
        model, still: slow means of the distance between what came and what was expected, or stood before.
    """

    lead_ms: int = 0
    pending: list[tuple[int, float, float]] = msgspec.field(default_factory=list)
    model: Slow = msgspec.field(default_factory=Slow)
    still: Slow = msgspec.field(default_factory=Slow)

    def expect(self, outlook: Outlook) -> None:
        """Remember a forecast by its middle lead; not more often than eight to a lead."""
        step = outlook.steps[len(outlook.steps) // 2]
        self.lead_ms = step.at - outlook.issued_at
        if not self.pending or step.at - self.pending[-1][0] >= self.lead_ms // _PENDING:
            self.pending.append((step.at, step.middle, outlook.value))

    def came(self, at: int, value: float, tolerance_ms: int) -> None:
        """A reading: forecasts for its time are judged, those that no reading came for are forgotten."""
        while self.pending and self.pending[0][0] <= at:
            target, expected, before = self.pending.pop(0)
            if at - target <= tolerance_ms:
                self.model.add(at, abs(value - expected))
                self.still.add(at, abs(value - before))


class Watched(msgspec.Struct, frozen=True):
    """What is known of a sensor from the card of a live model.

    Attributes:
        model: family and name; ``version``: of the artifact.
        baseline: what its readings were like, None after a short history.
        share: highest slow share of readings that a forest found strange in training.
        error: mean error that the card tells, the least that a difference of errors is measured by.
    """

    model: str
    version: str
    baseline: Baseline | None = None
    share: float = 0.0
    error: float = 1.0


class Finding(msgspec.Struct, frozen=True):
    """A score 0..1 with its words."""

    score: float
    words: str


_CALM = Finding(0.0, "")


def of_readings(watched: Watched, days: Days, unit: str) -> Finding:
    """``score = widths outside / 1.5``."""
    known = watched.baseline
    if known is None:
        return _CALM
    outside, which = known.strangeness(days)
    if which == "base":
        words = (
            f"lowest value of a day {days.base:.4g} {unit} over two weeks, in training {known.base.low:.4g} to "
            f"{known.base.high:.4g}"
        )
    else:
        low, high = known.spans
        words = f"a day spans {days.span:.3g} {unit} over two weeks, in training {low:.3g} to {high:.3g}"
    return Finding(min(1.0, outside / WIDTHS), f"{words} ({watched.model} {watched.version})")


def of_share(watched: Watched, share: Slow) -> Finding:
    """``score = share / (2 limit)``; the limit is twice the highest of training, at least one in ten."""
    if not share.ready:
        return _CALM
    limit = max(LEAST_SHARE, 2 * watched.share)
    words = (
        f"{share.mean:.0%} of the readings of two weeks unlike training, at most {watched.share:.0%} then "
        f"({watched.model} {watched.version})"
    )
    return Finding(min(1.0, share.mean / (2 * limit)), words)


def of_errors(watched: Watched, errors: Errors, unit: str) -> Finding:
    """``score = ((E + e) / (S + e) - 1) / 1.5``: errors of the model and of no change, ``e`` what its card tells."""
    if not errors.model.ready:
        return _CALM
    model, still = errors.model.mean, errors.still.mean
    ratio = (model + watched.error) / (still + watched.error)
    words = (
        f"forecasts {errors.lead_ms / 3_600_000:.3g} h ahead off by {model:.3g} {unit} over two weeks, no change "
        f"at all by {still:.3g}; in training {watched.error:.3g} ({watched.model} {watched.version})"
    )
    return Finding(min(1.0, max(0.0, (ratio - 1.0) / WORSE)), words)


def error_of(metrics: Mapping[str, float], lead_ms: int) -> float:
    """Mean error of a card for a lead, at least 1."""
    return max(1.0, metrics.get(f"mae_{lead_ms // 3_600_000}h", 1.0))
