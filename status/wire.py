"""What all answers have in common: ETag and 304, Cache-Control, CORS, security headers, HEAD.

Bytes in, ``Response`` out, and the middleware that gives each response its headers.
"""

from collections.abc import Mapping
from hashlib import blake2b

import msgspec
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Headers", "answer", "cached", "is_known", "json_answer"]

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_OPEN = (b"/api/", b"/feeds/")
_ALLOWED = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "If-None-Match, Last-Event-ID",
    "Access-Control-Max-Age": "86400",
}


def is_known(request: Request, etag: str) -> bool:
    """Whether the client already has the body of this ETag (weak comparison)."""
    known = request.headers.get("if-none-match", "")
    bare = etag.removeprefix("W/")
    return known.strip() == "*" or bare in {tag.strip().removeprefix("W/") for tag in known.split(",")}


def cached(
    request: Request,
    body: bytes,
    media_type: str,
    *,
    max_age: int,
    etag: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A public answer with ETag and Cache-Control; 304 without a body when the client has it."""
    etag = etag or f'W/"{blake2b(body, digest_size=9).hexdigest()}"'
    control = f"public, max-age={max_age}, stale-if-error=600"
    sent = {"ETag": etag, "Cache-Control": control, "Vary": "Accept-Encoding", **(headers or {})}
    if is_known(request, etag):
        sent.pop("Content-Encoding", None)
        return Response(status_code=304, headers=sent)
    return Response(body, headers=sent, media_type=media_type)


def json_answer(
    request: Request,
    data: object,
    *,
    max_age: int = 5,
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A public JSON answer."""
    return cached(request, msgspec.json.encode(data), media_type, max_age=max_age, headers=headers)


def answer(status: int, data: object, **headers: str) -> Response:
    """A JSON answer to one client, kept by nobody."""
    return Response(
        msgspec.json.encode(data), status, {"Cache-Control": "no-store", **headers}, "application/json"
    )


class Headers:
    """ASGI middleware: CORS for what is public, security headers for all, HEAD as a GET without a body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the response's headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_open = scope["path"].encode().startswith(_OPEN)
        method = scope["method"]
        if is_open and method == "OPTIONS":
            await Response(status_code=204, headers={"Access-Control-Allow-Origin": "*", **_ALLOWED})(
                scope, receive, send
            )
            return
        reads = method in {"GET", "HEAD"}

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                _complete(MutableHeaders(scope=message), is_open=is_open and reads)
            await send(message)

        if method == "HEAD":
            scope = {**scope, "method": "GET", "without_body": True}
            await self.app(scope, receive, _without_body(complete))
        else:
            await self.app(scope, receive, complete)


def _complete(headers: MutableHeaders, *, is_open: bool) -> None:
    if is_open:
        headers["Access-Control-Allow-Origin"] = "*"
        headers["Access-Control-Expose-Headers"] = "ETag, Link, Retry-After"
    headers.setdefault("Content-Security-Policy", CSP)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"


def _without_body(send: Send) -> Send:
    """The same headers (Content-Length too), no bytes."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return sending
