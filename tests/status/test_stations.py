"""GET /api/v1/stations and /stations/{id}."""

import gzip
import time
from collections.abc import Callable
from typing import Any

import msgspec

from app.clock import VirtualClock
from pantau.city import City
from status.api import create_app
from status.board import Counting
from tests.fakes_board import BoardInMemory, HealthInMemory
from tests.status.client import running
from tests.status.conftest import Site
from tests.status.sample import DEPOK, KATULAMPA, MANGGARAI, MIN, NOW, latest


def eventually(claim: Callable[[], bool], within_s: float = 5) -> None:
    """The watch looks four times a second: wait until a claim holds."""
    deadline = time.monotonic() + within_s
    while not claim():
        assert time.monotonic() < deadline, "it never became so"
        time.sleep(0.05)


def properties(site: Site, station: str) -> dict[str, Any]:
    features = site.client.get("/api/v1/stations").json()["features"]
    found: dict[str, Any] = next(feature["properties"] for feature in features if feature["id"] == station)
    return found


def test_all_stations_come_as_one_feature_collection(site: Site) -> None:
    answer = site.client.get("/api/v1/stations")
    collection = answer.json()
    assert answer.headers["content-type"] == "application/geo+json"
    assert (collection["type"], collection["as_of"]) == ("FeatureCollection", "2014-01-29T15:30:00.000Z")
    assert len(collection["features"]) == len(site.city.stations)
    katulampa = next(feature for feature in collection["features"] if feature["id"] == KATULAMPA)
    assert katulampa["geometry"]["coordinates"] == [106.836806, -6.633167]
    assert katulampa["properties"]["siaga"] == 2


def test_a_station_without_coordinates_has_no_geometry(city: City) -> None:
    bare = msgspec.structs.replace(
        city, stations={KATULAMPA: msgspec.structs.replace(city.stations[KATULAMPA], lat=None)}
    )
    app = create_app(BoardInMemory(), bare, VirtualClock(NOW), HealthInMemory(), exercise=False)
    with running(app) as client:
        assert client.get("/api/v1/stations").json()["features"][0]["geometry"] is None


def test_a_hundred_stations_fit_into_twenty_kilobytes(site: Site) -> None:
    packed = site.client.get("/api/v1/stations").num_bytes_downloaded
    assert 0 < packed * 100 / len(site.city.stations) < 20_000


