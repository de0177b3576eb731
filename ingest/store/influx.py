"""Readings in InfluxDB 2, the one door to it: measurement = kind; tags city, station, sensor; time = observed_at.

Synchronous writes of line protocol only: the client's batching mode drops data without a word.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from operator import attrgetter
from time import time
from typing import Any

import structlog
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.dialect import Dialect
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService
from urllib3.exceptions import HTTPError

from ingest.store.flux import LATEST_MS, Series, buckets, history, values_at
from ingest.store.identity import EverythingRefusedError, Identity, bisect, identity
from ingest.store.line import head, parse_tag, to_line
from pantau.errors import Unavailable
from pantau.reading import Flag, Reading

__all__ = ["NOT_INFLUXDB", "InfluxStore"]

NOT_INFLUXDB = "answers, but not like InfluxDB 2: correct PANTAU_INFLUX_URL"
"""What is said of a server that is no InfluxDB: a router's page, a proxy, another service on that port."""

_log = structlog.get_logger("pantau.influx")

_AT = attrgetter("observed_at")
_LINES = 10_000
_ASKED_STATIONS = 50
_APART_MS = 3_600_000
_MOST_HEADS = 200_000
_RETENTION_EVERY_S = 600.0
_MS: Any = WritePrecision.MS
_LINE_PROTOCOL = "text/plain; charset=utf-8"
_PLAIN = Dialect(  # type: ignore[no-untyped-call]
    header=True, annotations=[]
)
_OURS = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
)
"""Answers that blame the data; every other error is about the server, the token or the bucket, and is tried again."""
_WRITTEN = frozenset({HTTPStatus.CREATED, HTTPStatus.NO_CONTENT})
"""InfluxDB's answers to a write; a 200 with a page of HTML would lose the readings without a word."""


class InfluxStore:
    """See ``pantau.ports.ReadingStore``.

    Args:
        url, token, org, bucket: as in the settings; the token may read and write the bucket.
        city_id: value of the tag ``city``.
        timeout_s: of one call.
    """

    def __init__(
        self, url: str, token: str, org: str, bucket: str, city_id: str, *, timeout_s: float = 10.0
    ) -> None:
        self._client: Any = InfluxDBClient(url, token, org=org, timeout=int(timeout_s * 1000))
        self._writer: Any = WriteService(self._client.api_client)  # type: ignore[no-untyped-call]
        self._org = org
        self._asker = self._client.query_api()
        self._bucket = bucket
        self._city = city_id
        self._heads: dict[tuple[str, str, str], str] = {}
        self._retention_ms = 0
        self._retention_at = float("-inf")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def write(self, readings: Sequence[Reading]) -> list[tuple[Reading, str]]:
        """Store a batch; returns the readings InfluxDB will never take, each with its reason.

        Raises:
            Unavailable: InfluxDB is away, busy, or does not let us in; nothing of the batch is known to be stored.
        """
        bad: list[tuple[Reading, str]] = []
        good: Sequence[Reading] = readings  # of two with one key InfluxDB keeps the later line, as we would
        oldest = self.kept_from()
        if good and not oldest <= min(map(_AT, good)) <= max(map(_AT, good)) <= LATEST_MS:
            bad = [
                (reading, self._outside(reading, oldest))
                for reading in good
                if not oldest <= reading.observed_at <= LATEST_MS
            ]
            good = [reading for reading in good if oldest <= reading.observed_at <= LATEST_MS]
        for begin in range(0, len(good), _LINES):
            try:
                bad += bisect(good[begin : begin + _LINES], self._attempt)
            except EverythingRefusedError as error:  # the way there, or the bucket: no data is as bad as that
                raise Unavailable("influxdb", f"every point is refused: {error}") from error
        return bad

    def kept_from(self) -> int:
        """Oldest instant that the bucket keeps, by the real clock, for InfluxDB lives on it; 0 when it keeps all."""
        now = time()
        if now - self._retention_at > _RETENTION_EVERY_S:
            self._retention_ms, self._retention_at = self._retention(), now
        return int(now * 1000) - self._retention_ms if self._retention_ms else 0

    def existing(self, readings: Iterable[Reading]) -> dict[Identity, float]:
        """Values already stored under the keys of these readings."""
        wanted = {identity(reading) for reading in readings}
        found: dict[Identity, float] = {}
        for keys in _near(wanted):
            series = Series(self._bucket, self._city, keys[0][3], keys[-1][3] + 1)
            series.of("_measurement", *{key[2] for key in keys})
            stations = {key[0] for key in keys}
            if len(stations) <= _ASKED_STATIONS:
                series.of("station", *stations)
            for row in self._ask(values_at(series)):
                key = (parse_tag(row["station"]), parse_tag(row["sensor"]), parse_tag(row["_measurement"]),
                       _ms(row["_time"]))  # fmt: skip
                if key in wanted:
                    found[key] = float(row["_value"])
        return found

    def read(
        self,
        station: str,
        kind: str,
        *,
        start: int,
        end: int,
        sensor: str | None = None,
        limit: int = 100_000,
    ) -> list[Reading]:
        """History, oldest first (then by sensor); ``start`` inclusive, ``end`` exclusive, at most ``limit``."""
        if start >= end or limit < 1:
            return []
        return [
            Reading(
                station, kind, float(row["value"]), _ms(row["_time"]), int(row["received_at"]),
                parse_tag(row["sensor"]), flag=int(row["flag"]), reason=_reason(row),
            )
            for row in self._ask(history(self._series(station, kind, start, end, sensor), limit))
        ]  # fmt: skip

    def downsample(
        self, station: str, kind: str, *, start: int, end: int, every_ms: int, sensor: str = "main"
    ) -> list[dict[str, Any]]:
        """Buckets of ``every_ms`` aligned to 1970: dicts of at (ms), min, mean, max, count; FAIL readings left out."""
        if start >= end:
            return []
        rows = self._ask(buckets(self._series(station, kind, start, end, sensor), every_ms))
        return [_bucket(row, every_ms) for row in rows]

    def _attempt(self, readings: Sequence[Reading]) -> str:
        body = "\n".join(self._lines(readings))
        try:
            with _reachable(except_for=_OURS):
                answer = self._writer.post_write_with_http_info(
                    self._org, self._bucket, body.encode(), precision=_MS, content_type=_LINE_PROTOCOL
                )
                if answer[1] not in _WRITTEN:
                    raise Unavailable("influxdb", NOT_INFLUXDB)
        except ApiException as error:
            return f"InfluxDB refuses it: {error.message}"
        return ""

    def _lines(self, readings: Sequence[Reading]) -> list[str]:
        known, lines = self._heads.get, []
        for reading in readings:
            key = (reading.kind, reading.station, reading.sensor)
            lines.append(to_line(reading, known(key) or self._head(key, reading)))
        return lines

    def _head(self, key: tuple[str, str, str], reading: Reading) -> str:
        if len(self._heads) >= _MOST_HEADS:
            self._heads.clear()
        made = self._heads[key] = head(self._city, reading)
        return made

    def _outside(self, reading: Reading, oldest: int) -> str:
        return self._too_old() if reading.observed_at < oldest else "InfluxDB's time ends in the year 2262"

    def _too_old(self) -> str:
        days = self._retention_ms / 86_400_000
        return f"older than the {days:g} days that bucket {self._bucket} keeps: raise its retention before a back-fill"

    def _retention(self) -> int:
        """How long the bucket keeps points, ms; 0: for ever, or we may not know."""
        with _reachable():
            bucket = self._client.buckets_api().find_bucket_by_name(self._bucket)
            if bucket is not None:
                return (
                    max((rule.every_seconds or 0 for rule in bucket.retention_rules or ()), default=0) * 1000
                )
        _log.warning("bucket not visible, so its retention is unknown", bucket=self._bucket)
        return 0

    def _series(self, station: str, kind: str, start: int, end: int, sensor: str | None) -> Series:
        series = Series(self._bucket, self._city, start, end).of("_measurement", kind).of("station", station)
        return series if sensor is None else series.of("sensor", sensor)

    def _ask(self, query: str) -> Iterator[Mapping[str, str]]:
        names: list[str] = []
        with _reachable():
            for row in self._asker.query_csv(query, dialect=_PLAIN):
                if row[1:3] == ["result", "table"] or row[1:2] == ["error"]:
                    names = row
                elif names[1:2] == ["error"]:  # an answer that began well and broke off
                    raise Unavailable("influxdb", row[1])
                elif row and not names:  # what is no table: a page of HTML
                    raise Unavailable("influxdb", NOT_INFLUXDB)
                else:
                    yield dict(zip(names, row, strict=False))


