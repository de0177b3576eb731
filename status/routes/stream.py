"""GET /api/v1/stream: server-sent events ``station`` and ``alert`` with the same JSON as the resources."""

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from status.changes import Change
from status.problems import Problem
from status.service import At, Service

__all__ = ["CLIENTS", "router"]

CLIENTS = 2_000
"""Streams at a time: each costs a socket and some kilobytes; who comes later is told to poll /stations."""

HEARTBEAT_S = 15
RETRY_MS = 3_000

router = APIRouter(prefix="/api/v1", tags=["stream"])


@router.get("/stream", summary="Changes as they happen (server-sent events)")
async def stream(
    request: Request,
    service: At,
    last_event_id: Annotated[str, Header(description="change number seen last; its events come again")] = "",
) -> Response:
    """Starts with what changed since Last-Event-ID; an id that is too old gets every station and open alert."""
    if request.scope.get("without_body"):
        return Response(media_type="text/event-stream")
    if service.metrics.streams_now >= CLIENTS:
        detail = "too many streams are open; poll GET /api/v1/stations (ETag) instead, or try again"
        raise Problem(503, detail, headers={"Retry-After": "30"})
    seen = int(last_event_id) if last_event_id.isdecimal() and len(last_event_id) < 19 else None
    return EventSourceResponse(
        _events(service, seen, fresh=not last_event_id),
        ping=HEARTBEAT_S,
        ping_message_factory=lambda: ServerSentEvent(comment="still here"),
        send_timeout=30,
        headers={"X-Accel-Buffering": "no"},
    )


async def _events(service: Service, seen: int | None, *, fresh: bool) -> AsyncIterator[ServerSentEvent]:
    changes = service.watch.changes
    with service.metrics.streaming():
        snapshot = await service.watch.snapshot()
        yield ServerSentEvent(comment=f"change {snapshot.position}", retry=RETRY_MS)
        place: int | None = changes.end if fresh else changes.place_of(seen) if seen is not None else None
        while not changes.closed:
            read = None if place is None else changes.read(place)
            if read is None:
                place = changes.end
                for change in await _everything(service):
                    yield _sent(change)
                continue
            found, place = read
            for change in found:
                yield _sent(change)
            await changes.wait(place)


async def _everything(service: Service) -> list[Change]:
    snapshot = await service.watch.snapshot()
    stations = [("station", properties) for properties in snapshot.properties.values()]
    alerts = [("alert", service.alert_form(alert)) for alert in service.watch.open_alerts]
    return [
        Change(snapshot.position, event, msgspec.json.encode(data).decode())
        for event, data in [*stations, *alerts]
    ]


def _sent(change: Change) -> ServerSentEvent:
    return ServerSentEvent(event=change.event, data=change.data, id=str(change.id))
