"""What every route works with, made once by ``create_app`` and handed to routes as a FastAPI dependency."""

import asyncio
from collections.abc import Callable
from typing import Annotated, NamedTuple, ParamSpec, TypeVar

from fastapi import Depends, Header, Request

from pantau.city import City
from pantau.forms import alert_properties
from pantau.ports import Clock
from pantau.record import AlertRecord
from pantau.station import Station
from status.board import Board, Health
from status.clocks import Clocks
from status.metrics import Metrics
from status.problems import Problem
from status.watch import Watch

__all__ = ["At", "By", "Reader", "Service", "blocking", "station_named"]

P = ParamSpec("P")
T = TypeVar("T")


class Service(NamedTuple):
    """The parts; ``exercise`` makes everything shown say LATIHAN / EXERCISE."""

    board: Board
    city: City
    clock: Clock
    health: Health
    watch: Watch
    clocks: Clocks
    metrics: Metrics
    exercise: bool

    def alert_form(self, record: AlertRecord) -> dict[str, object]:
        """An alert as the API shows it."""
        return alert_properties(record, self.city, exercise=self.exercise)


async def blocking(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Make a call of the board, which waits for the database, in a worker thread."""
    return await asyncio.to_thread(call, *args, **kwargs)


def _service(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)  # noqa: S101 - ``app.state`` is untyped
    return service


At = Annotated[Service, Depends(_service)]
"""Parameter of a route that needs the service."""


async def _operator(service: At, authorization: Annotated[str, Header()] = "") -> str:
    scheme, _, token = authorization.partition(" ")
    name = None
    if scheme.lower() == "bearer" and token.strip():
        name = await blocking(service.board.operator_of, token.strip())
    if name is None:
        found = "a token that is nobody's or was revoked" if token else "no token"
        detail = (
            f"expected an operator's token (Authorization: Bearer ...), found {found}; "
            "`pantau token add --role operator` makes one"
        )
        raise Problem(401, detail, headers={"WWW-Authenticate": 'Bearer realm="pantau"'})
    return name


By = Annotated[str, Depends(_operator)]
"""Name of the operator who asks; a request without a valid token gets a 401."""


async def _reader(service: At, authorization: Annotated[str, Header()] = "") -> str | None:
    return await _operator(service, authorization) if authorization else None


Reader = Annotated[str | None, Depends(_reader)]
"""Name of the operator who reads; None is the public, which shows no token. A token that is not valid gets a 401."""


def station_named(service: Service, id: str) -> Station:
    """A station of the city.

    Raises:
        Problem: 404, there is none of that id.
    """
    station = service.city.stations.get(id)
    if station is None:
        raise Problem(404, f"station {id!r} is not in {service.city.name}{_hint(service.city, id)}")
    return station


def _hint(city: City, name: str) -> str:
    """Addresses hold ids and nothing else: for a name the id it belongs to is told, not taken."""
    try:
        found = city.find(name)
    except LookupError:
        return "; GET /api/v1/stations lists all"
    return f"; did you mean {found.id} ({found.name})? GET /api/v1/stations lists all"
