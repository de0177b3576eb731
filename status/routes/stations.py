"""GET /api/v1/stations and /api/v1/stations/{id}: where each station stands now."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from pantau.city import Link
from pantau.forms import forecast_properties, rfc3339
from pantau.record import LatestRecord, ScoreRecord
from pantau.station import Station
from status.board import Counting
from status.service import At, Service, blocking, station_named
from status.snapshot import feature
from status.wire import cached, json_answer

__all__ = ["ladder_form", "router"]

GEOJSON = "application/geo+json"

router = APIRouter(prefix="/api/v1", tags=["stations"])


@router.get("/stations", summary="All stations, as of one instant")
async def stations(request: Request, service: At) -> Response:
    """A GeoJSON FeatureCollection; ``as_of`` is the instant that ``age_s`` counts to."""
    snapshot = await service.watch.snapshot()
    packed = "gzip" in request.headers.get("accept-encoding", "")
    return cached(
        request,
        snapshot.packed if packed else snapshot.body,
        GEOJSON,
        max_age=5,
        etag=snapshot.etag,
        headers={"Content-Encoding": "gzip"} if packed else None,
    )


@router.get("/stations/{id}", summary="One station with its ladder, links, sensors and scores")
async def station(request: Request, id: str, service: At) -> Response:
    """The Feature of the collection, and what is only told here."""
    found = station_named(service, id)
    snapshot = await service.watch.snapshot()
    scores = await blocking(service.board.scores, id)
    devices = await blocking(service.board.devices, id)
    outlook = await blocking(service.board.forecast, id)
    now = max(service.clock.now(), snapshot.as_of)
    more = {
        "as_of": rfc3339(snapshot.as_of),
        "cadence_s": found.cadence_ms // 1000,
        "ladder": ladder_form(service, found, snapshot.as_of),
        "links": _links(service, found),
        "sensors": [_sensor(record) for record in service.watch.stations.records(id)],
        "scores": [_score(record) for record in scores],
        "devices": [_device(counting) for counting in devices],
        "clock_ahead_s": _clock_ahead_s(service, snapshot.properties[id]),
        "forecast": outlook
        and forecast_properties(found, outlook, service.city, now, slack_ms=service.clock.slack_ms),
        "warns": list(service.city.warns.get(id, ())),
        "area_m2": found.area_m2,
        "capacity": found.capacity,
        "note": found.note or None,
        "source": found.source or None,
    }
    return json_answer(request, feature(found, snapshot.properties[id] | more), media_type=GEOJSON)


def ladder_form(service: Service, station: Station, at: int) -> dict[str, Any] | None:
    """Limits in force at an instant with the words of ``ladders.csv``; None without any."""
    ladder = service.city.ladder_at(station.id, at)
    if ladder is None:
        return None
    dated = next(each for each in service.city.ladders[station.id] if each.valid_from <= at < each.valid_to)
    first, second, third = ladder.limits
    return {
        "siaga3": first,
        "siaga2": second,
        "siaga1": third,
        "deadband": ladder.deadband,
        "hold_min": ladder.hold_ms / 60_000,
        "boundary": ">" if ladder.strict else ">=",
        "source": dated.source or None,
    }


def _links(service: Service, station: Station) -> dict[str, list[dict[str, Any]]]:
    city = service.city

    def form(link: Link, other: str) -> dict[str, Any]:
        name = city.stations[other].name if other in city.stations else other
        return {
            "station": other,
            "name": name,
            "low_h": _hours(link.low_min),
            "high_h": _hours(link.high_min),
        }

    return {
        "upstream": [form(link, link.upstream) for link in city.upstream(station.id)],
        "downstream": [form(link, link.downstream) for link in city.downstream(station.id)],
    }


def _clock_ahead_s(service: Service, properties: Mapping[str, Any]) -> int | None:
    """Why a station is silent although its device sends; None when it is live, or nothing says so."""
    if properties["state"] not in {"never_reported", "stale"}:
        return None
    return service.clocks.ahead.get(properties["id"], 0) // 1000 or None


def _hours(minutes: int | None) -> float | None:
    return None if minutes is None else round(minutes / 60, 2)


def _sensor(record: LatestRecord) -> dict[str, Any]:
    return {
        "sensor": record.sensor,
        "value": record.value,
        "observed_at": rfc3339(record.observed_at),
        "received_at": rfc3339(record.received_at),
        "flag": record.flag,
        "flag_reason": record.reason or None,
        "rate": record.rate,
        "severity": record.severity,
        "manual": record.source != "device",
    }


def _device(counting: Counting) -> dict[str, Any]:
    gap = counting.last_gap_at
    return counting._asdict() | {"last_gap_at": None if gap is None else rfc3339(gap)}


def _score(record: ScoreRecord) -> dict[str, Any]:
    return {
        "sensor": record.sensor,
        "detector": record.detector,
        "version": record.version,
        "at": rfc3339(record.at),
        "score": record.score,
        "reason": record.reason,
        "shadow": record.shadow,
    }
