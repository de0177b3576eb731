"""The snapshot of a large city says the same as that of a small one, in less memory."""

import gzip

import msgspec
import pytest

from app.clock import VirtualClock
from pantau.city import City
from status import snapshot as module
from status.snapshot import Snapshot, Stations, feature
from status.watch import Watch
from tests.status.sample import DEPOK, KATULAMPA, MIN, NOW, latest, sample_board


@pytest.fixture(params=[1, 2, 7, 10_000])
def pack(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", request.param)


def evening(city: City) -> list[Snapshot]:
    """The sample evening, a value later, and an hour later, when most have become stale."""
    board = sample_board(city)
    stations = Stations(board, city, exercise=True)
    first = stations.refresh(NOW)
    board.put(latest(KATULAMPA, 171, age_min=0))
    return [first, stations.refresh(NOW + MIN), stations.refresh(NOW + 60 * MIN)]


@pytest.mark.usefixtures("pack")
def test_a_large_city_shows_what_a_small_one_does(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    small = evening(city)
    monkeypatch.setattr(module, "LARGE", 1)
    large = evening(city)
    for one, other in zip(small, large, strict=True):
        assert dict(one.properties) == dict(other.properties)
        assert (one.body, one.packed, one.etag) == (other.body, other.packed, other.etag)
        assert (one.changed, one.states) == (other.changed, other.states)
        assert (other.plain, len(other.properties)) == (None, len(city.stations))
        assert "nowhere" not in other.properties


@pytest.mark.usefixtures("pack")
def test_the_body_is_the_collection_of_all_properties(city: City) -> None:
    one = evening(city)[-1]
    collection = msgspec.json.decode(one.body)
    expected = [feature(city.stations[name], values) for name, values in one.properties.items()]
    assert collection["features"] == msgspec.json.decode(msgspec.json.encode(expected))
    assert {**collection, "features": []} == {
        "type": "FeatureCollection", "as_of": "2014-01-29T16:30:00.000Z", "exercise": True, "features": [],
    }  # fmt: skip
    assert gzip.decompress(one.packed) == one.body
    assert sum(one.states.values()) == len(city.stations)


@pytest.mark.parametrize("large", [1, 10_000])
def test_what_changed_is_what_differs_but_for_its_age(
    city: City, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    monkeypatch.setattr(module, "LARGE", large)
    board = sample_board(city)
    stations = Stations(board, city, exercise=False)
    assert stations.refresh(NOW).changed == tuple(city.stations)
    board.put(latest(KATULAMPA, 171, age_min=0))
    assert stations.refresh(NOW + MIN).changed == (KATULAMPA,)
    board.put(latest(DEPOK, 171, age_min=0))
    assert stations.refresh(NOW + 2 * MIN).changed == (DEPOK,)


def test_a_snapshot_of_a_large_city_stays_as_of_its_instant(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGE", 1)
    first, second, _ = evening(city)
    assert first.properties[KATULAMPA]["value"] == 160
    assert second.properties[KATULAMPA]["value"] == 171


def test_a_large_city_is_not_rendered_before_somebody_asks(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watch() -> Watch:
        return Watch(sample_board(city), city, VirtualClock(NOW), exercise=False, report=lambda _: None)

    assert watch()._eager
    monkeypatch.setattr("status.watch.LARGE", 1)
    assert not watch()._eager
