"""GET /api/v1/alerts and /api/v1/alerts/{id}: what is going on, what was, and why."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pantau.city import City
from pantau.forms import public_part, rfc3339
from pantau.record import AlertRecord, TransitionRecord
from pantau.siaga import siaga_of
from pantau.station import Hazard
from status.board import AlertQuery
from status.params import Instant
from status.problems import Problem
from status.reasons import reason_of
from status.service import At, Reader, blocking
from status.wire import answer, json_answer

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["alerts"])


@router.get("/alerts", summary="Alerts, newest first")
async def alerts(  # noqa: PLR0913, PLR0917 - the query parameters of design.md
    request: Request,
    service: At,
    state: Annotated[Literal["active", "all"], Query(description="active: open ones only")] = "active",
    hazard: Annotated[Hazard | None, Query(description="of one hazard")] = None,
    area: Annotated[str, Query(description="code of an area: alerts that warn it or are about it")] = "",
    since: Annotated[Instant, Query(description="changed at or after this instant")] = 0,
    cursor: Annotated[str, Query(description="`next` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """``{"alerts": [...], "next": cursor or null}``; an unconfirmed one says ``confirmed: false``."""
    query = AlertQuery(state == "active", hazard or "", area, since, cursor, limit)
    try:
        found, following = await blocking(service.board.alerts, query)
    except ValueError as problem:
        raise Problem(400, f"cursor: expected `next` of an earlier page, found {cursor!r}") from problem
    return json_answer(
        request, {"alerts": [service.alert_form(record) for record in found], "next": following}
    )


@router.get("/alerts/{id}", summary="One alert with its timeline, and why")
async def alert(request: Request, id: str, service: At, reader: Reader) -> Response:
    """The alert, every transition, and the reason of its present severity: limits, flags, detector and version.

    With an operator's token also who acted and what they noted; a wrong token is a 401, not the public's answer.
    """
    record = await blocking(service.board.alert, id)
    if record is None:
        raise Problem(404, f"there is no alert {id!r}; GET /api/v1/alerts?state=all lists all")
    rows = await blocking(service.board.timeline, id)
    form = service.alert_form(record) | {"advice": _advice(record, service.city)}
    is_siaga = form["siaga"] is not None
    if reader is not None:  # no cache may keep what is the operators' business
        timeline = [_step(row, is_siaga=is_siaga) | _by_whom(row) for row in rows]
        return answer(200, form | {"why": reason_of(rows), "timeline": timeline}, Vary="Authorization")
    timeline = [_step(row, is_siaga=is_siaga) for row in rows]
    return json_answer(
        request,
        form | {"why": reason_of(rows), "timeline": timeline},
        headers={"Vary": "Accept-Encoding, Authorization"},
    )


def _advice(record: AlertRecord, city: City) -> dict[str, str] | None:
    """What people do about what is confirmed of an open alert, by language; None when there is nothing to advise."""
    part = public_part(record)
    if part is None or part.closed_at is not None:
        return None
    texts = {
        language: city.advice_for(part.hazard, language, part.severity, forecast=part.forecast)
        for language in city.languages
    }
    return texts if any(texts.values()) else None


def _by_whom(row: TransitionRecord) -> dict[str, Any]:
    """What only operators read of a step."""
    return {"name": row.by or None, "note": row.why.get("note") if row.by else None}


def _step(row: TransitionRecord, *, is_siaga: bool) -> dict[str, Any]:
    return {
        "n": row.n,
        "at": rfc3339(row.at),
        "what": row.what,
        "severity": row.severity,
        "siaga": siaga_of(row.severity) if is_siaga else None,
        "confirmed": row.confirmed,
        "state": row.state,
        "value": row.value,
        "sensor": row.sensor or None,
        # Who it was is the operators' business; that it was a person is everybody's.
        "by": "operator" if row.by else None,
        "why": _public(row),
    }


def _public(row: TransitionRecord) -> dict[str, Any]:
    return {key: value for key, value in row.why.items() if not (row.by and key == "note")}