def test_the_snapshot_is_served_packed_and_plain_with_one_etag(site: Site) -> None:
    packed = site.client.get("/api/v1/stations", headers={"Accept-Encoding": "gzip"})
    plain = site.client.get("/api/v1/stations", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.headers["etag"] == plain.headers["etag"]
    assert packed.content == plain.content
    assert len(gzip.compress(plain.content)) < len(plain.content)


def test_who_has_the_snapshot_gets_304_and_no_body(site: Site) -> None:
    first = site.client.get("/api/v1/stations")
    again = site.client.get("/api/v1/stations", headers={"If-None-Match": f'"x", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert "content-encoding" not in again.headers
    assert first.headers["cache-control"] == "public, max-age=5, stale-if-error=600"


def test_a_new_reading_makes_a_new_snapshot(site: Site) -> None:
    before = site.client.get("/api/v1/stations").headers["etag"]
    site.clock.set(NOW + MIN)
    site.board.put(latest(KATULAMPA, 201, age_min=-1, severity=3))
    eventually(lambda: properties(site, KATULAMPA)["value"] == 201)
    answer = site.client.get("/api/v1/stations")
    assert answer.headers["etag"] != before
    assert answer.json()["as_of"] == "2014-01-29T15:31:00.000Z"


def test_time_alone_changes_nothing_until_a_value_becomes_stale(site: Site) -> None:
    before = site.client.get("/api/v1/stations").headers["etag"]
    site.clock.set(NOW + MIN)
    time.sleep(0.6)
    assert site.client.get("/api/v1/stations").headers["etag"] == before
    site.clock.set(NOW + 26 * MIN)
    eventually(lambda: properties(site, KATULAMPA)["state"] == "stale")
    katulampa = properties(site, KATULAMPA)
    assert (katulampa["severity"], katulampa["siaga"], katulampa["value"]) == (None, None, 160)


def test_out_of_service_and_back_are_seen_although_going_back_leaves_no_trace(site: Site) -> None:
    site.board.take_out(DEPOK, "new sensor")
    eventually(lambda: properties(site, DEPOK)["state"] == "out_of_service")
    site.board.put_back(DEPOK)
    eventually(lambda: properties(site, DEPOK)["state"] == "ok")


def test_while_the_database_is_away_the_last_snapshot_stays_and_readyz_says_so(site: Site) -> None:
    before = site.client.get("/api/v1/stations")
    site.board.away = True
    eventually(lambda: bool(site.client.get("/readyz").json()["degraded"]))
    assert site.client.get("/api/v1/stations").content == before.content
    site.board.away = False
    eventually(lambda: not site.client.get("/readyz").json()["degraded"])


def test_one_station_has_ladder_links_sensors_and_scores(site: Site) -> None:
    answer = site.client.get(f"/api/v1/stations/{KATULAMPA}")
    feature = answer.json()
    found = feature["properties"]
    assert (feature["type"], feature["id"], found["value"]) == ("Feature", KATULAMPA, 160)
    assert found["ladder"] == {
        "siaga3": 80.0, "siaga2": 150.0, "siaga1": 200.0, "deadband": 5.0, "hold_min": 10.0, "boundary": ">=",
        "source": "Posko Banjir DKI public feed of 2026-04-30",
    }  # fmt: skip
    assert {"station": DEPOK, "name": "P.S. Depok 2", "low_h": 3.0, "high_h": 3.5} in found["links"][
        "downstream"
    ]
    assert [link["station"] for link in found["links"]["upstream"]] == ["155"]
    assert found["scores"][0]["shadow"] is True
    assert found["sensors"][0]["sensor"] == "main"
    assert found["forecast"] is None
    assert answer.headers["etag"]


def test_a_station_whose_ladder_is_not_valid_yet_has_none(site: Site) -> None:
    without = next(s.id for s in site.city.stations.values() if site.city.ladder_at(s.id, NOW) is None)
    assert site.client.get(f"/api/v1/stations/{without}").json()["properties"]["ladder"] is None


def test_an_unknown_station_is_a_problem_that_says_where_to_look(site: Site) -> None:
    answer = site.client.get("/api/v1/stations/nowhere")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "/api/v1/stations" in answer.json()["detail"]


def test_a_stations_name_in_the_place_of_its_id_is_answered_with_the_id(site: Site) -> None:
    answer = site.client.get("/api/v1/stations/katulampa")
    assert answer.status_code == 404
    assert "did you mean 116 (Bendung. Katulampa 2)?" in answer.json()["detail"]


def test_a_station_tells_what_its_devices_lost(site: Site) -> None:
    site.board.counting[MANGGARAI] = [Counting("main", 17, 0, 0, None), Counting("radar", 40, 3, 1, NOW)]
    devices = site.client.get(f"/api/v1/stations/{MANGGARAI}").json()["properties"]["devices"]
    assert devices == [
        {"sensor": "main", "last_seq": 17, "missing": 0, "resets": 0, "last_gap_at": None},
        {
            "sensor": "radar",
            "last_seq": 40,
            "missing": 3,
            "resets": 1,
            "last_gap_at": "2014-01-29T15:30:00.000Z",
        },
    ]
    assert site.client.get(f"/api/v1/stations/{KATULAMPA}").json()["properties"]["devices"] == []


def test_every_sensor_is_told_on_the_stations_own_page(site: Site) -> None:
    site.board.put(latest(MANGGARAI, 740, sensor="radar", flag=3, reason="unchanged"))
    eventually(
        lambda: len(site.client.get(f"/api/v1/stations/{MANGGARAI}").json()["properties"]["sensors"]) == 2
    )
    radar = site.client.get(f"/api/v1/stations/{MANGGARAI}").json()["properties"]["sensors"][1]
    assert (radar["sensor"], radar["flag"], radar["flag_reason"]) == ("radar", 3, "unchanged")
