"""Public feeds as met in the field, made by our own generator: a Posko Banjir document, a SensorThings service.

A real HTTP server on a free port that keeps what it was asked, knows ETag and Last-Modified, and misbehaves on order.
"""

import contextlib
import gzip
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

WIB = timedelta(hours=7)
SENTINEL = "2001-01-01T00:00:00+07:00"
"""What a post shows that has never reported."""


class Post(msgspec.Struct, kw_only=True):
    """One row of a Posko Banjir document; levels and limits in millimetres, as the feed has them."""

    id: str
    mm: float
    tanggal: str
    name: str = "Pos Contoh"
    limits: tuple[int, int, int] | None = None  # Siaga 3, 2, 1; None: 5000/5000/5000, "not set"

    def xml(self) -> str:
        siaga3, siaga2, siaga1 = self.limits or (5000, 5000, 5000)
        fields = {
            "ID_PINTU_AIR": self.id, "KODE_STASIUN": f"K{self.id}", "NAMA_PINTU_AIR": self.name, "LOKASI": "Kali",
            "SIAGA1": siaga1, "SIAGA2": siaga2, "SIAGA3": siaga3, "SIAGA4": 0, "LATITUDE": -6.2, "LONGITUDE": 106.8,
            "RECORD_STATUS": "A", "LAST_UPDATED_DATE": "2020-01-01T00:00:00+07:00", "TANGGAL": self.tanggal,
            "TINGGI_AIR": f"{self.mm:g}", "TINGGI_AIR_SEBELUMNYA": "0", "STATUS_SIAGA": "Status : Normal",
            "TMA_UNALTERED": f"{self.mm + 3:g}",
        }  # fmt: skip
        body = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
        return f"<SP_GET_LAST_STATUS_PINTU_AIR>{body}</SP_GET_LAST_STATUS_PINTU_AIR>"


def wib(at: int) -> str:
    """A time as the feed writes it."""
    return (datetime.fromtimestamp(at / 1000, UTC) + WIB).strftime("%Y-%m-%dT%H:%M:%S+07:00")


def posko_xml(*posts: Post) -> bytes:
    """The whole document."""
    rows = "".join(post.xml() for post in posts)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<DocumentElement>{rows}</DocumentElement>\n'.encode()


class Observation(msgspec.Struct):
    """``time`` is RFC 3339 or an interval of two, ``begin`` its first instant in ms."""

    id: int
    time: str
    begin: int
    result: Any


class Stream(msgspec.Struct):
    """A Datastream of a SensorThings service."""

    symbol: Any = "m"
    observations: list[Observation] = msgspec.field(default_factory=list)

    def add(self, at: int, result: Any, *, minutes: int = 0, text: str | None = None) -> None:
        """One observation at an instant, or over the minutes that end there."""
        begin = at - minutes * 60_000
        time_of = f"{_rfc(begin)}/{_rfc(at)}" if minutes else _rfc(at)
        self.observations.append(Observation(len(self.observations) + 1, text or time_of, begin, result))


def _rfc(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Asked(msgspec.Struct):
    """One request as it came."""

    path: str
    headers: dict[str, str]
    at: float


Misbehaviour = Callable[[BaseHTTPRequestHandler], None]


class FeedServer:
    """The feeds; change ``posts`` and ``streams`` between polls.

    Attributes:
        asked: every request.
        misbehave: what to do instead, once each, for the next requests.
        validators: whether ETag and Last-Modified are sent and honoured.
        public: the address that the service believes it has, in its next links.
    """

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.streams: dict[str, Stream] = {}
        self.asked: list[Asked] = []
        self.misbehave: list[Misbehaviour] = []
        self.validators = True
        self.gzip = True
        feeds = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                feeds.asked.append(Asked(self.path, dict(self.headers.items()), time.monotonic()))
                with contextlib.suppress(ConnectionError):
                    if feeds.misbehave:
                        feeds.misbehave.pop(0)(self)
                    else:
                        feeds._answer(self)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        self.public = f"{self.root}/v1.1"
        self.posko = f"{self.root}/xmldata.xml"
        self.things = f"{self.root}/v1.1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        if parts.path == "/xmldata.xml":
            self._send(handler, posko_xml(*self.posts), "text/xml")
            return
        found = re.fullmatch(r"/v1\.1/Datastreams\((.+?)\)(/Observations)?", unquote(parts.path))
        stream = self.streams.get(found[1].strip("'")) if found else None
        if found is None or stream is None:
            send(404, b'{"code": 404}')(handler)
            return
        body = self._observations(found[1], stream, parse_qs(parts.query)) if found[2] else _described(stream)
        self._send(handler, json.dumps(body).encode(), "application/json")

    def _observations(self, id: str, stream: Stream, query: dict[str, list[str]]) -> dict[str, Any]:
        since = re.fullmatch(r"phenomenonTime ge (\S+Z)", query["$filter"][0])
        assert since, query
        assert query["$orderby"] == ["phenomenonTime asc"]
        begin = round(datetime.fromisoformat(since[1]).timestamp() * 1000)
        top, skip = int(query["$top"][0]), int(query.get("$skip", ["0"])[0])
        found = sorted((o for o in stream.observations if o.begin >= begin), key=lambda one: one.begin)
        body: dict[str, Any] = {
            "value": [
                {"@iot.id": one.id, "phenomenonTime": one.time, "resultTime": None, "result": one.result}
                for one in found[skip : skip + top]
            ]
        }
        if len(found) > skip + top:
            rest = f"$filter=phenomenonTime%20ge%20{since[1]}&$orderby=phenomenonTime%20asc"
            body["@iot.nextLink"] = (
                f"{self.public}/Datastreams({id})/Observations?$top={top}&$skip={skip + top}&{rest}"
            )
        return body

    def _send(self, handler: BaseHTTPRequestHandler, body: bytes, kind: str) -> None:
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if self.validators and handler.headers.get("If-None-Match") == etag:
            send(304, b"", ETag=etag)(handler)
            return
        headers = {"Content-Type": kind}
        if self.validators:
            headers |= {"ETag": etag, "Last-Modified": format_datetime(datetime.now(UTC), usegmt=True)}
        if self.gzip and "gzip" in handler.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body)
            headers["Content-Encoding"] = "gzip"
        send(200, body, **headers)(handler)


def _described(stream: Stream) -> dict[str, Any]:
    return {"@iot.id": 1, "unitOfMeasurement": {"name": "", "symbol": stream.symbol, "definition": ""}}


def truncated(body: bytes) -> Misbehaviour:
    """An answer that promises as many bytes again as it has, and ends."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(2 * len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return act


def send(status: int, body: bytes = b"", **headers: str) -> Misbehaviour:
    """An answer; ``Retry_After`` is ``Retry-After``."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, text in headers.items():
            handler.send_header(name.replace("_", "-"), text)
        if status != 304:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return act


def drip(body: bytes, seconds: float, pieces: int = 20) -> Misbehaviour:
    """The answer in small pieces over some time."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        size = len(body) // pieces + 1
        for first in range(0, len(body), size):
            time.sleep(seconds / pieces)
            handler.wfile.write(body[first : first + size])

    return act


@contextlib.contextmanager
def feeds() -> Iterator[FeedServer]:
    """Runs a server without any post or Datastream."""
    server = FeedServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
