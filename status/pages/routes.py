"""The public pages: / -> /id, the front page, a station, an alert and all alerts, in Indonesian and English."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from pantau.errors import Unavailable
from pantau.forms import forecast_stale_at
from pantau.outlook import Outlook
from pantau.reading import Reading
from pantau.record import AlertRecord
from pantau.station import ABOUT_US
from status.board import AlertQuery
from status.pages.home import Known, alert_items, home_context
from status.pages.render import STATIC, Renderer
from status.pages.rows import PATHS, clock_text
from status.pages.station import station_context
from status.pages.value import Told, told_of
from status.pages.why import alert_context
from status.pages.words import LANGUAGES, words_of
from status.service import At, Service, blocking
from status.wire import cached

__all__ = ["install"]

HTML = "text/html; charset=utf-8"
FRESH_S = 1.0
"""A rendered front page serves everybody for so long: in a flood thousands ask for the same one."""

_BROKER = "system:mqtt"
"""Scope of the alert that we hear nothing: the connection to the broker has been gone for a minute."""
DAY_MS = 86_400_000
_TOLD_KEPT = 20_000
"""Alerts of which is remembered what their timelines say: 200 bytes each."""
Properties = Mapping[str, Mapping[str, Any]]
ENDED_SHOWN = 50


def install(app: FastAPI) -> None:
    """Add the pages and their static files to the app."""
    service: Service = app.state.service
    pages = Pages(service)
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/", _to_indonesian)
    router.add_api_route("/static/rivers.geojson", _rivers)
    for language in LANGUAGES:
        words = PATHS[language]
        router.add_api_route(f"/{language}", pages.home(language))
        router.add_api_route(f"/{language}/{words['alert']}", pages.alerts(language))
        router.add_api_route(f"/{language}/{words['alert']}/{{id}}", pages.alert(language))
        router.add_api_route(f"/{language}/{words['station']}/{{id}}", pages.station(language))
    app.include_router(router)
    app.mount("/static", _Kept(directory=STATIC), name="static")


async def _to_indonesian() -> Response:
    return RedirectResponse("/id", 307)


async def _rivers(request: Request, service: At) -> Response:
    return cached(request, msgspec.json.encode(service.city.rivers), "application/geo+json", max_age=3600)


class _Kept(StaticFiles):
    """Files whose address carries a hash of their content: a browser may keep them for ever."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        versioned = scope.get("query_string", b"").startswith(b"v=")
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if versioned else "public, max-age=300"
        )
        return response


