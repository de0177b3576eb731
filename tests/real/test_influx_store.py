"""What InfluxDB alone can get wrong: bad points, retention, tokens, absence. The rest is in the store contract."""

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from ingest.store.influx import InfluxStore
from pantau.errors import Unavailable
from pantau.reading import Reading
from tests.peers import Influx, free_port, influxd

pytestmark = pytest.mark.real

T0 = 1_767_322_800_000
DAY = 86_400_000


@pytest.fixture(scope="module")
def server() -> Iterator[Influx]:
    with influxd() as peer:
        yield peer


def rain(at: int = T0, value: float = 1.0) -> Reading:
    return Reading("hujan", "rain", value, at, at + 5)


def level(at: int = T0, value: float = 100.0) -> Reading:
    return Reading("116", "water_level", value, at, at + 5)


@contextmanager
def store_of(server: Influx, bucket: str, **changed: str) -> Iterator[InfluxStore]:
    settings = {"url": server.url, "token": server.token, "org": server.org, "bucket": bucket, **changed}
    store = InfluxStore(**settings, city_id="contoh", timeout_s=5.0)
    yield store
    store.close()


def api(server: Influx) -> httpx.Client:
    return httpx.Client(
        base_url=server.url, trust_env=False, headers={"Authorization": f"Token {server.token}"}
    )


def bucket_that_keeps(server: Influx, days: int) -> str:
    name = server.new_bucket()
    with api(server) as http:
        (found,) = http.get("/api/v2/buckets", params={"name": name}).json()["buckets"]
        rules = [{"type": "expire", "everySeconds": days * 86_400, "shardGroupDurationSeconds": 86_400}]
        http.patch(f"/api/v2/buckets/{found['id']}", json={"retentionRules": rules}).raise_for_status()
    return name


def test_one_bad_point_does_not_cost_the_others(server: Influx) -> None:
    bucket = server.new_bucket()
    with api(server) as http:  # somebody else's integer: our float has a field type conflict with it
        query = {"org": server.org, "bucket": bucket, "precision": "ms"}
        http.post("/api/v2/write", params=query, content=f"rain value=1i {T0}").raise_for_status()
    with store_of(server, bucket) as store:
        written = [level(T0 + n) for n in range(40)]
        bad = store.write([*written[:17], rain(), *written[17:], rain(T0 + 1)])
        assert [reading for reading, _ in bad] == [rain(), rain(T0 + 1)]
        assert all("field type conflict" in reason for _, reason in bad)
        assert store.read("116", "water_level", start=0, end=T0 + DAY) == [
            Reading("116", "water_level", 100.0, T0 + n, T0 + n + 5) for n in range(40)
        ]


def test_points_older_than_the_bucket_keeps_are_refused_and_not_dropped_in_silence(server: Influx) -> None:
    now = int(time.time() * 1000)
    with store_of(server, bucket_that_keeps(server, 7)) as store:
        old, young = level(now - 8 * DAY), level(now - 6 * DAY)
        ((refused, reason),) = store.write([old, young])
        assert refused == old
        assert "7 days" in reason
        assert len(store.read("116", "water_level", start=0, end=now)) == 1


def test_points_after_the_end_of_its_time_are_refused(server: Influx) -> None:
    with store_of(server, server.new_bucket()) as store:
        far = level(9_300_000_000_000)
        ((refused, reason),) = store.write([level(), far])
        assert refused == far
        assert "2262" in reason
        assert len(store.read("116", "water_level", start=0, end=253_402_300_799_999)) == 1


@pytest.mark.parametrize("changed", [{"token": "wrong"}, {"org": "nobody"}, {"bucket": "missing"}])
def test_what_the_operator_must_mend_is_tried_again_and_loses_nothing(
    server: Influx, changed: dict[str, str]
) -> None:
    with store_of(server, **{"bucket": server.new_bucket(), **changed}) as store:
        with pytest.raises(Unavailable) as caught:
            store.write([level()])
        assert caught.value.peer == "influxdb"
        with pytest.raises(Unavailable):
            store.read("116", "water_level", start=0, end=T0)


def test_while_influxdb_is_away_every_call_says_so_and_later_works() -> None:
    with influxd() as server, store_of(server, server.bucket) as store:
        store.write([level()])
        server.kill()
        with pytest.raises(Unavailable):
            store.write([level(T0 + 1)])
        with pytest.raises(Unavailable):
            store.existing([level()])
        with pytest.raises(Unavailable):
            store.downsample("116", "water_level", start=0, end=T0, every_ms=1000)
        server.start()
        assert store.write([level(T0 + 1)]) == []
        assert len(store.existing([level(), level(T0 + 1)])) == 2


