"""What operators do: each request becomes a command, and the answer is the pipeline's.

200 when it was applied, 409 when the pipeline says no, 202 with a ``Location`` when it was not applied within a second.
"""

import asyncio
import math
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from pantau.forms import rfc3339
from pantau.quality import FUTURE_MS
from pantau.reading import MAIN
from status.params import Instant
from status.problems import Problem
from status.service import At, By, Service, blocking, station_named
from status.wire import answer

__all__ = ["router"]

WAIT_S = 1.0
LONGEST_SHELF_MS = 7 * 86_400_000
"""A shelf is for a repair, not for ever."""
_POLL_S = 0.02

Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Value = Annotated[float, Field(allow_inf_nan=False, strict=True, description="in `unit`; a JSON number")]

router = APIRouter(prefix="/api/v1", tags=["operators"])


class Noted(BaseModel):
    """A body whose only member is the operator's reason."""

    model_config = ConfigDict(extra="ignore")

    note: Note = ""


class Shelf(Noted):
    """Until when an alert is shelved."""

    until: Instant


class ManualReading(Noted):
    """What a post reported by telephone."""

    station: Word
    value: Value
    unit: Word | None = None
    sensor: Word = MAIN
    observed_at: Instant | None = None
    confirm: bool = False


class WrongReading(Noted):
    """Which reading is wrong."""

    station: Word
    observed_at: Instant
    sensor: Word = MAIN


class InService(Noted):
    """Whether a station works; out of service needs a reason."""

    in_service: bool


@router.post("/alerts/{id}/acknowledge", summary="I have seen it and act on it")
async def acknowledge(id: str, service: At, by: By, body: Noted | None = None) -> Response:
    """ISA-18.2 acknowledge."""
    return await _about_alert(service, by, "acknowledge", id, body or Noted())


@router.post("/alerts/{id}/confirm", summary="The jump is real")
async def confirm(id: str, service: At, by: By, body: Noted | None = None) -> Response:
    """Confirms what waits for its next reading."""
    return await _about_alert(service, by, "confirm", id, body or Noted())


@router.post("/alerts/{id}/shelve", summary="Quiet until an instant")
async def shelve(id: str, service: At, by: By, body: Shelf) -> Response:
    """No notices until then, unless it grows worse."""
    if not 0 < body.until - service.clock.now() <= LONGEST_SHELF_MS:
        raise Problem(422, "until: expected an instant in the future, at most seven days away")
    return await _about_alert(service, by, "shelve", id, body, until=body.until)


@router.post("/alerts/{id}/unshelve", summary="End the quiet")
async def unshelve(id: str, service: At, by: By, body: Noted | None = None) -> Response:
    """Ends a shelf before its time."""
    return await _about_alert(service, by, "unshelve", id, body or Noted())


@router.post("/alerts/{id}/close", summary="End it although its condition holds")
async def close(id: str, service: At, by: By, body: Noted | None = None) -> Response:
    """It stays quiet until the condition has ended or grown worse."""
    return await _about_alert(service, by, "close", id, body or Noted())


@router.post("/readings", summary="Manual entry")
async def manual_reading(service: At, by: By, body: ManualReading) -> Response:
    """A reading like any other, with the operator as its source; a jump waits unless `confirm` vouches for it."""
    station = station_named(service, body.station)
    kind = service.city.kinds[station.kind]
    unit = body.unit or kind.unit
    if unit not in kind.units:
        raise Problem(422, f"unit: expected one of {', '.join(kind.units)}, found {unit!r}")
    value = body.value * kind.units[unit]
    if not math.isfinite(value):
        raise Problem(422, f"value: {body.value:g} {unit} is too large")
    now = service.clock.now()
    observed_at = now if body.observed_at is None else body.observed_at
    if observed_at > now + FUTURE_MS:
        raise Problem(422, "observed_at: expected an instant that has passed")
    asked = {
        "station": station.id, "kind": station.kind, "sensor": body.sensor, "value": value,
        "observed_at": observed_at, "note": body.note, "vouched": body.confirm,
    }  # fmt: skip
    return await _ask(service, by, "reading", asked, observed_at=rfc3339(observed_at))


@router.post("/readings/mark-wrong", summary="Flag a reading as wrong")
async def mark_wrong(service: At, by: By, body: WrongReading) -> Response:
    """The value stays, its flag becomes FAIL, what it raised is withdrawn and the correction is told."""
    station = station_named(service, body.station)
    at = body.observed_at
    stored = await blocking(
        service.board.readings, station.id, station.kind, start=at, end=at + 1, sensor=body.sensor, limit=1
    )
    current = [
        record.value
        for record in service.watch.stations.records(station.id)
        if record.sensor == body.sensor and record.observed_at == at
    ]
    if not stored and not current:
        raise Problem(404, f"station {station.id!r}, sensor {body.sensor!r} has no reading at this instant")
    asked = {
        "station": station.id, "kind": station.kind, "sensor": body.sensor, "observed_at": at,
        "value": stored[0].value if stored else current[0],
        "received_at": stored[0].received_at if stored else service.clock.now(), "note": body.note,
    }  # fmt: skip
    return await _ask(service, by, "mark_wrong", asked)


@router.post("/stations/{id}/service", summary="Take a station out of service, or back")
async def in_or_out(id: str, service: At, by: By, body: InService) -> Response:
    """Shown as such with the reason; no alert of a station under repair is told."""
    station = station_named(service, id)
    if not body.in_service and not body.note:
        raise Problem(422, "note: expected the reason, which the public page shows")
    verb = "in_service" if body.in_service else "out_of_service"
    return await _ask(service, by, verb, {"station": station.id, "note": body.note})


@router.get("/commands/{id}", summary="What became of a command")
async def command(id: int, service: At, by: By) -> Response:
    """``state`` is waiting or done."""
    del by
    found = await blocking(service.board.answer, id)
    if found is None:
        raise Problem(404, f"there is no command {id}")
    state = "waiting" if found.ok is None else "done"
    return answer(200, {"id": id, "state": state, "ok": found.ok, "text": found.text})


async def _about_alert(
    service: Service, by: str, verb: str, id: str, body: Noted, **more: object
) -> Response:
    if await blocking(service.board.alert, id) is None:
        raise Problem(404, f"there is no alert {id!r}; GET /api/v1/alerts?state=all lists all")
    return await _ask(service, by, verb, {"alert": id, "note": body.note, **more})


async def _ask(service: Service, by: str, verb: str, body: dict[str, Any], **told: str) -> Response:
    number = await blocking(service.board.command, verb, body, by)
    deadline = asyncio.get_running_loop().time() + WAIT_S
    while True:
        found = await blocking(service.board.answer, number)
        if found is not None and found.ok is not None:
            break
        if asyncio.get_running_loop().time() >= deadline:
            service.metrics.commands.labels(verb, "waiting").inc()
            waiting = {
                "id": number,
                "state": "waiting",
                "ok": None,
                "text": "accepted, not applied yet",
                **told,
            }
            return answer(202, waiting, Location=f"/api/v1/commands/{number}")
        await asyncio.sleep(_POLL_S)
    service.metrics.commands.labels(verb, "ok" if found.ok else "refused").inc()
    if not found.ok:
        raise Problem(409, found.text, command=number)
    return answer(200, {"id": number, "state": "done", "ok": True, "text": found.text, **told})
