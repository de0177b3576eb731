"""How many a place holds: limits with their reason, rules of a day, and totals that count nobody twice."""

import itertools
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pantau.city import CapacityRule
from pantau.density import allowed_share, crowd_limits, density_level, people_once
from pantau.station import Station

DENSITIES = (3.0, 4.0, 5.0)


def _zone(area: float | None, capacity: int | None) -> Station:
    return Station(
        id="z", name="Z", kind="crowd_count", hazard="density", group="z", area_m2=area, capacity=capacity
    )


@pytest.mark.parametrize(
    ("area", "capacity", "percent", "source", "limits", "words"),
    [
        (1_000, None, 50, "", (3_000, 4_000, 5_000), "3 persons per m2 on 1000 m2"),
        (1_000, 9_000, 100, "", (3_000, 4_000, 5_000), "3 persons per m2 on 1000 m2"),
        (1_000, 2_500, 100, "", (2_500, 4_000, 5_000), "capacity 2500"),
        (1_000, 5_000, 50, "decree 7", (2_500, 4_000, 5_000), "50 % of capacity 5000 (decree 7)"),
        (1_000, 9_000, 50, "decree 7", (3_000, 4_000, 5_000), "3 persons per m2 on 1000 m2"),
        (None, 800, 25, "decree 7", (200, None, None), "25 % of capacity 800 (decree 7)"),
    ],
)
def test_the_stricter_of_area_and_capacity_counts_and_the_reason_says_which(
    area: float | None,
    capacity: int | None,
    percent: float,
    source: str,
    limits: tuple[float | None, ...],
    words: str,
) -> None:
    assert crowd_limits(_zone(area, capacity), DENSITIES, percent, source, strict=False) == (limits, words)


def test_danger_begins_at_five_persons_per_m2() -> None:
    limits, _ = crowd_limits(_zone(200, None), DENSITIES, 100, "", strict=False)
    assert limits[2] == 1_000
    assert (density_level(5.0), density_level(5.4)) == ("E", "F")


RULES = (
    CapacityRule(valid_from=date(2021, 7, 3), valid_to=date(2021, 10, 1), percent=25, source="first"),
    CapacityRule(valid_from=date(2021, 9, 1), valid_to=None, percent=50, stations=("z",), source="second"),
)


@pytest.mark.parametrize(
    ("day", "station", "share"),
    [
        (date(2021, 7, 2), "z", (100.0, "")),
        (date(2021, 7, 3), "z", (25, "first")),
        (date(2021, 9, 30), "z", (25, "first")),
        (date(2021, 10, 1), "z", (50, "second")),
        (date(2021, 10, 1), "y", (100.0, "")),
    ],
)
def test_the_strictest_rule_of_a_day_counts(day: date, station: str, share: tuple[float, str]) -> None:
    assert allowed_share(RULES, station, day) == share


@pytest.mark.parametrize(
    ("pairs", "total"),
    [
        ("", 60),
        ("ab", 50),
        ("ab bc", 40),
        ("ab bc ac", 30),
        ("bc", 40),
    ],
)
def test_of_zones_that_overlap_the_largest_sum_without_an_overlap_counts(pairs: str, total: float) -> None:
    overlaps = {key: {pair.replace(key, "") for pair in pairs.split() if key in pair} for key in "abc"}
    assert people_once({"a": 10, "b": 20, "c": 30}, overlaps) == total


def test_the_middle_camera_alone_counts_where_it_sees_more_than_its_neighbours_together() -> None:
    overlaps = {"a": {"b"}, "b": {"a", "c"}, "c": {"b"}}
    assert people_once({"a": 10, "b": 50, "c": 30}, overlaps) == 50
    assert people_once({"a": 25, "b": 50, "c": 30}, overlaps) == 55


@given(counts=st.lists(st.integers(0, 1_000), max_size=7), data=st.data())
def test_it_is_the_best_choice_of_zones_of_which_no_two_overlap(
    counts: list[int], data: st.DataObject
) -> None:
    zones = [str(index) for index in range(len(counts))]
    pairs = [pair for pair in itertools.combinations(zones, 2) if data.draw(st.booleans())]
    overlaps = {zone: {a if b == zone else b for a, b in pairs if zone in (a, b)} for zone in zones}
    choices = [
        sum(int(counts[int(zone)]) for zone in chosen)
        for size in range(len(zones) + 1)
        for chosen in itertools.combinations(zones, size)
        if not any(a in chosen and b in chosen for a, b in pairs)
    ]
    assert people_once(dict(zip(zones, map(float, counts), strict=True)), overlaps) == max(choices)


def test_many_overlapping_cameras_are_summed_up_in_a_moment() -> None:
    zones = [f"{index:03}" for index in range(200)]
    overlaps = {zone: set(zones) - {zone} for zone in zones}
    assert people_once(dict.fromkeys(zones, 7.0), overlaps) == 7.0
