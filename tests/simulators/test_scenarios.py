from itertools import pairwise

import pytest

from pantau.city import City
from simulators.river import STEEPEST_CM, Wave, arrivals, calm_level
from simulators.scenarios.crowd import Crowd, ordinary_share
from simulators.scenarios.flood_wave import FloodWave
from simulators.scenarios.quiet import Quiet

HOUR = 3_600_000
MINUTE = 60_000
START = 1_769_904_000_000  # 2026-02-01T00:00Z, a Sunday


def worst(city: City, values: dict[str, list[float]]) -> dict[str, int]:
    ladders = {station: city.ladder_at(station, START) for station in values}
    return {
        station: max(ladder.severity_at(value) for value in values[station])
        for station, ladder in ladders.items()
        if ladder
    }


def levels(scenario: Quiet | FloodWave, city: City, hours: int = 30) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for row in scenario.rows(city, START, START + hours * HOUR, 3):
        if row.kind == "water_level":
            found.setdefault(row.station, []).append(row.value)
    return found


@pytest.mark.parametrize("name", ["contoh", "jakarta"])
def test_on_a_quiet_day_no_level_reaches_a_limit(name: str, request: pytest.FixtureRequest) -> None:
    city: City = request.getfixturevalue(name)
    assert set(worst(city, levels(Quiet(), city)).values()) == {0}


@pytest.mark.parametrize("name", ["contoh", "jakarta"])
def test_a_wave_passes_every_limit_of_the_linked_gauges_and_no_other(
    name: str, request: pytest.FixtureRequest
) -> None:
    city: City = request.getfixturevalue(name)
    linked = {link.upstream for link in city.links} | {link.downstream for link in city.links}
    for station, severity in worst(city, levels(FloodWave(), city, 40)).items():
        ladder = city.ladder_at(station, START)
        assert ladder is not None
        top = max(n for n in (1, 2, 3) if ladder.limits[n - 1] is not None)
        assert severity == (top if station in linked else 0), station


def test_the_wave_reaches_each_gauge_after_the_published_travel_time(contoh: City) -> None:
    came = arrivals(contoh, START)
    assert came["awan-1"] == START
    assert came["awan-2"] == START + 135 * MINUTE
    assert came["awan-3"] == START + 345 * MINUTE  # by awan-2 and directly: 135 + 210, (300 + 390) / 2
    assert came["batu-2"] > came["batu-1"]
    assert "harbour" not in came


def test_crests_follow_each_other_downstream(contoh: City) -> None:
    crests: dict[str, tuple[float, int]] = {}
    for row in FloodWave().rows(contoh, START, START + 30 * HOUR, 1):
        if row.value > crests.get(row.station, (-1e9, 0))[0]:
            crests[row.station] = (row.value, row.at)
    assert crests["awan-1"][1] < crests["awan-2"][1] < crests["awan-3"][1]


@pytest.mark.parametrize("name", ["contoh", "jakarta"])
def test_a_wave_never_rises_like_a_broken_sensor(name: str, request: pytest.FixtureRequest) -> None:
    city: City = request.getfixturevalue(name)
    for values in levels(FloodWave(), city, 40).values():
        assert max(abs(after - before) for before, after in pairwise(values)) < STEEPEST_CM + 12


def test_a_wave_is_smooth_and_falls_more_slowly_than_it_rises() -> None:
    wave = Wave(START, 200.0, 10 * MINUTE)
    assert wave.level(START) == 0
    assert wave.level(wave.crest_at) == 200
    assert wave.level(START - HOUR) == 0
    assert wave.level(wave.crest_at + wave.rise_ms) > wave.level(wave.crest_at - wave.rise_ms)
    assert wave.level(wave.crest_at + 3 * wave.rise_ms) == 0


def test_the_calm_level_respects_a_sensors_own_span(contoh: City) -> None:
    station = contoh.stations["awan-1"]
    assert calm_level(contoh, station, START) >= (station.range_low or 0) + 10


def test_every_zone_has_one_surge_within_the_run_that_overfills_it(contoh: City) -> None:
    end = START + 24 * HOUR
    surges = {surge.station: surge for surge in Crowd.surges(contoh, START, end, 7)}
    counts: dict[str, list[tuple[int, float]]] = {}
    for row in Crowd().rows(contoh, START, end, 7):
        counts.setdefault(row.station, []).append((row.at, row.value))
    full = {"square": 12_000.0, "square-east": 500 * contoh.density_limits[0], "terminal": 800.0}
    assert surges.keys() == counts.keys() == full.keys()
    for zone, surge in surges.items():
        assert START <= surge.start < surge.end <= end
        during = [value for at, value in counts[zone] if surge.start <= at <= surge.end]
        outside = [value for at, value in counts[zone] if not surge.start <= at <= surge.end]
        assert max(during) > full[zone]
        assert max(outside) < 0.9 * full[zone]


def test_a_place_has_its_own_hours_and_workdays_differ_from_sundays(contoh: City) -> None:
    zone = contoh.stations["square"]
    day = [ordinary_share(contoh, zone, START + h * HOUR) for h in range(24)]
    assert max(day) > 5 * min(day)
    workday = [ordinary_share(contoh, zone, START + (24 + h) * HOUR) for h in range(24)]
    assert workday != day


def test_a_holiday_is_like_a_sunday(contoh: City) -> None:
    zone = contoh.stations["square"]
    noon_of_independence_day = 1_786_939_200_000  # Monday 2026-08-17, 12:00 in contoh
    assert contoh.local(noon_of_independence_day).date() in contoh.holidays
    sunday = noon_of_independence_day - 24 * HOUR
    assert ordinary_share(contoh, zone, noon_of_independence_day) == ordinary_share(contoh, zone, sunday)


def test_a_short_run_has_its_surges_too(contoh: City) -> None:
    assert all(s.end <= START + HOUR for s in Crowd.surges(contoh, START, START + HOUR, 1))