class Pages:
    """Makes the routes of each language."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._renderer = Renderer(service.city, exercise=service.exercise)
        self._fresh: dict[str, tuple[float, tuple[int, float], bytes]] = {}
        self._told: dict[str, tuple[int, Told]] = {}
        self._locks = {language: asyncio.Lock() for language in LANGUAGES}

    def home(self, language: str) -> Callable[..., Any]:
        """Route of the front page."""

        async def route(request: Request) -> Response:
            return cached(request, await self._home(language), HTML, max_age=2)

        return route

    async def _home(self, language: str) -> bytes:
        async with self._locks[language]:
            made_at, former, body = self._fresh.get(language, (0.0, None, b""))
            # Who comes because something changed must not get what was rendered before it.
            known = self._service.watch.position, self._service.clock.speed
            if not body or time.monotonic() - made_at > FRESH_S or former != known:
                body = await self._render_home(language)
                self._fresh[language] = (time.monotonic(), known, body)
            return body

    async def _render_home(self, language: str) -> bytes:
        service = self._service
        snapshot = await service.watch.snapshot()
        now = max(service.clock.now(), snapshot.as_of)
        alerts = list(service.watch.open_alerts)

        def render() -> bytes:
            outlooks = self._outlooks(now) if any(alert.forecast for alert in alerts) else {}
            known = Known(outlooks, self._tell(alerts), ahead=service.clocks.ahead.copy())
            context = home_context(
                service.city, snapshot, alerts, language, now, exercise=service.exercise, known=known
            )
            as_of = self._renderer.as_of(now, language)
            return self._page(
                "home.html", language, other_path=f"/{_other(language)}", as_of=as_of, **context
            )

        return await blocking(render)

    def station(self, language: str) -> Callable[..., Any]:
        """Route of a station's page."""

        async def route(request: Request, id: str) -> Response:
            service = self._service
            station = service.city.stations.get(id)
            if station is None:
                return await self._missing(language)
            snapshot = await service.watch.snapshot()
            records = service.watch.stations.records(id)
            now = max(service.clock.now(), snapshot.as_of)
            newest = max((record.observed_at for record in records), default=now)
            readings = await blocking(self._readings, id, station.kind, newest)
            scores = await blocking(service.board.scores, id)
            outlook = await blocking(service.board.forecast, id)
            ahead_ms = await blocking(service.clocks.look_at, station)
            alerts = list(service.watch.open_alerts)

            def render() -> bytes:
                context = station_context(
                    station, service.city, snapshot, language, now,
                    readings=readings, alerts=alerts, scores=scores, outlook=outlook,
                    told=self._tell(alert for alert in alerts if alert.station == id),
                    ahead_ms=ahead_ms, slack_ms=service.clock.slack_ms, exercise=service.exercise,
                )  # fmt: skip
                path = f"/{_other(language)}/{PATHS[_other(language)]['station']}/{id}"
                return self._page("station.html", language, other_path=path, now=now, **context)

            return cached(request, await blocking(render), HTML, max_age=5)

        return route

    def alert(self, language: str) -> Callable[..., Any]:
        """Route of an alert's page."""

        async def route(request: Request, id: str) -> Response:
            service = self._service
            record = await blocking(service.board.alert, id)
            timeline = await blocking(service.board.timeline, id)
            snapshot = await service.watch.snapshot()
            now = max(service.clock.now(), snapshot.as_of)
            context = record and alert_context(
                record, timeline, service.city, language, now,
                exercise=service.exercise, known=Known(properties=snapshot.properties),
            )  # fmt: skip
            if not context:
                return await self._missing(language)
            path = f"/{_other(language)}/{PATHS[_other(language)]['alert']}/{id}"
            body = await blocking(self._page, "alert.html", language, other_path=path, now=now, **context)
            return cached(request, body, HTML, max_age=5)

        return route

    def alerts(self, language: str) -> Callable[..., Any]:
        """Route of the page of all alerts."""

        async def route(request: Request) -> Response:
            service = self._service
            snapshot = await service.watch.snapshot()
            now = max(service.clock.now(), snapshot.as_of)
            found, _ = await blocking(service.board.alerts, AlertQuery(active=False, limit=4 * ENDED_SHOWN))
            active, properties = list(service.watch.open_alerts), snapshot.properties
            context = await blocking(self._alerts_context, active, found, properties, language, now)
            path = f"/{_other(language)}/{PATHS[_other(language)]['alert']}"
            body = await blocking(self._page, "alerts.html", language, other_path=path, now=now, **context)
            return cached(request, body, HTML, max_age=5)

        return route

    def _alerts_context(
        self,
        active: list[AlertRecord],
        found: list[AlertRecord],
        properties: Properties,
        language: str,
        now: int,
    ) -> dict[str, Any]:
        service = self._service

        def items(records: list[AlertRecord]) -> list[Any]:
            known = Known(told=self._tell(records), properties=properties)
            return alert_items(service.city, records, language, now, exercise=service.exercise, known=known)

        shown = items([record for record in active if record.closed_at is None])
        ended = [item for item in items([r for r in found if r.closed_at is not None]) if not item.about_us]
        return {
            "alerts": [item for item in shown if not item.about_us],
            "faults": [item for item in shown if item.about_us],
            "ended": ended[:ENDED_SHOWN],
        }

    def _outlooks(self, now: int) -> dict[str, Outlook]:
        """Forecasts that are not out of date, by station."""
        service = self._service
        stations, fresh_at = service.city.stations, now - service.clock.slack_ms
        return {
            name: outlook
            for name, outlook in service.board.forecasts().items()
            if name in stations and fresh_at <= forecast_stale_at(stations[name], outlook)
        }

    def _tell(self, alerts: Iterable[AlertRecord]) -> dict[str, Told]:
        """What the timelines say of alerts; one is read again only after a transition, so a flood costs little."""
        found: dict[str, Told] = {}
        for alert in alerts:
            if alert.hazard in ABOUT_US:
                continue
            n, told = self._told.get(alert.id, (0, None))
            if told is None or n != alert.n:
                told = told_of(alert, self._service.board.timeline(alert.id))
                self._told[alert.id] = alert.n, told
            found[alert.id] = told
        if len(self._told) > _TOLD_KEPT:
            self._told = {
                name: (alert_n, told) for name, (alert_n, told) in self._told.items() if name in found
            }
        return found

    def _readings(self, station: str, kind: str, newest: int) -> list[Reading]:
        """The last day up to the newest reading; none while the store is away (the page says the rest)."""
        try:
            found = self._service.board.readings(
                station, kind, start=max(0, newest - DAY_MS), end=newest + 1, sensor=None, limit=10_000
            )
        except Unavailable:
            return []
        return list(found)

    async def _missing(self, language: str) -> Response:
        body = await blocking(self._page, "missing.html", language, other_path=f"/{_other(language)}")
        return Response(body, 404, {"Cache-Control": "no-store"}, HTML)

    def _page(
        self, template: str, language: str, *, other_path: str, now: int | None = None, **context: object
    ) -> bytes:
        instant = self._service.clock.now() if now is None else now
        speed = self._service.clock.speed
        return self._renderer.page(
            template,
            language,
            instant,
            other_path,
            speed=speed,
            slack_ms=self._service.clock.slack_ms,
            outage=self._outage(language, instant),
            **context,
        )

    def _outage(self, language: str, now: int) -> str:
        """Since when nothing is heard, as the city's clock says it; empty while the broker is there."""
        watch, city = self._service.watch, self._service.city
        found = [record for record in watch.open_alerts if record.scope == _BROKER]
        if not found:
            return ""
        heard_at = watch.stations.heard_at() or found[0].raised_at
        return clock_text(heard_at, now, city, words_of(language).client)


def _other(language: str) -> str:
    return next(each for each in LANGUAGES if each != language)
