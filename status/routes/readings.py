"""GET /api/v1/stations/{id}/readings: history, raw or downsampled, as JSON, CSV or Parquet."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pantau.forms import rfc3339
from pantau.reading import MAIN, Reading
from pantau.station import Station
from status.params import Duration, Instant, parse_duration
from status.problems import Problem
from status.service import At, Service, blocking, station_named
from status.wire import cached, json_answer

__all__ = ["PAGE", "router"]

PAGE = 100_000
"""Rows of one answer; ``Link: rel=next`` leads to the rest."""

DAY_MS = 86_400_000

router = APIRouter(prefix="/api/v1", tags=["readings"])


class Span(NamedTuple):
    """What was asked for; start inclusive, end exclusive, ms."""

    station: Station
    start: int
    end: int
    sensor: str | None


class Rows(NamedTuple):
    """Rows of an answer, oldest first, each beginning with its instant (ms); where the next page starts, or None."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    next_start: int | None


@router.get("/stations/{id}/readings", summary="History of a station")
async def readings(  # noqa: PLR0913, PLR0917 - the query parameters of design.md
    request: Request,
    id: str,
    service: At,
    start: Annotated[Instant | None, Query(description="inclusive; a day before `end` if left out")] = None,
    end: Annotated[Instant | None, Query(description="exclusive; now if left out")] = None,
    every: Annotated[
        Duration | None, Query(description="downsample: ISO 8601 duration, PT10M, PT1H, P1D")
    ] = None,
    format: Annotated[Literal["json", "csv", "parquet"], Query(description="json, csv or parquet")] = "json",
    sensor: Annotated[str | None, Query(description="one sensor; raw: all if left out")] = None,
) -> Response:
    """Raw readings with their flags, or min, mean, max and count of each interval."""
    station = station_named(service, id)
    end = service.clock.now() + 1 if end is None else end
    start = max(0, end - DAY_MS) if start is None else start
    if start >= end:
        raise Problem(400, f"start ({rfc3339(start)}) must lie before end ({rfc3339(end)})")
    span = Span(station, start, end, sensor)
    step = parse_duration(every) if every else None
    rows = await (_raw(service, span) if step is None else _buckets(service, span, step))
    link = (
        ""
        if rows.next_start is None
        else str(request.url.include_query_params(start=rows.next_start, end=end))
    )
    headers = {"Link": f'<{link}>; rel="next"'} if link else {}
    return await blocking(_FORMS[format], request, service, span, rows, every, headers)


async def _raw(service: Service, span: Span) -> Rows:
    station = span.station
    found = await blocking(
        service.board.readings,
        station.id, station.kind, start=span.start, end=span.end, sensor=span.sensor, limit=PAGE + 1,
    )  # fmt: skip
    next_start = None
    if len(found) > PAGE:
        found, next_start = _whole_instants(found)
    rows = [(r.observed_at, r.sensor, r.value, r.flag, r.reason) for r in found]
    return Rows(("observed_at", "sensor", "value", "flag", "flag_reason"), rows, next_start)


def _whole_instants(found: Sequence[Reading]) -> tuple[Sequence[Reading], int]:
    """A page must not end between two sensors of one instant: the next one starts at an instant."""
    last = found[-1].observed_at
    cut = len(found) - 1
    while cut and found[cut - 1].observed_at == last:
        cut -= 1
    return (found[:cut], last) if cut else (found, last + 1)


async def _buckets(service: Service, span: Span, step: int) -> Rows:
    station = span.station
    # Buckets are aligned to 1970: a page that ended inside one would show it twice.
    end = min(span.end, (span.start // step + PAGE) * step)
    sensor = span.sensor or _first_sensor(service, station)
    found = await blocking(
        service.board.downsampled,
        station.id, station.kind, start=span.start, end=end, every_ms=step, sensor=sensor,
    )  # fmt: skip
    rows = [(b["at"], sensor, b["min"], b["mean"], b["max"], b["count"]) for b in found]
    return Rows(("at", "sensor", "min", "mean", "max", "count"), rows, end if end < span.end else None)


def _first_sensor(service: Service, station: Station) -> str:
    names = [record.sensor for record in service.watch.stations.records(station.id)]
    return MAIN if MAIN in names or not names else names[0]


def _json(
    request: Request, service: Service, span: Span, rows: Rows, every: str | None, headers: dict[str, str]
) -> Response:
    readings = [dict(zip(rows.columns, (rfc3339(row[0]), *row[1:]), strict=True)) for row in rows.rows]
    if every is None:
        for row in readings:
            row["flag_reason"] = row["flag_reason"] or None
    data = {
        "station": span.station.id,
        "kind": span.station.kind,
        "unit": service.city.kinds[span.station.kind].unit,
        "start": rfc3339(span.start),
        "end": rfc3339(span.end),
        "every": every,
        "readings": readings,
        "next": headers.get("Link", "").partition(">")[0].removeprefix("<") or None,
    }
    return json_answer(request, data, headers=headers)


def _csv(
    request: Request, service: Service, span: Span, rows: Rows, every: str | None, headers: dict[str, str]
) -> Response:
    del every
    unit = service.city.kinds[span.station.kind].unit
    lines = [",".join(("station", *rows.columns, "unit"))]
    lines += [
        ",".join(_field(cell) for cell in (span.station.id, rfc3339(row[0]), *row[1:], unit))
        for row in rows.rows
    ]
    body = ("\r\n".join(lines) + "\r\n").encode()
    return _file(request, body, "text/csv; charset=utf-8; header=present", f"{span.station.id}.csv", headers)


def _parquet(
    request: Request, service: Service, span: Span, rows: Rows, every: str | None, headers: dict[str, str]
) -> Response:
    from status.parquet import parquet_bytes  # noqa: PLC0415 - pyarrow is loaded where somebody asks for it

    del every
    unit = service.city.kinds[span.station.kind].unit
    body = parquet_bytes(
        ("station", *rows.columns, "unit"), [(span.station.id, *row, unit) for row in rows.rows]
    )
    return _file(request, body, "application/vnd.apache.parquet", f"{span.station.id}.parquet", headers)


def _file(request: Request, body: bytes, media_type: str, name: str, headers: dict[str, str]) -> Response:
    """An answer that a browser saves."""
    headers = headers | {"Content-Disposition": f'attachment; filename="pantau-{name}"'}
    return cached(request, body, media_type, max_age=5, headers=headers)


_FORMS: dict[str, Callable[..., Response]] = {"json": _json, "csv": _csv, "parquet": _parquet}


def _field(cell: object) -> str:
    text = str(cell)
    if not any(mark in text for mark in ',"\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'
