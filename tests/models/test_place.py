"""Places: several cameras of one post together, overlaps once, dated rules, silent zones, through the slow lane."""

from datetime import date
from typing import Any

import pytest
from msgspec.structs import replace

from models.detectors.place import DETECTOR, places_of
from models.lane import SlowLane
from pantau.city import CapacityRule, City
from pantau.event import Score
from pantau.reading import Reading
from pantau.station import Station
from tests.detector_bench import MIN, T0, city_of


def _zone(key: str, post: str = "square", **more: Any) -> Station:
    return Station(
        id=key,
        name=key.title(),
        kind="crowd_count",
        hazard="density",
        group=key,
        post=post,
        cadence_ms=MIN,
        **more,
    )


PLAZA = (
    _zone("plaza", area_m2=4_000, capacity=10_000),
    _zone("gate", area_m2=500),
    _zone("steps", area_m2=900),
)


def _city(*zones: Station, rules: tuple[CapacityRule, ...] = ()) -> City:
    return replace(city_of(*zones), capacity_rules=rules)


def _told(city: City, *counts: tuple[str, float, int]) -> list[Score]:
    lane = SlowLane(city, {"place": DETECTOR})
    scores: list[Score] = []
    for zone, value, at in counts:
        scores += lane.take([(Reading(zone, "crowd_count", value, at, at), False)], at, 0)
    return scores


def test_cameras_of_one_place_add_up_where_only_one_of_them_knows_the_capacity() -> None:
    scores = _told(_city(*PLAZA), ("gate", 2_000, T0), ("steps", 3_000, T0), ("plaza", 6_000, T0 + 1))
    assert [(score.station, score.value) for score in scores] == [("plaza", 11_000)]
    assert scores[0].score == pytest.approx(0.55)
    assert scores[0].reason == "11000 of 10000 persons in 3 zones of square"
    assert DETECTOR.ladder.severity_at(scores[0].score) == 1


def test_overlapping_cameras_count_once() -> None:
    overlapping = (replace(PLAZA[0], overlaps=("gate",)), replace(PLAZA[1], overlaps=("plaza",)), PLAZA[2])
    (score,) = _told(_city(*overlapping), ("gate", 2_000, T0), ("steps", 3_000, T0), ("plaza", 6_000, T0 + 1))
    assert score.value == 9_000
    assert score.score == pytest.approx(0.45)
    assert score.reason.endswith(", those that overlap counted once")


def test_a_silent_camera_is_left_out_and_named() -> None:
    scores = _told(_city(*PLAZA), ("gate", 9_000, T0), ("plaza", 6_000, T0 + 10 * MIN))
    assert scores[-1].value == 6_000
    assert scores[-1].reason.endswith("in 1 zones of square; silent: Gate, Steps")


def test_a_dated_rule_lowers_what_the_place_may_hold_from_local_midnight() -> None:
    """T0 is seven in the morning in Jakarta; the rule begins at the next midnight there, 17 h later."""
    rule = CapacityRule(valid_from=date(2026, 1, 2), valid_to=date(2026, 1, 3), percent=50, source="decree 7")
    city, hour = _city(*PLAZA, rules=(rule,)), 60 * MIN
    scores = _told(city, *(("plaza", 6_000.0 + h, T0 + h * hour - 1) for h in (17, 18, 41, 42)))
    assert [round(score.score, 2) for score in scores] == [0.3, 0.6, 0.6, 0.3]
    assert "50 % of capacity 10000 (decree 7)" in scores[1].reason


def test_places_are_posts_where_one_zone_has_the_capacity_and_another_has_none() -> None:
    alone = _zone("hall", post="hall", capacity=500)
    both = (_zone("a", post="pair", capacity=5), _zone("b", post="pair", capacity=9))
    none = (_zone("c", post="bare"), _zone("d", post="bare"))
    nowhere = (_zone("e", post="", capacity=5), _zone("f", post=""))
    found = places_of([*PLAZA, alone, *both, *none, *nowhere])
    assert list(found) == ["plaza"]
    assert [zone.id for zone in found["plaza"].zones] == ["gate", "plaza", "steps"]


def test_a_zone_that_speaks_for_no_place_says_nothing() -> None:
    assert _told(_city(_zone("hall", post="hall", capacity=500)), ("hall", 900, T0)) == []


def test_what_the_others_counted_survives_a_restart() -> None:
    city = _city(*PLAZA)
    lane, again = (SlowLane(city, {"place": DETECTOR}) for _ in range(2))
    lane.take([(Reading("gate", "crowd_count", 4_000, T0, T0), False)], T0, 0)
    again.restore(lane.dump_changed())
    (score,) = again.take([(Reading("plaza", "crowd_count", 7_000, T0 + 1, T0 + 1), False)], T0 + 1, 0)
    assert score.value == 11_000
