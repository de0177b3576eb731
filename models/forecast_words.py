"""Why a forecast says what it says: an outlook in, one line of words and numbers for an operator out (ASCII, UTC)."""

from datetime import UTC, datetime

from models.forecaster import Levels, Made, Plan
from pantau.city import City
from pantau.outlook import Crossing, Outlook
from pantau.siaga import siaga_of

__all__ = ["reason_for"]


def reason_for(
    made: Made,
    severities: tuple[int, int, int],
    plan: Plan,
    city: City,
    levels: Levels,
) -> str:
    """E.g. ``850 cm (Siaga 2) expected about 04:10 UTC, 72 %; P.S. Depok at 305 cm``.

    Args:
        severities: forecast before, forecast now, in force now.
        levels: of the posts upstream.
    """
    outlook = made.outlook
    before, now, present = severities
    found = {crossing.severity: crossing for crossing in outlook.crossings}
    if now:
        return _expected(found[now], outlook, plan) + _because(made, city, levels)
    if before and before <= present:
        return f"reached: {outlook.value:g} {plan.kind.unit} is {_word(before, plan)} or worse now"
    if before and before in found:
        crossing = found[before]
        return (
            f"withdrawn: {crossing.limit:g} {plan.kind.unit} ({_word(before, plan)}) has "
            f"{100 * crossing.probability:.0f} % only{_because(made, city, levels)}"
        )
    top = max(step.high for step in outlook.steps)
    return f"at most {top:.0f} {plan.kind.unit} expected within {_hours(outlook):g} h (95 %)"


def _expected(crossing: Crossing, outlook: Outlook, plan: Plan) -> str:
    level = f"{crossing.limit:g} {plan.kind.unit} ({_word(crossing.severity, plan)})"
    percent = f"{100 * crossing.probability:.0f} %"
    if crossing.expected_at is None:  # likely enough to be told, and still less likely than not
        return f"{level} possible within {_hours(outlook):g} h, {percent}"
    return f"{level} expected about {_clock(crossing.expected_at)}, {percent}"


def _hours(outlook: Outlook) -> float:
    return (outlook.steps[-1].at - outlook.issued_at) / 3_600_000


def _because(made: Made, city: City, levels: Levels) -> str:
    """The post upstream behind the highest step."""
    outlook, courses = made.outlook, made.courses
    if not courses:
        return f"; {outlook.value:g} now"
    source = max(courses, key=lambda course: course.middle).source
    recent = levels(source) if source else None
    if recent is None:
        return f"; {outlook.value:g} now, nothing more on its way"
    station = city.stations[source]
    level = recent.at(outlook.issued_at, 1 << 62)
    return f"; {station.name} at {level:g} {city.kinds[station.kind].unit}, {outlook.value:g} here"


def _word(severity: int, plan: Plan) -> str:
    return f"Siaga {siaga_of(severity)}" if plan.kind.siaga else f"severity {severity}"


def _clock(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%H:%M} UTC"
