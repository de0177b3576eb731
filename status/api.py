"""The web application: routes found in ``status/routes`` and the public pages, around one board.

``create_app`` is all that ``app`` needs; nothing here opens a database or a socket.
"""

import importlib
import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import status.routes
from pantau.city import City
from pantau.ports import Clock
from status import problems
from status.board import Board, Health
from status.clocks import Clocks
from status.metrics import Metrics
from status.pages.routes import install as install_pages
from status.service import Service
from status.watch import Watch
from status.wire import Headers

__all__ = ["create_app", "end_streams"]

_DESCRIPTION = (
    "Water levels, crowd counts and alerts, free to read without a key. Provisional data: automatic, not reviewed. "
    "Times are RFC 3339 UTC; errors are problem details (RFC 9457)."
)


def create_app(board: Board, city: City, clock: Clock, health: Health, *, exercise: bool) -> FastAPI:
    """The application, ready for an ASGI server; it looks at the board while its lifespan lasts.

    Args:
        health: asked by ``/readyz``.
        exercise: every page, alert and station says LATIHAN / EXERCISE.
    """
    log = structlog.get_logger("status")

    def report(problem: Exception) -> None:
        log.error("board_unavailable", error=repr(problem))

    watch = Watch(board, city, clock, exercise=exercise, report=report)
    clocks = Clocks(board, city, clock, watch, report)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        async with watch.running(), clocks.running():
            yield

    app = FastAPI(
        title=f"Pantau: {city.name}", description=_DESCRIPTION, version="1", lifespan=lifespan,
        openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None,
    )  # fmt: skip
    app.state.service = Service(board, city, clock, health, watch, clocks, metrics, exercise)
    for info in pkgutil.iter_modules(status.routes.__path__):
        app.include_router(importlib.import_module(f"status.routes.{info.name}").router)
    install_pages(app)
    problems.install(app)
    app.add_middleware(GZipMiddleware, minimum_size=500, compresslevel=6)
    app.add_middleware(Headers)
    app.add_middleware(_Counted, metrics=metrics)
    return app


def end_streams(app: FastAPI) -> None:
    """Let all streams end, so that the server can stop: without it uvicorn waits for them. From any thread."""
    service: Service = app.state.service
    service.watch.changes.close()


class _Counted:
    """ASGI middleware: counts answers by route (its pattern, never the path: an id would make endless series)."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "none")
                self.metrics.requests.labels(route, scope["method"], str(message["status"])).inc()
            await send(message)

        await self.app(scope, receive, counting)
