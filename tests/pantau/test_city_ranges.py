"""What a gauge's limits say about the highest value it can honestly report."""

from pathlib import Path

from msgspec.structs import replace

from pantau import cityfolder
from pantau.city import City
from pantau.cityfolder.ranges import with_ranges
from pantau.past import Limits

CITIES = Path(__file__).parents[2] / "cities"


def highest(city: City, name: str) -> float:
    station = city.stations[name]
    return Limits.of(station, city.kinds[station.kind]).high


def test_a_gauge_with_limits_cannot_report_a_flood_of_a_kilometre() -> None:
    for folder in sorted(CITIES.glob("*/city.toml")):
        city = cityfolder.load(folder.parent)
        for name, ladders in city.ladders.items():
            if city.stations[name].kind == "water_level":
                top = max(limit for dated in ladders for limit in dated.ladder.limits if limit is not None)
                assert top < highest(city, name) <= top + 2_000


def test_what_the_city_writes_and_what_has_no_limits_stays() -> None:
    city = cityfolder.load(CITIES / "contoh")
    gauge = next(
        one for one in city.stations.values() if one.kind == "water_level" and one.id in city.ladders
    )
    own, bare = replace(gauge, range_high=7_000.0), replace(gauge, range_high=None)
    assert with_ranges({gauge.id: own}, city.ladders, city.kinds) == {gauge.id: own}
    assert with_ranges({gauge.id: bare}, {}, city.kinds) == {gauge.id: bare}
    square = next(one for one in city.stations.values() if one.kind == "crowd_count")
    assert with_ranges({square.id: square}, city.ladders, city.kinds) == {square.id: square}


def test_the_highest_limit_of_any_day_counts() -> None:
    city = cityfolder.load(CITIES / "contoh")
    gauge = next(
        one for one in city.stations.values() if one.kind == "water_level" and one.id in city.ladders
    )
    bare = replace(gauge, range_high=None)
    (first, *_) = city.ladders[gauge.id]
    raised = replace(first, ladder=replace(first.ladder, limits=(None, None, 5_000.0)))
    found = with_ranges({gauge.id: bare}, {gauge.id: (raised, first)}, city.kinds)
    assert found[gauge.id].range_high == 7_000.0
