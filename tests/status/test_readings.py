"""GET /api/v1/stations/{id}/readings."""

import csv
import io
from typing import Any

import pandas as pd
import pytest

from pantau.reading import Reading
from status.routes import readings as route
from tests.status.conftest import Site
from tests.status.sample import DEPOK, KATULAMPA, MIN, NOW

URL = f"/api/v1/stations/{KATULAMPA}/readings"


def put(site: Site, *rows: tuple[int, float, str]) -> None:
    site.board.history = [
        Reading(DEPOK, "water_level", value, at, at, sensor=sensor, flag=1) for at, value, sensor in rows
    ]


def test_without_a_span_the_last_day_is_told_oldest_first(site: Site) -> None:
    data = site.client.get(URL).json()
    assert len(data["readings"]) == 100
    assert data["readings"][0] == {
        "observed_at": "2014-01-28T22:50:00.000Z", "sensor": "main", "value": 60.0, "flag": 1, "flag_reason": None,
    }  # fmt: skip
    assert (data["unit"], data["kind"], data["next"]) == ("cm", "water_level", None)


def test_start_is_inclusive_and_end_exclusive(site: Site) -> None:
    put(site, (NOW - 2, 1, "main"), (NOW - 1, 2, "main"), (NOW, 3, "main"))
    answer = site.client.get(f"/api/v1/stations/{DEPOK}/readings", params={"start": NOW - 2, "end": NOW})
    assert [reading["value"] for reading in answer.json()["readings"]] == [1, 2]


@pytest.mark.parametrize("text", ["2014-01-29T15:30:00Z", "2014-01-29T22:30:00+07:00", str(NOW)])
def test_instants_are_rfc3339_or_epoch_milliseconds(site: Site, text: str) -> None:
    assert site.client.get(URL, params={"end": text}).json()["end"] == "2014-01-29T15:30:00.000Z"


def test_csv_always_has_its_header(site: Site) -> None:
    full = site.client.get(URL, params={"format": "csv"})
    empty = site.client.get(f"/api/v1/stations/{DEPOK}/readings", params={"format": "csv"})
    assert full.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(full.text)))
    assert len(rows) == 100
    assert rows[0] == {
        "station": KATULAMPA, "observed_at": "2014-01-28T22:50:00.000Z", "sensor": "main", "value": "60.0", "flag": "1",
        "flag_reason": "", "unit": "cm",
    }  # fmt: skip
    assert empty.text == "station,observed_at,sensor,value,flag,flag_reason,unit\r\n"


def parquet(site: Site, **params: Any) -> tuple[pd.DataFrame, str]:
    answer = site.client.get(URL, params={"format": "parquet", **params})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert answer.headers["content-disposition"].endswith(f'"pantau-{KATULAMPA}.parquet"')
    return pd.read_parquet(io.BytesIO(answer.content)), answer.headers.get("link", "")


def test_parquet_holds_what_csv_holds_with_types(site: Site) -> None:
    found, _ = parquet(site)
    answer = site.client.get(URL, params={"format": "csv"})
    words = {"station": str, "flag_reason": str}
    text = pd.read_csv(io.StringIO(answer.text), dtype=words, keep_default_na=False)
    text["observed_at"] = pd.to_datetime(text["observed_at"])
    assert list(found.columns) == list(text.columns)
    assert len(found) == 100
    pd.testing.assert_frame_equal(found, text, check_dtype=False)
    assert str(found["observed_at"].dtype) == "datetime64[ms, UTC]"
    assert (str(found["value"].dtype), str(found["flag"].dtype)) == ("float64", "int8")


def test_parquet_without_rows_has_its_columns_and_types(site: Site) -> None:
    found, _ = parquet(site, start="2000-01-01T00:00:00Z", end="2000-01-02T00:00:00Z")
    assert (len(found), str(found["observed_at"].dtype)) == (0, "datetime64[ms, UTC]")
    assert list(found.columns) == ["station", "observed_at", "sensor", "value", "flag", "flag_reason", "unit"]


