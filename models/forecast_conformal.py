"""Honest bands: forecasts as they were issued and what came in, corrections of the next bands out.

For each lead, and apart for a river that is expected to rise and one that is not, the band's edges move outwards a
little when what came lay outside, and inwards a much smaller step when it did not; so that in the long run 5 % lie
below and 5 % above, whatever the model believes. Nothing is assumed about the errors, and a river that changes is
followed.

Source:
    Gibbs and Candes, Adaptive Conformal Inference Under Distribution Shift (2021); the step is theirs in units of the
    band.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from models.forecast import Batch, Prediction, Step
from models.forecast_repair import Floats, Levels

__all__ = ["MISS", "RATE", "Conformal", "Issued", "follow"]

MISS = 0.05
"""Share that should lie below the band, and above it."""
RATE = 0.08
"""Step of a correction, in widths of the band; measured: docs/models.md, "Forecasts"."""
_LEAST, _MOST = -0.45, 4.0
_APART_MS = 3_600_000


class Issued(msgspec.Struct, array_like=True):
    """Bands that wait for what comes.

    Attributes:
        at: instant of issue, ms.
        rising: see ``Prediction``.
        next: index of the first lead that has not been compared.
        low, high: the edges as they were told.
    """

    at: int
    rising: bool
    next: int
    low: list[float]
    high: list[float]


class Conformal(msgspec.Struct, array_like=True):
    """Corrections of one gauge's bands; plain data, about 2 kB for nine leads.

    Attributes:
        leads_ms: of the model.
        low, high: [falling, rising][lead], how far the edge moves outwards, in widths of the band.
        open: at most one forecast an hour.
    """

    leads_ms: tuple[int, ...]
    low: list[list[float]]
    high: list[list[float]]
    open: list[Issued]

    @classmethod
    def fresh(cls, leads_ms: Sequence[int]) -> "Conformal":
        """No corrections yet."""
        none = [0.0] * len(leads_ms)
        return cls(tuple(leads_ms), [[*none], [*none]], [[*none], [*none]], [])

    def corrected(self, prediction: Prediction) -> Prediction:
        """The prediction with its bands corrected; the middle stays."""
        if not prediction.steps:
            return prediction
        lows, highs = self.low[prediction.rising], self.high[prediction.rising]
        steps = []
        for lead, step in enumerate(prediction.steps):
            low, high = _moved(step.low, step.middle, step.high, (lows[lead], highs[lead]))
            steps.append(Step(step.at, step.lead_ms, low, step.middle, high, step.reach, step.within))
        return Prediction(
            prediction.issued_at, prediction.value, prediction.rising, tuple(steps), prediction.degraded
        )

    def issue(self, prediction: Prediction) -> None:
        """Remember what was told (a corrected prediction), to compare it with what comes; at most one an hour."""
        self.remember(
            prediction.issued_at,
            prediction.rising,
            [step.low for step in prediction.steps],
            [step.high for step in prediction.steps],
        )

    def remember(self, at: int, rising: bool, low: list[float], high: list[float]) -> None:  # noqa: FBT001 - positional data
        """``issue`` from plain numbers."""
        if low and self.is_owed(at):
            self.open.append(Issued(at, bool(rising), 0, low, high))

    def is_owed(self, at: int) -> bool:
        """Whether an hour has passed since one was remembered."""
        return not self.open or at - self.open[-1].at >= _APART_MS

    def observe(self, at: int, value: float, slack_ms: int) -> None:
        """Compare open forecasts with an accepted reading, and move the corrections.

        Args:
            at: its instant, ms.
            value: in the gauge's unit.
            slack_ms: a reading that much after a target instant still counts as its truth.
        """
        leads, done = self.leads_ms, False
        for issued in self.open:
            while issued.next < len(leads) and issued.at + leads[issued.next] <= at:
                lead = issued.next
                issued.next += 1
                if at - issued.at - leads[lead] <= slack_ms:
                    self._learn(lead, issued, value)
            done |= issued.next >= len(leads)
        if done:
            self.open = [issued for issued in self.open if issued.next < len(leads)]

    def _learn(self, lead: int, issued: Issued, value: float) -> None:
        lows, highs = self.low[issued.rising], self.high[issued.rising]
        lows[lead] = _stepped(lows[lead], missed=value < issued.low[lead])
        highs[lead] = _stepped(highs[lead], missed=value > issued.high[lead])


def _stepped(offset: float, *, missed: bool) -> float:
    return min(max(offset + RATE * (1 - MISS if missed else -MISS), _LEAST), _MOST)


def _moved(low: float, middle: float, high: float, offsets: tuple[float, float]) -> tuple[float, float]:
    width = high - low
    return min(low - offsets[0] * width, middle), max(high + offsets[1] * width, middle)


def follow(batch: Batch, own: Levels, conformal: Conformal, slack_ms: int) -> tuple[Floats, Floats]:
    """(n, leads) corrected edges of a batch, as the service would have told them one after the other.

    Args:
        batch: instants rising.
        own: the gauge; its accepted readings are the truth, each when it was known.
        conformal: where it stands; changed in place.
        slack_ms: see ``Conformal.observe``.
    """
    low, high = batch.low.copy(), batch.high.copy()
    good = np.flatnonzero((own.after == 0) & (own.times > (batch.at[0] if len(batch.at) else 0)))
    times, values, turn = own.times[good].tolist(), own.level[good].tolist(), 0
    whole = (~np.isnan(batch.now)).tolist()
    for row, at in enumerate(batch.at.tolist()):
        while turn < len(times) and times[turn] <= at:
            conformal.observe(times[turn], values[turn], slack_ms)
            turn += 1
        if not whole[row]:
            continue
        rising = int(batch.rising[row])
        width = batch.high[row] - batch.low[row]
        low[row] = np.minimum(low[row] - np.array(conformal.low[rising]) * width, batch.middle[row])
        high[row] = np.maximum(high[row] + np.array(conformal.high[rising]) * width, batch.middle[row])
        conformal.remember(at, bool(rising), low[row].tolist(), high[row].tolist())
    return low, high
