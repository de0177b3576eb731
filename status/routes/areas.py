"""GET /api/v1/areas and /api/v1/areas/{code}: how each kelurahan stands."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from pantau.forms import rfc3339
from status.areas import AreaStatus, area_statuses
from status.problems import Problem
from status.service import At, Service
from status.wire import json_answer

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["areas"])


async def _statuses(service: Service) -> tuple[str, dict[str, AreaStatus]]:
    snapshot = await service.watch.snapshot()
    statuses = area_statuses(service.city, service.watch.open_alerts, snapshot.properties)
    return rfc3339(snapshot.as_of), statuses


@router.get("/areas", summary="Status per kelurahan")
async def areas(request: Request, service: At) -> Response:
    """Worst confirmed hazard of each area; ``state`` unknown where no station with a current value speaks for it."""
    as_of, statuses = await _statuses(service)
    forms = [status.form(service.city) for status in statuses.values()]
    return json_answer(request, {"as_of": as_of, "exercise": service.exercise, "areas": forms})


@router.get("/areas/{code}", summary="One kelurahan: what, since when, who says so")
async def area(request: Request, code: str, service: At) -> Response:
    """The area's status with its confirmed open alerts and all the stations that speak for it."""
    if code not in service.city.areas:
        raise Problem(404, f"area {code!r} is not in {service.city.name}; GET /api/v1/areas lists all")
    as_of, statuses = await _statuses(service)
    status = statuses[code]
    snapshot = await service.watch.snapshot()
    more = {
        "as_of": as_of,
        "exercise": service.exercise,
        "open_alerts": [service.alert_form(alert) for alert in status.alerts],
        "watched_by": [
            {key: snapshot.properties[station][key] for key in ("id", "name", "state", "severity", "siaga")}
            for station in status.watched_by
        ],
        "reports": [],
    }
    return json_answer(request, status.form(service.city) | more)
