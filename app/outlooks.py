"""What a forecast leaves on an alert's timeline: a score with its outlook in, the parts of ``why`` out."""

from typing import Any

from pantau.event import Score
from pantau.forms import rfc3339
from pantau.ladder import Ladder

__all__ = ["ENDS", "forecast_why"]

ENDS = ("reached", "withdrawn", "silent")
"""How a forecast ends: the level is there now, it is not likely any more, or the gauge fell silent."""


def forecast_why(score: Score, before: int, now: int, ladder: Ladder | None) -> dict[str, Any]:
    """Model, limit, probability and expected time of what is forecast; how it ended when nothing is any more.

    Args:
        before, now: severities that are forecast.
        ladder: of the station, at the score's instant.
    """
    outlook = score.outlook
    if outlook is None:
        return {"ended": "silent"} if before and not now else {}
    why: dict[str, Any] = {"model": f"{outlook.model} {outlook.version}"}
    if outlook.degraded:
        why["degraded"] = outlook.degraded
    found = {crossing.severity: crossing for crossing in outlook.crossings}
    crossing = found.get(now or before)
    if crossing is not None:
        why |= {"limit": crossing.limit, "probability": crossing.probability}
        if now and crossing.expected_at is not None:
            why["expected_at"] = rfc3339(crossing.expected_at)
    if before and not now:
        reached = ladder is not None and ladder.severity_at(outlook.value) >= before
        why["ended"] = "reached" if reached else "withdrawn"
    return why
