"""The public's retained alerts on MQTT: what changed since a position in, (topic, payload) out."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection

from alerts.store.alerts import changed_since, open_alerts
from pantau.city import City
from pantau.forms import alert_properties, public_part, rfc3339
from pantau.record import AlertRecord
from pantau.station import ABOUT_US

__all__ = ["public_alerts"]


def public_alerts(
    conn: Connection, city: City, since_pos: int, *, exercise: bool = False
) -> list[tuple[str, bytes]]:
    """The worst open, confirmed alert of every hazard and area that was touched after a journal position.

    Publish them retained. The caller keeps the position: take ``alerts.store.alerts.newest_pos`` on the same connection
    first, publish, then write it down; what was not published is computed anew. An area with nothing open gets
    ``{"state": "normal", ...}``: an empty payload would delete the topic, and missing is never "all clear".
    """
    touched: dict[tuple[str, str], int] = {}
    for record in changed_since(conn, since_pos):
        if record.hazard not in ABOUT_US and record.worst > 0:
            for area in record.areas:
                key = (record.hazard, area)
                touched[key] = max(touched.get(key, 0), record.changed_at)
    if not touched:
        return []
    still = [public for record in open_alerts(conn) if (public := public_part(record)) is not None]
    return [
        (f"pantau/v1/{city.id}/public/alert/{hazard}/{area}",
         msgspec.json.encode(_payload(hazard, area, changed_at, still, city, exercise=exercise)))
        for (hazard, area), changed_at in sorted(touched.items())
    ]  # fmt: skip


def _payload(
    hazard: str, area: str, changed_at: int, still: Iterable[AlertRecord], city: City, *, exercise: bool
) -> dict[str, Any]:
    mine = [record for record in still if record.hazard == hazard and area in record.areas]
    if mine:
        worst = max(
            mine, key=lambda record: (record.severity, not record.forecast, record.changed_at, record.id)
        )
        return alert_properties(worst, city, exercise=exercise)
    return {
        "state": "normal",
        "hazard": hazard,
        "area": area,
        "severity": 0,
        "changed_at": rfc3339(changed_at),
        "exercise": exercise,
    }
