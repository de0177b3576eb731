"""The first city's catalog, as its sources print it."""

import csv
import itertools
from collections import Counter
from datetime import date, datetime
from pathlib import Path

import pytest

from pantau.city import City
from pantau.cityfolder import load

FOLDER = Path(__file__).resolve().parents[2] / "cities/jakarta"


@pytest.fixture(scope="module")
def jakarta() -> City:
    return load(FOLDER)


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_posts_zones_and_areas_are_all_there(jakarta: City) -> None:
    assert Counter(station.kind for station in jakarta.stations.values()) == {
        "water_level": 42,
        "crowd_count": 34,
    }
    assert len(jakarta.areas) == 267
    assert sum(map(len, jakarta.warns.values())) == 135
    assert len(jakarta.warns) == 10


def test_the_groups_are_the_rivers(jakarta: City) -> None:
    sizes = Counter(station.group for station in jakarta.stations.values())
    assert {group: size for group, size in sizes.items() if size > 1} == {
        "ciliwung": 6,
        "cengkareng": 3,
        "sunter": 3,
    }


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("Katulampa", (80.0, 150.0, 200.0)),
        ("Depok", (200.0, 270.0, 350.0)),
        ("Manggarai", (750.0, 850.0, 950.0)),
        ("Pluit", (-50.0, 0.0, 45.0)),
        ("Cakung Drain", (270.0, 360.0, None)),
    ],
)
def test_published_limits(jakarta: City, name: str, limits: tuple[float | None, ...]) -> None:
    ladder = jakarta.ladder_at(jakarta.find(name).id, at("2014-01-29T22:00:00+07:00"))
    assert ladder is not None
    assert ladder.limits == limits
    assert (ladder.deadband, ladder.hold_ms, ladder.strict) == (5, 600_000, False)


def test_limits_before_2012_are_not_claimed(jakarta: City) -> None:
    assert jakarta.ladder_at("116", at("2011-12-31T23:59:59+07:00")) is None
    assert jakarta.ladder_at("116", at("2012-01-01T00:00:00+07:00")) is not None


def test_the_wave_of_the_ciliwung_has_its_travel_times(jakarta: City) -> None:
    times = {(link.upstream, link.downstream): (link.low_min, link.high_min) for link in jakarta.links}
    assert times[("116", "118")] == (180, 210)
    assert times[("118", "122")] == (360, 420)
    assert times[("155", "116")] == (None, None)


def test_a_square_is_dangerous_at_five_persons_per_m2(jakarta: City) -> None:
    ladder = jakarta.ladder_at("crowd-monas", at("2026-01-01T00:00:00+07:00"))
    assert ladder is not None
    assert ladder.limits == (180_000.0, 240_000.0, 300_000.0)


def test_published_readings_name_stations_of_the_catalog(jakarta: City) -> None:
    with (FOLDER / "events/readings.csv").open(encoding="utf-8", newline="") as file:
        names = {row["station"] for row in csv.DictReader(file)}
    unknown = {name for name in names if not is_known(jakarta, name)}
    assert unknown == {"Sunter Selatan"}


def test_fixed_holidays_begin_in_the_year_they_were_made(jakarta: City) -> None:
    assert date(2013, 5, 1) not in jakarta.holidays
    assert date(2014, 5, 1) in jakarta.holidays
    assert date(2016, 6, 1) not in jakarta.holidays
    assert date(2017, 6, 1) in jakarta.holidays
    for year in range(2013, 2028):
        assert {date(year, 1, 1), date(year, 8, 17), date(year, 12, 25)} <= set(jakarta.holidays)


def test_movable_holidays_are_the_days_they_were(jakarta: City) -> None:
    assert jakarta.holidays[date(2021, 5, 13)] == "Kenaikan Isa Almasih; Idul Fitri"
    assert jakarta.holidays[date(2024, 3, 29)] == "Wafat Isa Almasih"
    assert jakarta.holidays[date(2020, 1, 25)] == "Tahun Baru Imlek"


def test_capacity_rules_follow_one_another_and_end_in_2022(jakarta: City) -> None:
    rules = jakarta.capacity_rules
    assert all(earlier.valid_to == later.valid_from for earlier, later in itertools.pairwise(rules))
    assert rules[-1].valid_to == date(2022, 12, 30)
    assert [rule.percent for rule in rules[:3]] == [25, 50, 100]


def test_every_fact_names_its_source(jakarta: City) -> None:
    for facts in (jakarta.stations.values(), jakarta.links, jakarta.recipients, jakarta.capacity_rules):
        assert all(fact.source for fact in facts)
    assert all(dated.source for ladders in jakarta.ladders.values() for dated in ladders)
    told = "label boundary deadband density_per_m2 advice forecast_advice emergency_number"
    assert set(told.split()) <= set(jakarta.sources)


def is_known(city: City, name: str) -> bool:
    try:
        city.find(name)
    except LookupError:
        return False
    return True
