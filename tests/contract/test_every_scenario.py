"""What holds for every scenario in every city; a new file in either folder is found by itself."""

from collections import Counter
from math import isfinite
from pathlib import Path

import pytest

from pantau import cityfolder
from pantau.city import City
from simulators.row import Row
from simulators.scenario import scenarios

ROOT = Path(__file__).resolve().parents[2]
CITIES = sorted(path.parent.name for path in (ROOT / "cities").glob("*/city.toml"))
START = 1_769_904_000_000  # 2026-02-01T00:00Z, a Sunday
HOUR = 3_600_000
END = START + 26 * HOUR

LOADED: dict[str, City] = {}


def the_city(name: str) -> City:
    if name not in LOADED:
        LOADED[name] = cityfolder.load(ROOT / "cities" / name)
    return LOADED[name]


def rows_of(scenario: str, city: City, seed: int = 1, end: int = END) -> list[Row]:
    return list(scenarios()[scenario].rows(city, START, end, seed))


every = pytest.mark.parametrize("scenario", sorted(scenarios()))
everywhere = pytest.mark.parametrize("city", CITIES)


@every
@everywhere
def test_rows_are_in_time_order_within_the_time_asked_for(scenario: str, city: str) -> None:
    times = [row.at for row in rows_of(scenario, the_city(city))]
    assert times
    assert times == sorted(times)
    assert START <= times[0] <= times[-1] < END


@every
@everywhere
def test_rows_belong_to_stations_of_the_city_and_are_possible(scenario: str, city: str) -> None:
    place = the_city(city)
    for row in rows_of(scenario, place):
        station = place.stations[row.station]
        kind = place.kinds[row.kind]
        low = kind.low if station.range_low is None else station.range_low
        high = kind.high if station.range_high is None else station.range_high
        assert row.kind == station.kind
        assert isfinite(row.value)
        assert low <= row.value <= high, (row, low, high)


@every
@everywhere
def test_every_station_reports_at_its_cadence(scenario: str, city: str) -> None:
    place = the_city(city)
    rows = rows_of(scenario, place)
    counts = Counter(row.station for row in rows)
    for station, count in counts.items():
        due = (END - START) / place.stations[station].cadence_ms
        assert abs(count - due) <= 1
    last: dict[str, int] = {}
    for row in rows:
        if row.station in last:
            assert row.at - last[row.station] == place.stations[row.station].cadence_ms
        last[row.station] = row.at


@every
def test_the_same_seed_gives_the_same_rows_and_another_one_others(scenario: str) -> None:
    city = the_city("contoh")
    assert rows_of(scenario, city) == rows_of(scenario, city)
    assert rows_of(scenario, city) != rows_of(scenario, city, seed=2)


@every
def test_a_longer_run_begins_on_the_same_stations_and_instants(scenario: str) -> None:
    city = the_city("contoh")
    short = [(row.at, row.station) for row in rows_of(scenario, city, end=START + HOUR)]
    assert short == [(row.at, row.station) for row in rows_of(scenario, city) if row.at < START + HOUR]


@every
def test_it_says_what_it_is(scenario: str) -> None:
    found = scenarios()[scenario]
    assert found.about
    assert found.hours > 0
