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
    known: dict[float, float] = {}
    cuts: dict[int, Cut] = {}
    for severity, limit in enumerate(ladder.limits if ladder else (), 1):
        if limit is None or limit <= value or limit not in model.limits:
            continue
        index = model.limits.index(limit)
        decision = model.decisions[index]
        within = prediction.steps[decision.horizon].within[index]
        known[limit] = min(1.0, max(0.0, within))
        cuts[severity] = Cut(decision.open, decision.close)
    found = crossings(value, prediction.issued_at, steps, ladder.limits if ladder else (), known)
    outlook = Outlook(
        prediction.issued_at, TRAINED, version, value, steps, _falling(found), degraded=prediction.degraded
    )
    return outlook, cuts


def _falling(found: Sequence[Crossing]) -> tuple[Crossing, ...]:
    """A higher limit is never likelier than a lower one."""
    if all(found[place].probability >= found[place + 1].probability for place in range(len(found) - 1)):
        return tuple(found)
    rows: list[Crossing] = []
    for crossing in found:
        most = rows[-1].probability if rows else 1.0
        rows.append(
            Crossing(crossing.severity, crossing.limit, min(most, crossing.probability), crossing.expected_at)
        )
    return tuple(rows)