def test_parquet_of_buckets_and_of_pages(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    found, link = parquet(site, every="PT1H")
    assert list(found.columns) == ["station", "at", "sensor", "min", "mean", "max", "count", "unit"]
    assert (found["count"].sum(), link) == (100, "")
    monkeypatch.setattr(route, "PAGE", 60)
    first, link = parquet(site)
    assert len(first) == 60
    assert 'rel="next"' in link
    assert "format=parquet" in link


def test_who_has_the_parquet_file_gets_304(site: Site) -> None:
    etag = site.client.get(URL, params={"format": "parquet"}).headers["etag"]
    again = site.client.get(URL, params={"format": "parquet"}, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")


def test_a_reason_with_commas_and_quotes_survives_csv(site: Site) -> None:
    site.board.history = [Reading(DEPOK, "water_level", 1, NOW - 1, NOW, flag=3, reason='a "b", c')]
    text = site.client.get(f"/api/v1/stations/{DEPOK}/readings", params={"format": "csv"}).text
    assert next(csv.DictReader(io.StringIO(text)))["flag_reason"] == 'a "b", c'


def test_downsampling_gives_min_mean_max_and_count(site: Site) -> None:
    hour = NOW // 3_600_000 * 3_600_000
    put(site, (hour, 10, "main"), (hour + MIN, 20, "main"), (hour + 10 * MIN, 60, "main"))
    params: dict[str, Any] = {"every": "PT10M", "start": hour, "end": hour + 20 * MIN}
    data = site.client.get(f"/api/v1/stations/{DEPOK}/readings", params=params).json()
    first, second = data["readings"]
    assert (first["min"], first["mean"], first["max"], first["count"]) == (10, 15, 20, 2)
    assert second["count"] == 1
    assert data["every"] == "PT10M"


def test_pages_follow_each_other_and_never_split_an_instant(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "PAGE", 3)
    put(site, *((NOW - 100 + 10 * i, float(i), sensor) for i in range(4) for sensor in ("a", "b")))
    url: str | None = f"/api/v1/stations/{DEPOK}/readings?end={NOW}"
    seen = []
    while url:
        answer = site.client.get(url)
        seen += [(reading["observed_at"], reading["sensor"]) for reading in answer.json()["readings"]]
        link = answer.headers.get("link", "")
        url = link.partition(">")[0].removeprefix("<") if 'rel="next"' in link else None
        assert answer.json()["next"] == url
        assert len(seen) <= 8
    assert len(seen) == len(set(seen)) == 8


def test_pages_of_buckets_never_split_a_bucket(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "PAGE", 2)
    start = NOW // 60_000 * 60_000 + 30_000
    put(site, *((start + 20_000 * i, float(i), "main") for i in range(12)))
    url: str | None = f"/api/v1/stations/{DEPOK}/readings?every=PT1M&start={start}&end={start + 240_000}"
    counts: dict[str, int] = {}
    while url:
        data = site.client.get(url).json()
        for bucket in data["readings"]:
            assert bucket["at"] not in counts
            counts[bucket["at"]] = bucket["count"]
        url = data["next"]
    assert sum(counts.values()) == 12


@pytest.mark.parametrize(
    ("params", "status", "word"),
    [
        ({"start": "yesterday"}, 422, "RFC 3339"),
        ({"start": "2014-01-29T15:30:00"}, 422, "time zone"),
        ({"start": str(NOW), "end": str(NOW)}, 400, "before"),
        ({"every": "10m"}, 422, "PT10M"),
        ({"every": "P1M"}, 422, "PT10M"),
        ({"every": "PT0S"}, 422, "PT10M"),
        ({"every": "P"}, 422, "PT10M"),
        ({"format": "xml"}, 422, "csv"),
        ({"end": "99999999999999999"}, 422, "RFC 3339"),
    ],
)
def test_a_bad_parameter_says_what_was_expected(
    site: Site, params: dict[str, str], status: int, word: str
) -> None:
    answer = site.client.get(URL, params=params)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert word in answer.json()["detail"]


def test_unknown_parameters_are_ignored(site: Site) -> None:
    assert site.client.get(URL, params={"utm_source": "x"}).status_code == 200
