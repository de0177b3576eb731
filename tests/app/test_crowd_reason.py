"""A crowd zone's alert says which limit it was: the area's or the capacity's, and of which day."""

import pytest
from msgspec.structs import replace

from app.state import GroupState
from app.step import Step
from models.detectors.place import DETECTOR as PLACE
from pantau.city import FAR_FUTURE, FAR_PAST, DatedLadder
from pantau.event import Event, Score, Transition
from pantau.ladder import Ladder
from pantau.reading import Reading
from pantau.station import Station
from tests.detector_bench import MIN, T0, city_of

ZONE = Station(id="hall", name="Hall", kind="crowd_count", hazard="density", group="hall", cadence_ms=MIN)
MIDNIGHT = T0 + 60 * MIN


@pytest.mark.parametrize(
    ("at", "raised", "reason"),
    [
        (MIDNIGHT - 1, False, ""),
        (MIDNIGHT, True, "50 % of capacity 800 (decree 7)"),
    ],
)
def test_the_reason_of_the_day_stands_in_the_alert(at: int, raised: bool, reason: str) -> None:
    before = DatedLadder(FAR_PAST, MIDNIGHT, Ladder(limits=(800.0, None, None)), "capacity 800")
    after = DatedLadder(
        MIDNIGHT, FAR_FUTURE, Ladder(limits=(400.0, None, None)), "50 % of capacity 800 (decree 7)"
    )
    city = replace(city_of(ZONE), ladders={"hall": (before, after)})
    step, events = Step(city, {}), list[Event]()
    state = GroupState()
    for then, count in ((at - 2 * MIN, 10.0), (at - MIN, 390.0), (at, 500.0)):
        step.reading(state, Reading("hall", "crowd_count", count, then, then), then, events)
    told = [event.why["reason"] for event in events if isinstance(event, Transition)]
    assert told == ([reason] if raised else [])


def test_a_full_place_and_a_full_zone_are_one_alert_of_the_zone_that_speaks() -> None:
    """What the cameras see together raises it; the zone's own limit, reached later, opens no second one."""
    always = DatedLadder(FAR_PAST, FAR_FUTURE, Ladder(limits=(800.0, 900.0, None)), "capacity 800")
    step, events = Step(replace(city_of(ZONE), ladders={"hall": (always,)}), {"place": PLACE}), list[Event]()
    state = GroupState()
    score = Score(
        "hall", "main", "place", "1", T0, 0.55, "880 of 800 persons in 2 zones of hall", value=880.0
    )
    step.score(state, score, T0, events)
    for then, count in ((T0 + MIN, 700.0), (T0 + 2 * MIN, 905.0), (T0 + 3 * MIN, 910.0)):
        step.reading(state, Reading("hall", "crowd_count", count, then, then), then, events)
    told = [event for event in events if isinstance(event, Transition)]
    assert {(event.scope, event.cause, event.alert) for event in told} == {("hall", "level", told[0].alert)}
    assert [event.severity for event in told] == [1, 2]
    assert told[0].value == 880
    assert told[0].why["reason"] == score.reason
