"""An outlook from a trained model: its prediction in, steps, crossings and cuts out.

The model knows the limits it was trained for. A limit that was changed since gets the probability that its band gives,
and the ordinary cut, until the model is trained again.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from models.margins import crossings
from pantau.ladder import Ladder
from pantau.outlook import Crossing, Outlook, OutlookStep

if TYPE_CHECKING:
    from models.forecast import Forecast, Prediction

__all__ = ["TRAINED", "Cut", "outlook_of"]

TRAINED = "trained"
"""``Outlook.model`` of trained models; its ``version`` is the artifact's."""


class Cut(NamedTuple):
    """An alert begins at the probability ``open`` and ends below ``close``."""

    open: float
    close: float


def outlook_of(
    prediction: "Prediction", model: "Forecast", version: str, value: float, ladder: Ladder | None
) -> tuple[Outlook, dict[int, Cut]]:
    """The outlook, and the model's own cuts by severity.

    Args:
        prediction: with at least one step.
        version: of the artifact.
        value: the gauge's own at ``prediction.issued_at``.
        ladder: in force then; None: nothing can be crossed.
    """
    steps = tuple(
        OutlookStep(step.at, round(step.low, 2), round(step.middle, 2), round(step.high, 2))
        for step in prediction.steps
    )
    cuts: dict[int, Cut] = {}
    found: list[Crossing] = []
    for crossing in crossings(value, prediction.issued_at, steps, ladder.limits if ladder else ()):
        own, cut = _own(crossing, prediction, model)
        found.append(own)
        cuts |= {} if cut is None else {own.severity: cut}
    outlook = Outlook(
        prediction.issued_at, TRAINED, version, value, steps, _falling(found), degraded=prediction.degraded
    )
    return outlook, cuts


def _own(crossing: Crossing, prediction: "Prediction", model: "Forecast") -> tuple[Crossing, Cut | None]:
    """A crossing with the probability that the model gives it, where it knows the limit."""
    if crossing.limit not in model.limits:
        return crossing, None
    index = model.limits.index(crossing.limit)
    decision = model.decisions[index]
    within = prediction.steps[decision.horizon].within[index]
    own = Crossing(
        crossing.severity, crossing.limit, round(min(1.0, max(0.0, within)), 3), crossing.expected_at
    )
    return own, Cut(decision.open, decision.close)


def _falling(found: Sequence[Crossing]) -> tuple[Crossing, ...]:
    """A higher limit is never likelier than a lower one."""
    rows: list[Crossing] = []
    for crossing in found:
        most = rows[-1].probability if rows else 1.0
        rows.append(
            Crossing(crossing.severity, crossing.limit, min(most, crossing.probability), crossing.expected_at)
        )
    return tuple(rows)
