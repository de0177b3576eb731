"""Every error of the API as problem details (RFC 9457): what was found, what was expected, what to do."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pantau.errors import Unavailable

__all__ = ["Problem", "install", "problem_response"]

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An answer that is an error.

    Args:
        status: HTTP status.
        detail: whole sentence for the person who reads it.
        headers: of the response, e.g. ``Retry-After``.
        more: further members of the problem object.
    """

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: object
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers, more


def problem_response(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: object
) -> Response:
    """A problem object; its title is the status's own phrase."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
    sent = {"Cache-Control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(body), status, sent, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every error of the app a problem object."""
    app.exception_handler(Problem)(_own)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(Unavailable)(_unavailable)
    app.exception_handler(Exception)(_unexpected)


async def _own(request: Request, error: Problem) -> Response:
    return problem_response(
        error.status, error.detail, headers=error.headers, instance=request.url.path, **error.more
    )


async def _http(request: Request, error: HTTPException) -> Response:
    path = request.url.path
    detail = {
        404: f"{path} does not exist; docs/api.md and /api/v1/openapi.json list what does",
        405: f"{request.method} is not possible on {path}",
    }.get(error.status_code, str(error.detail))
    return problem_response(error.status_code, detail, headers=error.headers, instance=path)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    errors = [_mistake(found) for found in error.errors()]
    detail = "; ".join(f"{mistake['where']}: {mistake['expected']}" for mistake in errors)
    return problem_response(422, detail, instance=request.url.path, errors=errors)


def _mistake(found: Mapping[str, Any]) -> dict[str, str]:
    where: Sequence[Any] = found["loc"]
    expected = str(found["msg"]).removeprefix("Value error, ")
    value = found.get("input")
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
    return {"where": ".".join(str(part) for part in where), "expected": expected, "found": text[:200]}


async def _unavailable(request: Request, error: Unavailable) -> Response:
    return problem_response(503, str(error), headers={"Retry-After": "10"}, instance=request.url.path)


async def _unexpected(request: Request, error: Exception) -> Response:
    structlog.get_logger("status").error("request_failed", path=request.url.path, error=repr(error))
    detail = "the service met an unexpected error and has logged it; try again later"
    return problem_response(500, detail, instance=request.url.path)
