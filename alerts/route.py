"""Who hears of a change: a change and the city's ``recipients.csv`` in, the recipients out. Pure.

The rules, in order: late readings and what operators do to the list (acknowledge, shelve) tell nobody; a pending jump,
its reminders and its withdrawal, and all trouble with our own data, are for operators; what is confirmed is for all
whom hazard, severity and areas fit. A step down, an all-clear and a correction reach whoever heard the raise.
"""

from alerts.news import OPERATORS, Change, news_for, severities_for
from pantau.city import City, Recipient
from pantau.station import ABOUT_US

__all__ = ["route", "weight_for"]


def route(change: Change, city: City) -> list[Recipient]:
    """Recipients of a change, as ``recipients.csv`` orders them; a late change has none."""
    if change.transition.late:
        return []
    return [recipient for recipient in city.recipients if _hears(recipient, change, city)]


def weight_for(change: Change, audience: str) -> int:
    """The severity that ``min_severity`` is held against.

    The worse of before and after, so that a step down reaches whoever heard the step up; at the end the worst that the
    alert ever was, so that an all-clear reaches everybody whom it ever concerned.
    """
    before, after = severities_for(change, audience)
    worst = change.record.worst if after == 0 else 0
    return max(before, after, worst)


def _hears(recipient: Recipient, change: Change, city: City) -> bool:
    hazard = change.record.hazard
    # No resident can do anything about a silent sensor.
    if hazard in ABOUT_US and recipient.audience != OPERATORS:
        return False
    if recipient.hazards and hazard not in recipient.hazards:
        return False
    if news_for(change, recipient.audience) is None:
        return False
    if weight_for(change, recipient.audience) < recipient.min_severity:
        return False
    return not recipient.areas or _touches(recipient.areas, change.record.areas, city)


def _touches(wanted: tuple[str, ...], warned: tuple[str, ...], city: City) -> bool:
    """Whether an area that is warned is among the wanted codes or names (kelurahan, kecamatan, city)."""
    names = {name.casefold() for name in wanted}
    for code in warned:
        area = city.areas.get(code)
        own = {code} if area is None else {code, area.name, area.kecamatan, area.city}
        if names & {name.casefold() for name in own if name}:
            return True
    return False
