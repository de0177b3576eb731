"""How an area stands: what its confirmed open alerts say, and whether anybody can say anything about it.

Missing is never "all clear": an area is normal only while a station that warns it has a current value.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pantau.city import Area, City
from pantau.forms import public_part, rfc3339
from pantau.record import AlertRecord

__all__ = ["AreaStatus", "area_statuses"]


class AreaStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One area.

    Attributes:
        alerts: confirmed and open, what is observed before what is forecast, the worst first, then the oldest; only
            what may be told to the public.
        watched_by: ids of the stations that warn it.
        is_watched: one of them has a current, usable value.
    """

    area: Area
    alerts: tuple[AlertRecord, ...] = ()
    watched_by: tuple[str, ...] = ()
    is_watched: bool = False

    def form(self, city: City) -> dict[str, Any]:
        """The status as the API shows it."""
        worst = self.alerts[0] if self.alerts else None
        severity = worst.severity if worst else 0 if self.is_watched else None
        return {
            "code": self.area.code,
            "name": self.area.name,
            "kecamatan": self.area.kecamatan or None,
            "city": self.area.city or None,
            "lat": self.area.lat,
            "lon": self.area.lon,
            "state": "warned" if worst else "normal" if self.is_watched else "unknown",
            "hazard": worst.hazard if worst else None,
            "severity": severity,
            "label": None
            if severity is None
            else {lang: words[severity] for lang, words in city.label.items()},
            "since": rfc3339(worst.raised_at) if worst else None,
            "forecast": worst is not None and worst.forecast,
            "stations": list(dict.fromkeys(alert.station for alert in self.alerts if alert.station)),
            "alerts": [alert.id for alert in self.alerts],
        }


def area_statuses(
    city: City, open_alerts: Sequence[AlertRecord], properties: Mapping[str, Mapping[str, Any]]
) -> dict[str, AreaStatus]:
    """Status of every area of a city, by code.

    Args:
        open_alerts: unconfirmed ones too; they do not count here.
        properties: of the stations, by id, as in the snapshot.
    """
    warned: dict[str, list[AlertRecord]] = defaultdict(list)
    for record in open_alerts:
        public = public_part(record)
        if public is not None and public.severity > 0:
            for code in {*public.areas, public.scope} & city.areas.keys():
                warned[code].append(public)
    watchers: dict[str, list[str]] = defaultdict(list)
    for station, codes in city.warns.items():
        for code in codes:
            watchers[code].append(station)
    return {
        code: AreaStatus(
            area=area,
            alerts=tuple(
                sorted(
                    warned[code],
                    key=lambda alert: (alert.forecast, -alert.severity, alert.raised_at, alert.id),
                )
            ),
            watched_by=tuple(sorted(name for name in watchers[code] if name in properties)),
            is_watched=any(
                properties[name]["severity"] is not None for name in watchers[code] if name in properties
            ),
        )
        for code, area in city.areas.items()
    }
