"""A blocking client for an app in the same process: httpx over ASGI, the app's lifespan in a thread of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI


class Client:
    """``get``, ``head``, ``post``, ``options``, ``request`` as httpx has them."""

    def __init__(self, portal: BlockingPortal, inner: httpx.AsyncClient) -> None:
        self._portal, self._inner = portal, inner

    def request(self, method: str, url: str, **more: Any) -> httpx.Response:
        response: httpx.Response = self._portal.call(partial(self._inner.request, method, url, **more))
        return response

    def get(self, url: str, **more: Any) -> httpx.Response:
        return self.request("GET", url, **more)

    def head(self, url: str, **more: Any) -> httpx.Response:
        return self.request("HEAD", url, **more)

    def options(self, url: str, **more: Any) -> httpx.Response:
        return self.request("OPTIONS", url, **more)

    def post(self, url: str, **more: Any) -> httpx.Response:
        return self.request("POST", url, **more)


@contextmanager
def running(app: FastAPI) -> Iterator[Client]:
    """The app with its lifespan, until the context ends."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(app.router.lifespan_context(app)),
    ):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        inner = httpx.AsyncClient(transport=transport, base_url="http://pantau.test")
        yield Client(portal, inner)
        portal.call(inner.aclose)