def test_one_city_does_not_see_the_other(server: Influx) -> None:
    bucket = server.new_bucket()
    other = InfluxStore(server.url, server.token, server.org, bucket, "jauh")
    with store_of(server, bucket) as store:
        store.write([level(value=1.0)])
        other.write([level(value=2.0)])
        assert [r.value for r in store.read("116", "water_level", start=0, end=T0 + 1)] == [1.0]
        assert list(store.existing([level()]).values()) == [1.0]
        assert store.downsample("116", "water_level", start=0, end=T0 + 1, every_ms=DAY)[0]["max"] == 1.0
    other.close()


class Answer(http.server.BaseHTTPRequestHandler):
    """A proxy in front of InfluxDB that has only bad news."""

    status = 503
    retry_after = ""

    def do_GET(self) -> None:
        self._answer(200, b'{"buckets": []}')

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(type(self).status, b'{"code": "x", "message": "busy"}')

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status != 200 and type(self).retry_after:
            self.send_header("Retry-After", type(self).retry_after)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def answering(status: int, retry_after: str = "") -> Iterator[InfluxStore]:
    handler = type("Answering", (Answer,), {"status": status, "retry_after": retry_after})
    with http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), handler) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        store = InfluxStore(f"http://127.0.0.1:{proxy.server_port}", "t", "o", "b", "contoh", timeout_s=5.0)
        yield store
        store.close()
        proxy.shutdown()


@pytest.mark.parametrize(
    ("status", "retry_after", "expected"), [(429, "7", 7.0), (503, "11", 11.0), (500, "", None)]
)
def test_a_busy_server_is_given_the_time_it_asks_for(
    status: int, retry_after: str, expected: float | None
) -> None:
    with answering(status, retry_after) as store, pytest.raises(Unavailable) as caught:
        store.write([level()])
    assert caught.value.retry_after_s == expected


def test_a_batch_that_is_too_large_is_sent_in_halves() -> None:
    with answering(413) as store:
        bad = store.write([level(T0 + n) for n in range(4)])
    assert len(bad) == 4  # here even one is too large; none was left unsaid


class Stranger(http.server.BaseHTTPRequestHandler):
    """A server that is well, and no InfluxDB."""

    status, body, kind = 200, b"", "text/html"

    def do_GET(self) -> None:
        self.send_response(type(self).status)
        self.send_header("Content-Type", type(self).kind)
        self.send_header("Content-Length", str(len(type(self).body)))
        self.end_headers()
        self.wfile.write(type(self).body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


STRANGERS = {
    "html": {"status": 200, "body": b"<!doctype html>\n<p>Router, login</p>\n", "kind": "text/html"},
    "object": {"status": 200, "body": b"{}", "kind": "application/json"},
    "list": {"status": 200, "body": b"[1, 2]", "kind": "application/json"},
    "nothing": {"status": 204, "body": b"", "kind": "text/plain"},
}


@contextmanager
def stranger(word: str) -> Iterator[str]:
    handler = type("Known", (Stranger,), STRANGERS[word])
    with http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{other.server_port}"
        other.shutdown()


@pytest.mark.parametrize("word", STRANGERS)
def test_a_server_that_is_no_influxdb_is_told_by_name_and_nothing_counts_as_stored(word: str) -> None:
    with stranger(word) as url:
        store = InfluxStore(url, "t", "o", "b", "contoh", timeout_s=5.0)
        for _ in range(2):
            with pytest.raises(
                Unavailable, match="answers, but not like InfluxDB 2: correct PANTAU_INFLUX_URL"
            ):
                store.write([level()])
        store.close()


@pytest.mark.parametrize("word", ["html", "object", "list"])
def test_a_page_of_html_is_no_history(word: str) -> None:
    with stranger(word) as url:
        store = InfluxStore(url, "t", "o", "b", "contoh", timeout_s=5.0)
        with pytest.raises(Unavailable, match="not like InfluxDB 2"):
            store.read("116", "water_level", start=0, end=T0)
        store.close()


def test_a_write_that_is_answered_with_a_page_was_no_write() -> None:
    with answering(200) as store, pytest.raises(Unavailable, match="not like InfluxDB 2"):
        store.write([level()])
