"""How many people a place holds: areas, capacities and dated rules in, limits with their reason and totals out.

A count alone is no density. A zone's limits follow from its usable area and the city's persons per m2, and from what
the place may hold on a day; the stricter counts. Several cameras in one place add up, and nobody is counted twice.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date

from pantau.city import CapacityRule
from pantau.station import Station

__all__ = ["allowed_share", "crowd_limits", "density_level", "people_once"]

_LEVELS = ((0.83, "A"), (1.08, "B"), (1.54, "C"), (3.6, "D"), (5.3, "E"))
_MOST_EXACT = 16
"""With more zones of one place than this, the fullest are taken first instead of trying every choice."""

Limits = tuple[float | None, float | None, float | None]


def density_level(density: float) -> str:
    """Level of service A (free) to F (dangerous) of a standing crowd.

    Args:
        density: persons per m2 of usable standing area.

    Source:
        Fruin, Pedestrian Planning and Design (1971), queuing levels: 1.21, 0.93, 0.65, 0.28 and 0.19 m2 a person.
    """
    for limit, letter in _LEVELS:
        if density <= limit:
            return letter
    return "F"


def allowed_share(rules: Iterable[CapacityRule], station: str, day: date) -> tuple[float, str]:
    """Percentage of a zone's capacity that is allowed on a day, and the sources of the rules that say so."""
    active = [
        rule
        for rule in rules
        if rule.valid_from <= day
        and (rule.valid_to is None or day < rule.valid_to)
        and (not rule.stations or station in rule.stations)
    ]
    percent = min((rule.percent for rule in active), default=100.0)
    return percent, "; ".join(rule.source for rule in active if rule.percent == percent and rule.source)


def crowd_limits(
    station: Station, densities: Sequence[float], percent: float, source: str, *, strict: bool
) -> tuple[Limits, str]:
    """Persons at which severity 1, 2 and 3 of a zone begin, and what the first of them follows from.

    Severity 1 to 3 begin at so many persons per m2 times the zone's area. The first limit is never above what the place
    may hold on these days: the stricter of the two counts.

    Args:
        station: with an area, a capacity or both.
        densities: persons per m2 for severity 1, 2, 3.
        percent: of the capacity that is allowed.
        source: of the rule that says so, empty without one.
        strict: a value on a limit stays below it.
    """
    limits: Limits = (None, None, None)
    words = ""
    if station.area_m2 is not None:
        first, second, third = (density * station.area_m2 for density in densities)
        limits = (first, second, third)
        words = f"{densities[0]:g} persons per m2 on {station.area_m2:g} m2"
    if station.capacity is not None:
        allowed = station.capacity * percent / 100
        # "Nobody" allowed must not make an empty place an alarm where a value on the limit counts.
        allowed = allowed if strict else max(allowed, 1.0)
        if limits[0] is None or allowed < limits[0]:
            limits = (allowed, limits[1], limits[2])
            words = f"capacity {station.capacity}"
            words = f"{percent:g} % of {words}" if percent < 100 else words
            words = f"{words} ({source})" if source else words
    return limits, words


def people_once(counts: Mapping[str, float], overlaps: Mapping[str, Collection[str]]) -> float:
    """People in a place that several cameras see, nobody counted twice.

    Zones that overlap see some of the same people, and nobody knows how many. So the total is the largest sum over
    zones of which no two overlap: no more than that is certain. Of two overlapping zones it is the greater count; where
    A overlaps B and B overlaps C, it is A + C or B.

    Args:
        counts: persons by zone.
        overlaps: zones that a zone overlaps, named by both.
    """
    fullest = sorted(counts, key=lambda zone: (-counts[zone], zone))
    return _best(fullest, counts, overlaps, exact=len(fullest) <= _MOST_EXACT)


def _best(
    zones: list[str], counts: Mapping[str, float], overlaps: Mapping[str, Collection[str]], *, exact: bool
) -> float:
    if not zones:
        return 0.0
    first, rest = zones[0], zones[1:]
    beside = [zone for zone in rest if zone not in overlaps.get(first, ())]
    with_first = counts[first] + _best(beside, counts, overlaps, exact=exact)
    if not exact or len(beside) == len(rest):
        return with_first
    return max(with_first, _best(rest, counts, overlaps, exact=exact))
