"""A station: the place where one kind is measured against one zero."""

from typing import Literal

import msgspec

__all__ = ["ABOUT_US", "HAZARDS", "Hazard", "Station"]

Hazard = Literal["flood", "inundation", "tidal", "density", "data", "system"]
HAZARDS: tuple[Hazard, ...] = ("flood", "inundation", "tidal", "density", "data", "system")
"""flood = banjir (river), inundation = genangan (standing street water), tidal = rob; data and system are about us."""
ABOUT_US: frozenset[str] = frozenset({"data", "system"})
"""Hazards of our own sensors and peers, not of the city."""


class Station(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One row of ``stations.csv``; two zeros at one post are two stations with the same ``post``.

    Attributes:
        group: connected component of the river links, or the crowd zone itself: the key of the alert state.
        lat, lon: degrees WGS 84, None when unknown.
        area: code of the area (kelurahan) it stands in, empty when unknown.
        cadence_ms: expected interval between readings.
        range_low, range_high: the sensor's own span; None: the kind's.
        area_m2: usable standing area of a crowd zone.
        capacity: persons the place is allowed to hold.
        overlaps: ids of zones that see some of the same people.
    """

    id: str
    name: str
    kind: str
    hazard: Hazard
    group: str
    aliases: tuple[str, ...] = ()
    post: str = ""
    river: str = ""
    lat: float | None = None
    lon: float | None = None
    area: str = ""
    cadence_ms: int = 600_000
    range_low: float | None = None
    range_high: float | None = None
    area_m2: float | None = None
    capacity: int | None = None
    overlaps: tuple[str, ...] = ()
    note: str = ""
    source: str = ""
