"""Neighbour check along the river: a drift and a moved zero are seen, a flood that passes all gauges is not a fault."""

import math

import numpy as np
import pytest
from msgspec.structs import replace

from models.detectors.neighbour import (
    BEHIND_H,
    DETECTOR,
    LEAST,
    WARM_H,
    WITHIN_H,
    Near,
    Neighbour,
    Pair,
    State,
    _compare,
)
from models.lane import SlowLane
from pantau.city import City, Link
from pantau.event import Score
from pantau.reading import Reading
from pantau.station import Station
from tests.detector_bench import KINDS, city_of

HOUR = 3_600_000
T0 = 1_767_225_600_000
UP, DOWN = (
    Station(id=name, name=name, kind="water_level", hazard="flood", group="g", cadence_ms=HOUR, post=post)
    for name, post in (("up", "p"), ("down", "q"))
)
THIRD = replace(UP, id="third", name="third", post="r")
CITY = replace(
    city_of(UP, DOWN, THIRD), links=(Link("up", "down", 120, 240), Link("third", "down", None, None))
)
DAYS = 40


def water(seed: int = 1) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Of all gauges: a slow wander and one flood of three metres on day 30."""
    noise = np.random.default_rng(seed)
    hours = np.arange(DAYS * 24)
    level = 100 + noise.normal(0, 1.5, len(hours)).cumsum() + 300 * np.exp(-(((hours - 720) / 12) ** 2))
    return np.asarray(level, dtype=np.float64)


def play(
    city: City = CITY, **levels: "np.ndarray[tuple[int], np.dtype[np.float64]]"
) -> dict[str, list[Score]]:
    """Scores that were told, by station."""
    lane, told = SlowLane(city, {"neighbour": DETECTOR}), {name: list[Score]() for name in levels}
    for hour in range(DAYS * 24):
        at = T0 + hour * HOUR
        batch = [
            (Reading(name, "water_level", float(level[hour]), at, at), False)
            for name, level in levels.items()
        ]
        for score in lane.take(batch, at, 0):
            told[score.station].append(score)
    return told


def worst(scores: list[Score]) -> float:
    return max((score.score for score in scores), default=0.0)


def test_a_flood_that_passes_all_gauges_is_nobodys_fault() -> None:
    level = water()
    told = play(up=level, down=np.roll(level, 3) * 1.5, third=level * 0.8)
    assert told["down"]
    assert max(worst(scores) for scores in told.values()) < 0.5


@pytest.mark.parametrize("size", [-50.0, 50.0])
def test_a_drift_of_50_cm_in_two_days_is_seen_and_told_with_its_numbers(size: float) -> None:
    level = water()
    broken = level + size * np.clip((np.arange(DAYS * 24) - 480) / 48, 0, 1)
    told = play(up=level, down=broken, third=level * 0.8)
    assert worst(told["down"]) >= 0.5
    found = max(told["down"], key=lambda score: score.score)
    assert T0 + 480 * HOUR < found.at < T0 + 580 * HOUR
    assert "cm in two days" in found.reason
    assert "lets expect" in found.reason
    assert found.shadow
    assert told["down"][-1].score < 0.5  # the new zero is nobody's trouble for ever


def test_a_zero_that_was_moved_is_seen_where_it_happened_and_not_at_a_neighbour_who_has_another_to_ask() -> (
    None
):
    level = water()
    broken = np.where(np.arange(DAYS * 24) > 480, level + 60, level)
    told = play(up=broken, down=level, third=level * 0.8)
    assert worst(told["up"]) >= 0.5
    assert worst(told["down"]) < 0.5


def test_nothing_is_said_before_a_pair_has_been_watched_for_ten_days() -> None:
    level = water()
    told = play(up=level, down=level, third=level)
    first = min(score.at for scores in told.values() for score in scores)
    assert first >= T0 + WARM_H * HOUR


def test_stations_of_one_post_are_neighbours_and_those_that_nobody_knows_have_none() -> None:
    twin = replace(UP, id="twin", name="twin")
    rain = replace(UP, id="rain", name="rain", kind="rain")
    city = city_of(UP, DOWN, twin, rain)
    knows = DETECTOR.of(city)
    assert knows._near == {"up": (Near("twin", 0),), "twin": (Near("up", 0),), "down": (), "rain": ()}
    assert DETECTOR.of(CITY)._near["down"] == (Near("up", 3), Near("third", 0))
    assert DETECTOR.of(CITY)._near["up"] == (Near("down", -3),)


def test_a_second_sensor_is_compared_with_the_stations_main_one() -> None:
    level = water()
    lane, told = SlowLane(CITY, {"neighbour": DETECTOR}), list[Score]()
    for hour in range(DAYS * 24):
        at = T0 + hour * HOUR
        off = 60.0 if hour > 480 else 0.0
        pair = [("main", level[hour]), ("radar", level[hour] + off)]
        batch = [(Reading("up", "water_level", float(value), at, at, name), False) for name, value in pair]
        told += lane.take(batch, at, 0)
    assert {score.sensor for score in told} == {"radar"}
    assert worst(told) >= 0.5


def test_the_change_of_a_day_is_its_median_less_that_of_two_days_before() -> None:
    state = State()
    for hour in range(200):
        state.add(1_000 + hour, float(hour))
    # the newest closed hour is 1198: the day before hour 1199 has hours 174 to 198, median 186
    assert state.days[-1] == 186
    assert state.change(1_199) == 48
    assert state.change(1_190) == 48
    assert math.isnan(state.change(1_200))
    assert math.isnan(State().change(1_199))


def test_a_hole_in_the_readings_gives_no_change_until_it_has_passed() -> None:
    state = State()
    for hour in [*range(120), *range(150, 240)]:
        state.add(1_000 + hour, 50.0)
    assert math.isnan(state.change(1_150))
    assert math.isnan(state.change(1_190))
    assert state.change(1_239) == 0


def test_what_is_beyond_the_limit_teaches_little() -> None:
    honest, faulty = (Pair(hours=WARM_H, xy=1e4, xx=1e4, rest=LEAST) for _ in range(2))
    for _ in range(48):
        honest.learn(10, 10, 20.0, 30.0)
        faulty.learn(10, 10, 60.0, 30.0)
    assert LEAST < faulty.rest < 1.1 * LEAST < honest.rest


@pytest.mark.parametrize(("ago", "judged"), [(BEHIND_H, False), (BEHIND_H + 1, True)])
def test_nobody_is_judged_while_a_flood_passes_the_neighbour_and_a_day_behind_it(
    ago: int, *, judged: bool
) -> None:
    hour = 10_000
    at = hour - WITHIN_H
    level, moved = [50.0] * 100, [50.0] * 93 + [110.0] * 7
    ours = State(hour=hour, count=1, days=moved, pairs={"up": Pair(hours=WARM_H, flood=at - ago)})
    found = _compare(ours, State(hour=hour, count=1, days=level), Near("up", 0))
    assert found is not None
    assert (found.ours, found.theirs, found.limit) == (60, 0, LEAST)
    assert found.ratio == (5 if judged else 0)
    flooded = [50.0] * 93 + [90.0] * 7  # 40 cm are more than twice the 12 that are usual at most
    assert _compare(ours, State(hour=hour, count=1, days=flooded), Near("up", 0)) is not None
    assert ours.pairs["up"].flood == at


def test_a_state_of_another_version_or_shape_starts_afresh() -> None:
    kind = KINDS["water_level"]
    state = State()
    state.add(5, 1.0)
    assert DETECTOR.load(DETECTOR.version, DETECTOR.dump(state), UP, kind) == state
    assert DETECTOR.load("1", DETECTOR.dump(state), UP, kind) is None
    assert DETECTOR.load(DETECTOR.version, b"\x93", UP, kind) is None
    assert isinstance(DETECTOR, Neighbour)
