"""Forecasts of a gauge: the last day's levels of it and of those upstream in, quantiles and probabilities per lead out.

What is predicted is the change since now, never the level, so that nothing depends on a gauge's zero. ``fit`` of
``models.forecast_fit`` makes a ``Forecast``; it is plain numbers, kept as JSON. ``predict`` answers for one instant
and ``predict_all`` for many; both take the same steps, so that the service does what was evaluated.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import isnan
from typing import NamedTuple

import msgspec
import numpy as np

from models.forecast_core import LOW_HIGH, Answer, Core
from models.forecast_features import Gauge, Rows, rows
from models.forecast_live import Speaker
from models.forecast_repair import Bools, Floats, Ints, Levels
from models.forecast_row import Row, Sight, row_of
from models.recent import Recent
from pantau.errors import ConfigError

__all__ = ["FORMAT", "Batch", "Decision", "Forecast", "Prediction", "Step"]

FORMAT = 1
"""Raised when an older file can no longer be read."""
_EMPTY = Recent()


class Step(msgspec.Struct, array_like=True, frozen=True):
    """The forecast for one lead.

    Attributes:
        at: target instant, ms since 1970 UTC.
        lead_ms: how far ahead.
        low, middle, high: the level is expected below them with probability 5, 50 and 95 %.
        reach: for each limit the probability that the level at that instant is at or above it.
        within: for each limit the probability that it is reached at some time until then; never falls with the lead.
    """

    at: int
    lead_ms: int
    low: float
    middle: float
    high: float
    reach: tuple[float, ...] = ()
    within: tuple[float, ...] = ()


class Prediction(msgspec.Struct, array_like=True, frozen=True):
    """What is expected at one instant of issue.

    Attributes:
        issued_at: ms since 1970 UTC.
        value: own level it starts from; the one before, while a jump is held back.
        rising: a rise is expected (the state that ``Conformal`` tells apart).
        steps: by lead; empty when the gauge itself has no usable value.
        degraded: why a lesser model was used, in words; empty when the intended one was.
    """

    issued_at: int
    value: float
    rising: bool
    steps: tuple[Step, ...]
    degraded: str = ""

    def expected_at(self, limit: float) -> int | None:
        """When the expected course (``middle``) reaches a limit above the present value, ms; None: it does not."""
        before_at, before = self.issued_at, self.value
        if before >= limit:
            return None
        for step in self.steps:
            if step.middle >= limit:
                return before_at + round((step.at - before_at) * (limit - before) / (step.middle - before))
            before_at, before = step.at, step.middle
        return None


class Decision(msgspec.Struct, frozen=True):
    """From which probability on a limit counts as forecast, chosen on weeks that were not learnt from.

    Attributes:
        limit: in the gauge's unit.
        yes: for each lead the cut on ``Step.reach`` with the best critical success index.
        open, close: cuts on ``Step.within`` of the horizon's step: at ``open`` an alert begins, below ``close`` it
            ends. They keep false alarms within ``budget``.
        horizon: index of the lead whose ``within`` is compared.
        budget: false alarms in 30 days allowed.
        false_per_30d, warned: what they gave on weeks not learnt from; -1 where nothing could be counted.
    """

    limit: float
    yes: tuple[float, ...]
    open: float
    close: float
    horizon: int
    budget: float
    false_per_30d: float = -1.0
    warned: float = -1.0


class Batch(NamedTuple):
    """Forecasts of many instants; n instants, L leads, K limits.

    Attributes:
        at: (n,) instants of issue.
        now: (n,) own level, NaN where there is no forecast.
        low, middle, high: (n, L).
        reach, within: (n, L, K).
        rising, held: (n,).
        missing: (n, upstream).
    """

    at: Ints
    now: Floats
    low: Floats
    middle: Floats
    high: Floats
    reach: Floats
    within: Floats
    rising: Bools
    held: Bools
    missing: Bools


class Forecast(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A fitted model for one gauge.

    Attributes:
        target, upstream: station names as given to ``fit``, in the model's order.
        limits: in the gauge's unit, ascending.
        leads_ms: ascending.
        gauges: of the target first, then of each upstream gauge.
        cores: with all gauges, and with the target alone (the same where nothing is upstream).
        rise: an expected rise above this is the rising state.
        decisions: one a limit.
        metrics: what weeks not learnt from gave in the last fifth of the training period.
        start, end, readings: period learnt from, ms, and number of instants.
    """

    target: str
    upstream: tuple[str, ...]
    limits: tuple[float, ...]
    leads_ms: tuple[int, ...]
    gauges: tuple[Gauge, ...]
    cores: tuple[Core, Core]
    rise: float
    decisions: tuple[Decision, ...]
    metrics: dict[str, float]
    start: int
    end: int
    readings: int
    format: int = FORMAT

    def to_json(self) -> bytes:
        """The model as JSON; ``of_json`` gives it back with every number the same."""
        return msgspec.json.encode(self)

    @classmethod
    def of_json(cls, body: bytes, again: str = "train again") -> "Forecast":
        """A model from its JSON.

        Args:
            again: what helps against one that cannot be read, for the error.

        Raises:
            ConfigError: it is none, or of a format this release does not read.
        """
        try:
            found = msgspec.json.decode(body, type=cls)
        except msgspec.MsgspecError as error:
            raise ConfigError(f"forecast model: cannot be read ({error}); {again}") from None
        if found.format != FORMAT:
            raise ConfigError(f"forecast model: format {found.format}, this release reads {FORMAT}; {again}")
        return found

    def predict(self, own: Recent, upstream: Mapping[str, Recent], at: int) -> Prediction:
        """The forecast issued at an instant.

        Args:
            own: the gauge's last day.
            upstream: of the gauges upstream, by the names in ``self.upstream``; one may be missing.
            at: instant of issue, ms; readings after it must not be in there.
        """
        sights, speakers = self._live
        pairs = [
            (sight, upstream.get(name, _EMPTY)) for sight, name in zip(sights[1:], self.upstream, strict=True)
        ]
        made = row_of(at, (sights[0], own), pairs)
        now = made.now
        if isnan(now):
            return Prediction(at, now, False, (), "no usable reading of the gauge itself")  # noqa: FBT003 - positional struct
        said = speakers[any(made.missing)].say(made.x, now, self.limits)
        steps = tuple(
            Step(at + lead, lead, now + low, now + middle, now + high, reach, within)
            for lead, low, middle, high, reach, within in zip(self.leads_ms, *said, strict=True)
        )
        rising = now + max(said.middle) - now > self.rise
        return Prediction(at, now, rising, steps, self._why(made))

    def predict_all(self, at: Ints, series: Sequence[Levels]) -> Batch:
        """Forecasts issued at many instants, each from what could be known then.

        Args:
            at: (n,) ms.
            series: of the target and of each upstream gauge, in the model's order; without readings: missing.
        """
        pairs = list(zip(self.gauges, series, strict=True))
        return self.of_rows(at, rows(at, pairs[0], pairs[1:]))

    def of_rows(self, at: Ints, made: Rows) -> Batch:
        """Forecasts from features that were made before."""
        lone = made.missing.any(axis=1)
        leads = len(self.leads_ms)
        answer = Answer(*(np.empty((len(at), size)) for size in (leads, leads, 2 * leads, 2 * leads)))
        for core, which in zip(self.cores, (~lone, lone), strict=True):
            if which.any():
                for whole, part in zip(answer, core.answer(made.x[which]), strict=True):
                    whole[which] = part
        return self.of_answers(at, made, answer)

    def of_answers(self, at: Ints, made: Rows, answer: Answer) -> Batch:
        """Forecasts from what the cores said of each row: bands around the median, probabilities around the mean."""
        leads, now, limits = len(self.leads_ms), made.now[:, None], np.array(self.limits)
        low, high = np.empty_like(answer.middle), np.empty_like(answer.middle)
        chance = np.empty((len(at), 2 * leads, len(limits)))
        off = ((limits - now)[:, None, :] - answer.mean[:, :, None]) / answer.spread[:, :, None]
        lone = made.missing.any(axis=1)
        for core, which in zip(self.cores, (~lone, lone), strict=True):
            if which.any():
                low[which] = np.minimum(core.edge(answer.scale[which], LOW_HIGH[0]), 0.0)
                high[which] = np.maximum(core.edge(answer.scale[which], LOW_HIGH[1]), 0.0)
                chance[which] = core.exceedance(off[which])
        reach = chance[:, :leads]
        within = np.maximum.accumulate(np.maximum(chance[:, leads:], reach), axis=1)
        within = np.where((now >= limits)[:, None, :], 1.0, within)
        course = now + answer.middle
        rising = course.max(axis=1) - made.now > self.rise
        bands = (low + course, course, high + course)
        return Batch(at, made.now, *bands, reach, within, rising, made.held, made.missing)

    @cached_property
    def _live(self) -> tuple[list[Sight], tuple[Speaker, Speaker]]:
        """Gauges and cores as ``predict`` wants them."""
        whole, lone = self.cores
        speaker = Speaker(whole)
        return [Sight(gauge) for gauge in self.gauges], (speaker, speaker if lone is whole else Speaker(lone))

    def _why(self, made: Row) -> str:
        if not (made.held or True in made.missing):
            return ""
        reasons = [
            f"no usable reading of {name}"
            for name, gone in zip(self.upstream, made.missing, strict=True)
            if gone
        ]
        if made.held:
            reasons.append("the newest reading is a jump that waits for the next")
        return "; ".join(reasons)