@contextmanager
def _reachable(except_for: frozenset[HTTPStatus] = frozenset()) -> Iterator[None]:
    """Turn what InfluxDB or the way to it says into Unavailable, but for these answers."""
    try:
        yield
    except ApiException as error:
        if error.status in except_for:
            raise
        raise Unavailable(
            "influxdb", f"{error.status} {error.message}", retry_after_s=_retry_after(error)
        ) from error
    except (HTTPError, OSError) as error:
        raise Unavailable("influxdb", f"{type(error).__name__}: {error}") from error
    except (TypeError, AttributeError, ValueError, KeyError) as error:  # the client could not read the answer
        raise Unavailable("influxdb", NOT_INFLUXDB) from error


def _retry_after(error: ApiException) -> float | None:
    given = str(error.retry_after or "")
    return float(given) if given.isdigit() else None


def _near(keys: Iterable[Identity]) -> Iterator[list[Identity]]:
    """The keys in order of time, parted where an hour passes without one: no question spans more than it must."""
    part: list[Identity] = []
    for key in sorted(keys, key=lambda key: key[3]):
        if part and key[3] - part[-1][3] > _APART_MS:
            yield part
            part = []
        part.append(key)
    if part:
        yield part


def _reason(row: Mapping[str, str]) -> str:
    """A GOOD point may still carry what was said of it before; see ``ingest.store.line.to_line``."""
    return "" if int(row["flag"]) == Flag.GOOD else row.get("reason", "")


def _ms(text: str) -> int:
    """Milliseconds of a time as InfluxDB prints it (RFC 3339, UTC)."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _bucket(row: Mapping[str, str], every_ms: int) -> dict[str, Any]:
    # InfluxDB begins the first bucket at the start of the range; ours all begin on a multiple.
    at = _ms(row["_time"])
    return {
        "at": at - at % every_ms, "min": float(row["min"]), "mean": float(row["mean"]), "max": float(row["max"]),
        "count": int(float(row["count"])),
    }  # fmt: skip
