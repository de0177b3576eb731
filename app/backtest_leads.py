"""Lead times: lives of alerts and the river's links in, how long before each flood the first warning stood out.

A **flood** is a confirmed level alert that reaches a severity; crossings of one station and severity that follow within
twelve hours are one flood. A **warning** is an alert of cause level, rise or forecast at the station itself (level: of
a lesser severity) or at a post upstream, which was open before the crossing and not too long before: 12 hours, or half
as long again as the slowest water takes from that post. A lead never counts beyond that.
"""

from collections.abc import Sequence
from statistics import median
from typing import Any

import msgspec

from app.backtest_lives import Life
from pantau.city import City
from pantau.forms import rfc3339

__all__ = ["CAUSES", "Flood", "Warned", "floods", "table_of", "upstream_ms"]

CAUSES = ("forecast", "rise", "level")
MERGED_MS = 12 * 3_600_000
HORIZON_MS = 12 * 3_600_000
_SLOWER = 1.5


class Warned(msgspec.Struct, frozen=True):
    """The first warning of a cause: which station gave it and how long before the flood, ms."""

    station: str
    lead_ms: int


class Flood(msgspec.Struct, frozen=True):
    """A station's level reached a severity.

    Attributes:
        at: when, ms since 1970 UTC.
        warned: by cause, the first warning.
    """

    station: str
    severity: int
    at: int
    warned: dict[str, Warned]

    @property
    def first(self) -> tuple[str, Warned] | None:
        """Cause and warning with the longest lead, None when nobody warned."""
        found = [(cause, self.warned[cause]) for cause in CAUSES if cause in self.warned]
        return max(found, key=lambda entry: entry[1].lead_ms, default=None)

    def told(self, city: City) -> dict[str, Any]:
        """As ``--json`` has it."""
        station, first = city.stations[self.station], self.first
        return {
            "at": rfc3339(self.at),
            "station": self.station,
            "name": station.name,
            "severity": self.severity,
            "lead_min": None if first is None else round(first[1].lead_ms / 60_000),
            "cause": None if first is None else first[0],
            "by_cause": {
                cause: {"station": warned.station, "lead_min": round(warned.lead_ms / 60_000)}
                for cause, warned in self.warned.items()
            },
        }


def floods(found: Sequence[Life], city: City) -> list[Flood]:
    """Every flood with its warnings, in order of stations, severities and time."""
    result = []
    warnings = [life for life in found if life.cause in CAUSES and life.sure and life.station]
    for station in sorted({life.station for life in warnings if life.cause == "level"}):
        own = [life for life in warnings if life.station == station and life.cause == "level"]
        reach = {station: HORIZON_MS, **upstream_ms(city, station)}
        near = [life for life in warnings if life.station in reach]
        for severity in (1, 2, 3):
            crossings = sorted(life.reached[severity] for life in own if life.sure >= severity)
            result += [
                Flood(station, severity, at, _warned(near, reach, station, severity, at))
                for before, at in zip([None, *crossings], crossings, strict=False)
                if before is None or at - before > MERGED_MS
            ]
    return result


def upstream_ms(city: City, station: str) -> dict[str, int]:
    """How long before a flood a warning of each post upstream still is about it, ms; farther posts through nearer."""
    found: dict[str, int] = {}
    waiting: list[tuple[tuple[str, ...], int]] = [((station,), 0)]
    while waiting:
        path, so_far = waiting.pop()
        for link in city.upstream(path[-1]):
            travel = so_far + round((link.high_min or 0) * 60_000 * _SLOWER)
            horizon = max(HORIZON_MS, travel)
            if link.upstream not in path and horizon > found.get(link.upstream, 0):
                found[link.upstream] = horizon
                waiting.append(((*path, link.upstream), travel))
    return found


def _warned(
    near: Sequence[Life], reach: dict[str, int], station: str, severity: int, at: int
) -> dict[str, Warned]:
    found: dict[str, Warned] = {}
    for life in near:
        horizon = reach[life.station]
        since = life.opened_at
        if life.station == station and life.cause == "level" and life.reached.get(severity, at) <= since:
            continue  # it began with this severity: that is the flood, not a warning of it
        lead = min(at - since, horizon)
        if (
            lead > 0
            and life.open_at(at - horizon, at)
            and (life.cause not in found or lead > found[life.cause].lead_ms)
        ):
            found[life.cause] = Warned(life.station, lead)
    return found


def table_of(found: Sequence[Flood], city: City) -> list[dict[str, Any]]:
    """One row for each station and severity: floods, how many were warned of, median leads in minutes."""
    rows = []
    for station, severity in sorted({(flood.station, flood.severity) for flood in found}):
        mine = [flood for flood in found if (flood.station, flood.severity) == (station, severity)]
        leads = [first[1].lead_ms for flood in mine if (first := flood.first)]
        row: dict[str, Any] = {
            "station": station,
            "name": city.stations[station].name,
            "severity": severity,
            "floods": len(mine),
            "warned": len(leads),
            "warned_2h": sum(lead >= 7_200_000 for lead in leads),
            "median_lead_min": _median_min(leads),
        }
        for cause in CAUSES:
            by = [flood.warned[cause].lead_ms for flood in mine if cause in flood.warned]
            row |= {f"by_{cause}": len(by), f"{cause}_min": _median_min(by)}
        rows.append(row)
    return rows


def _median_min(leads: Sequence[int]) -> float | None:
    return round(median(leads) / 60_000, 1) if leads else None
