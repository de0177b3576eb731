"""A kind: what is measured, in which unit, and what a physically sane value looks like.

A kind is one file in ``pantau/kinds`` with ``KIND = Kind(...)``; nothing else has to know of it.
"""

import msgspec

__all__ = ["Kind"]


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured (OGC: ObservedProperty).

    Attributes:
        name: as it stands in topics and in InfluxDB (measurement).
        label: the words for people, by language.
        unit: the unit readings are kept in.
        units: accepted spellings of units, each with the factor to ``unit``.
        low, high: values outside cannot be (gross range, FAIL) unless the station says otherwise.
        above_limits: a value higher than this above the station's highest limit cannot be either; None: no such check.
        step: a change since the last reading above this is a jump, pending until confirmed; None: no such check.
        spike: a single value off both agreeing neighbours by more than this is suspect; None: no such check.
        flat_h: unchanged for longer than this many hours is suspect; None: no such check.
        flat_above: a flat run at or below this value is honest (an empty square, no rain).
        most_per_m2: no more can stand on a square metre of a station's area; 0: no such check.
        capacities: more than so many times a station's capacity is suspect; 0: no such check.
        empty_from: nothing at all right after so many is suspect until it lasts; None: no such check.
        steady: slower change than this per hour is called steady.
        decimals: digits that people are shown.
        siaga: whether the published Siaga scale applies.
    """

    name: str
    label: dict[str, str]
    unit: str
    units: dict[str, float]
    low: float
    high: float
    above_limits: float | None = None
    step: float | None = None
    spike: float | None = None
    flat_h: float | None = None
    flat_above: float | None = None
    most_per_m2: float = 0.0
    capacities: float = 0.0
    empty_from: float | None = None
    steady: float = 0.0
    decimals: int = 0
    siaga: bool = False
