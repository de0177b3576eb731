"""One step of the fast lane: readings, scores, ticks and commands against the invented city."""

from pathlib import Path
from typing import Any

import pytest

from app.state import GroupState, dump, load
from app.step import Fate, Step
from models.all import detectors
from pantau import cityfolder
from pantau.event import Command, Event, FlagRevised, Score, Tick, Told, Transition
from pantau.reading import Flag, Reading

MIN = 60_000
T0 = 1_767_225_600_000  # 2026-01-01T00:00:00Z
CITY = cityfolder.load(Path(__file__).parents[2] / "cities" / "contoh")
STATION = "awan-1"


class Bench:
    """A step with one group under test."""

    def __init__(self) -> None:
        self.step = Step(CITY, detectors())
        self.state = GroupState()
        self.now = T0

    def read(self, value: float, *, after_min: float = 10, sensor: str = "main", station: str = STATION,
             now: int | None = None, **more: Any) -> tuple[str, list[Event]]:  # fmt: skip
        self.now += round(after_min * MIN)
        events: list[Event] = []
        reading = Reading(station, CITY.stations[station].kind, value, self.now, self.now, sensor, **more)
        fate = self.step.reading(self.state, reading, self.now if now is None else now, events)
        self.last = reading
        return fate, events

    def settle_at(self, value: float) -> None:
        for _ in range(3):
            self.read(value)

    def command(self, verb: str, **more: Any) -> tuple[Told, list[Event]]:
        events: list[Event] = []
        self.step.command(self.state, Command(7, verb, "sari", **more), self.now, events)
        [told] = [event for event in events if isinstance(event, Told)]
        return told, [event for event in events if not isinstance(event, Told)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def limits() -> tuple[float, float, float]:
    ladder = CITY.ladder_at(STATION, T0)
    assert ladder is not None
    one, two, three = ladder.limits
    assert one is not None
    assert two is not None
    assert three is not None
    return one, two, three


def transitions(events: list[Event], cause: str = "level") -> list[tuple[str, int, bool]]:
    return [
        (event.what, event.severity, event.confirmed)
        for event in events
        if isinstance(event, Transition) and event.cause == cause
    ]


def test_a_slow_rise_over_a_limit_raises_a_confirmed_alert(bench: Bench) -> None:
    one, _, _ = limits()
    bench.settle_at(one - 10)
    _, events = bench.read(one + 1)
    assert transitions(events) == [("raised", 1, True)]


def test_the_boundary_rule_of_the_city_is_kept(bench: Bench) -> None:
    one, _, _ = limits()
    bench.settle_at(one - 10)
    _, events = bench.read(one)
    assert transitions(events) == []  # contoh says ">"


def test_a_jump_is_told_unconfirmed_and_confirmed_by_the_next_reading(bench: Bench) -> None:
    _, two, _ = limits()
    bench.settle_at(20)
    fate, events = bench.read(two + 5)
    assert fate == Fate.PENDING
    assert transitions(events) == [("raised", 2, False)]
    _, events = bench.read(two + 6)
    assert transitions(events) == [("confirmed", 2, True)]
    assert any(isinstance(event, FlagRevised) and event.flag == Flag.GOOD for event in events)


def test_a_typing_error_is_withdrawn(bench: Bench) -> None:
    _, _, three = limits()
    bench.settle_at(20)
    bench.read(three + 50)
    _, events = bench.read(21)
    assert transitions(events) == [("withdrawn", 0, False)]
    assert bench.state.alerts == {}


def test_the_same_reading_twice_is_once(bench: Bench) -> None:
    bench.settle_at(20)
    fate, events = bench.read(20, after_min=0)
    assert (fate, events) == (Fate.DUPLICATE, [])


def test_another_value_for_the_same_instant_is_a_conflict_and_does_not_step_again(bench: Bench) -> None:
    _, _, three = limits()
    bench.settle_at(20)
    fate, events = bench.read(three + 1, after_min=0)
    assert fate == Fate.CONFLICT
    assert transitions(events) == []
    assert "conflicting duplicate" in bench.last.reason
    assert bench.read(three + 1, after_min=0)[0] == Fate.DUPLICATE
    assert bench.read(20, after_min=0)[0] == Fate.DUPLICATE


def test_a_late_reading_is_stored_only(bench: Bench) -> None:
    _, _, three = limits()
    bench.settle_at(20)
    fate, events = bench.read(three + 1, after_min=-5)
    assert (fate, transitions(events)) == (Fate.LATE, [])


def test_a_clock_in_the_future_fails_and_never_becomes_live(bench: Bench) -> None:
    bench.settle_at(20)
    reading = Reading(STATION, "water_level", 999, bench.now + 10 * MIN, bench.now + 7 * MIN)
    assert bench.step.reading(bench.state, reading, bench.now, []) == Fate.FUTURE
    assert reading.flag == Flag.FAIL
    assert bench.read(21)[0] == Fate.STEPPED


def test_two_minutes_ahead_is_forgiven(bench: Bench) -> None:
    bench.settle_at(20)
    at = bench.now + 10 * MIN
    assert (
        bench.step.reading(bench.state, Reading(STATION, "water_level", 21, at, at - 2 * MIN), at, [])
        == Fate.STEPPED
    )


def test_an_old_reading_is_on_the_timeline_but_told_only_when_it_still_holds(bench: Bench) -> None:
    one, _, _ = limits()
    bench.settle_at(one - 10)
    _, events = bench.read(one + 1, now=bench.now + 300 * MIN)
    [raised] = [event for event in events if isinstance(event, Transition)]
    assert raised.late
    _, events = bench.read(one + 2)
    assert transitions(events) == [("retold", 1, True)]


def test_the_worst_sensor_of_a_station_speaks(bench: Bench) -> None:
    one, two, _ = limits()
    bench.settle_at(one - 10)
    for _ in range(2):
        bench.read(two - 20, sensor="b", after_min=1)
    _, events = bench.read(two + 1, sensor="b")
    assert transitions(events)[-1] == ("raised", 2, True)
    _, events = bench.read(one + 1)
    assert transitions(events) == []  # main stands lower


def test_a_second_sensor_confirms_by_being_there_too(bench: Bench) -> None:
    one, _, _ = limits()
    bench.settle_at(20)
    for _ in range(3):
        bench.read(20, sensor="b", after_min=0.1)
    bench.read(one + 30, after_min=5)
    bench.read(one + 30, after_min=1, sensor="b")
    events = bench.read(one + 31, after_min=1, sensor="b")[1]
    assert transitions(events) == [("confirmed", 1, True)]


def test_a_detector_that_raises_is_counted_and_the_ladder_still_speaks(bench: Bench) -> None:
    one, _, _ = limits()

    class Broken:
        name, version, lane, hazard, cause, shadow = "broken", "1", "fast", "", "rise", False
        kinds: frozenset[str] = frozenset()

        def start(self, *_: object) -> None: ...
        def score(self, _samples: object) -> list[Score | None]:
            msg = "boom"
            raise ValueError(msg)

    bench.step = Step(CITY, {"broken": Broken()})  # type: ignore[dict-item]
    bench.settle_at(one - 10)
    _, events = bench.read(one + 1)
    assert transitions(events) == [("raised", 1, True)]
    assert bench.step.broken["broken"] == 4


def test_a_shadow_score_opens_nothing_and_another_does(bench: Bench) -> None:
    events: list[Event] = []
    score = Score(STATION, "main", "silent", "1", T0, 1.0, "nothing heard for 30 min", shadow=True)
    bench.step.score(bench.state, score, T0, events)
    assert events == []
    score.shadow = False
    bench.step.score(bench.state, score, T0, events)
    [raised] = [event for event in events if isinstance(event, Transition)]
    assert (raised.hazard, raised.cause, raised.why["reason"]) == ("data", "main", "nothing heard for 30 min")


def test_an_unconfirmed_alert_is_told_again_when_no_reading_comes(bench: Bench) -> None:
    _, two, _ = limits()
    bench.settle_at(20)
    bench.read(two + 5)
    due = bench.state.due()
    assert due == bench.now + 15 * MIN
    events: list[Event] = []
    bench.step.tick(bench.state, Tick("awan", due), due, events)
    assert transitions(events) == [("unconfirmed", 2, False)]
    assert bench.state.due() == 0


def raised_alert(bench: Bench) -> str:
    one, _, _ = limits()
    bench.settle_at(one - 10)
    _, events = bench.read(one + 1)
    return next(event.alert for event in events if isinstance(event, Transition))


def test_an_operator_acknowledges_once(bench: Bench) -> None:
    alert = raised_alert(bench)
    told, events = bench.command("acknowledge", alert=alert)
    assert told.ok
    assert transitions(events) == [("acknowledged", 1, True)]
    told, events = bench.command("acknowledge", alert=alert)
    assert not told.ok
    assert events == []


def test_an_operator_confirms_a_jump_before_the_next_reading(bench: Bench) -> None:
    _, two, _ = limits()
    bench.settle_at(20)
    _, events = bench.read(two + 5)
    alert = next(event.alert for event in events if isinstance(event, Transition))
    told, events = bench.command("confirm", alert=alert)
    assert told.ok
    assert transitions(events) == [("confirmed", 2, True)]


def test_a_closed_alert_stays_quiet_until_it_grows_worse(bench: Bench) -> None:
    _, two, _ = limits()
    alert = raised_alert(bench)
    told, events = bench.command("close", alert=alert)
    assert told.ok
    assert transitions(events) == [("closed", 0, True)]
    one, _, _ = limits()
    assert transitions(bench.read(one + 5)[1]) == []
    values = [one + 30, two - 5, two + 1] if two - one > 30 else [two + 1]
    assert ("raised", 2, True) in [t for value in values for t in transitions(bench.read(value)[1])]


def test_a_shelf_ends_by_itself(bench: Bench) -> None:
    alert = raised_alert(bench)
    told, _ = bench.command("shelve", alert=alert, until=bench.now + 60 * MIN)
    assert told.ok
    due = bench.state.due()
    assert due == bench.now + 60 * MIN
    events: list[Event] = []
    bench.step.tick(bench.state, Tick("awan", due), due, events)
    assert transitions(events) == [("unshelved", 1, True)]


def test_a_reading_marked_wrong_takes_its_alert_back(bench: Bench) -> None:
    one, _, _ = limits()
    raised_alert(bench)
    told, events = bench.command("mark_wrong", station=STATION, sensor="main", observed_at=bench.now, value=one + 1,
                                 kind="water_level", received_at=bench.now, note="staff gauge misread")  # fmt: skip
    assert told.ok
    assert transitions(events) == [("withdrawn", 0, True)]
    [revised] = [event for event in events if isinstance(event, FlagRevised)]
    assert (revised.flag, revised.reason) == (Flag.FAIL, "marked wrong by sari: staff gauge misread")


def test_a_station_out_of_service_keeps_judging_in_silence(bench: Bench) -> None:

    raised_alert(bench)
    told, events = bench.command("out_of_service", station=STATION, note="new sensor")
    assert told.ok
    assert [event.state for event in events if isinstance(event, Transition)] == ["out_of_service"]
    told, events = bench.command("in_service", station=STATION)
    assert told.ok
    assert transitions(events) == [("in_service", 1, True)]
    assert not bench.command("in_service", station=STATION)[0].ok


def test_a_state_that_was_kept_and_read_back_goes_on_the_same(bench: Bench) -> None:
    one, two, _ = limits()
    other = Bench()
    for value in (one - 10, one - 8, one + 1, two + 30):
        bench.read(value)
        other.read(value)
        kept = load(dump(bench.state, bench.step.detectors), bench.step.detectors, CITY)
        assert kept is not None
        bench.state = kept
    assert bench.read(two + 31)[1] == other.read(two + 31)[1]
    assert dump(bench.state, bench.step.detectors) == dump(other.state, other.step.detectors)


def test_a_sensor_needs_at_most_two_kilobytes(bench: Bench) -> None:
    for index in range(200):
        bench.read(20 + (index % 7) * 30)
    assert len(dump(bench.state, bench.step.detectors)) < 2_000


def test_a_broken_snapshot_is_a_fresh_start_not_a_failed_one() -> None:
    assert load(b"\xff\x00", detectors(), CITY) is None
