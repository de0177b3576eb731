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


def test_what_is_sent_as_history_is_stored_only_and_never_becomes_live(bench: Bench) -> None:
    _, _, three = limits()
    bench.settle_at(20)
    seen_at = bench.now
    sent = Reading(STATION, "water_level", three + 1, bench.now + MIN, bench.now + MIN, historical=True)
    events: list[object] = []
    assert bench.step.reading(bench.state, sent, bench.now, events) == Fate.LATE  # type: ignore[arg-type]
    assert (sent.reason, events) == ("sent as history", [])
    assert [sensor.seen_at for sensor in bench.state.sensors.values()] == [seen_at]
    assert bench.read(21)[0] == Fate.STEPPED


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
    assert (told.ok, told.text) == (False, "this alert is acknowledged already")
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
    assert (revised.flag, revised.reason) == (Flag.FAIL, "marked wrong by an operator")


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


# --- late readings: on the timeline, told to nobody until a fresh one says the same -----------------------------------


def told(events: list[Event]) -> list[tuple[str, int]]:
    return [
        (e.what, e.severity)
        for e in events
        if isinstance(e, Transition) and e.cause == "level" and not e.late
    ]


def late_alert(bench: Bench, *, pending: bool = False) -> None:
    one, two, _ = limits()
    bench.settle_at(20 if pending else one - 10)
    _, events = bench.read(two + 5 if pending else one + 1, now=bench.now + 300 * MIN)
    assert told(events) == []
    assert transitions(events)


def test_a_late_condition_is_not_told_when_the_fresh_reading_after_the_gap_is_calm(bench: Bench) -> None:
    late_alert(bench)
    assert told(bench.read(20, after_min=290)[1]) == []  # waits for its successor, so nothing is lowered yet
    for _ in range(3):
        assert told(bench.read(20)[1]) == []  # nor is an all-clear told to those who heard of nothing
    assert bench.state.alerts[f"{STATION}|flood|level"].is_open is False


def test_a_late_jump_is_not_reminded_of_and_its_confirmation_is_told_once(bench: Bench) -> None:
    one, two, _ = limits()
    late_alert(bench, pending=True)
    events: list[Event] = []
    due = bench.state.due()
    bench.step.tick(bench.state, Tick("awan", due), due, events)
    assert (transitions(events), told(events)) == ([("unconfirmed", 2, False)], [])
    assert told(bench.read(two + 6)[1]) == [("retold", 2)]
    assert told(bench.read(two + 7)[1]) == []
    assert one < two


def test_a_worsening_of_a_late_condition_is_told_by_itself(bench: Bench) -> None:
    one, two, _ = limits()
    late_alert(bench)
    for value in range(round(one) + 20, round(two) - 10, 20):
        bench.read(value, now=bench.now + 300 * MIN)
    _, events = bench.read(two + 1)
    assert told(events) == [("raised", 2)]


def test_another_sensor_that_is_heard_does_not_vouch_for_a_late_one(bench: Bench) -> None:
    one, _, _ = limits()
    late_alert(bench)
    for _ in range(3):
        assert told(bench.read(20, sensor="b", after_min=1)[1]) == []
    assert told(bench.read(one + 1)[1]) == [("retold", 1)]


def test_an_operator_who_confirms_a_late_jump_tells_it(bench: Bench) -> None:
    late_alert(bench, pending=True)
    [alert] = [alert for alert in bench.state.alerts.values() if alert.key.cause == "level"]
    _, events = bench.command("confirm", alert=alert.id)
    assert told(events) == [("confirmed", 2)]
    assert not alert.untold


@pytest.mark.parametrize(("ahead_ms", "fate"), [(2 * MIN, Fate.PENDING), (2 * MIN + 1, Fate.FUTURE)])
def test_the_limit_of_the_future_is_exact(bench: Bench, ahead_ms: int, fate: str) -> None:
    reading = Reading(STATION, "water_level", 20, T0 + ahead_ms, T0)
    assert bench.step.reading(bench.state, reading, T0, []) == fate


@pytest.mark.parametrize(("age_ms", "late"), [(30 * MIN, False), (30 * MIN + 1, True)])
def test_three_cadences_old_is_not_yet_late(bench: Bench, age_ms: int, late: bool) -> None:
    one, _, _ = limits()
    bench.settle_at(one - 10)
    _, events = bench.read(one + 1, now=bench.now + 10 * MIN + age_ms)
    assert [e.late for e in events if isinstance(e, Transition) and e.cause == "level"] == [late]


def test_the_slack_of_an_exercise_clock_is_not_lateness(bench: Bench) -> None:
    one, _, _ = limits()
    bench.step = Step(CITY, detectors(), slack_ms=30 * MIN)
    bench.settle_at(one - 10)
    _, events = bench.read(one + 1, now=bench.now + 70 * MIN)
    assert [e.late for e in events if isinstance(e, Transition) and e.cause == "level"] == [False]


def test_a_late_reading_outside_the_range_fails_all_the_same(bench: Bench) -> None:
    bench.settle_at(20)
    bench.read(5000, after_min=-5)
    assert (bench.last.flag, bench.last.reason) == (Flag.FAIL, "late, and outside the range 0 to 600")


def test_a_gap_breaks_the_hold(bench: Bench) -> None:
    one, _, _ = limits()
    bench.settle_at(one - 10)
    bench.read(one + 1)
    bench.read(one - 20)
    bench.read(one - 20, after_min=60)
    assert transitions(bench.read(one - 20, after_min=9)[1]) == []
    assert transitions(bench.read(one - 20, after_min=1)[1]) == [("closed", 0, True)]


def test_the_ladder_of_the_day_is_the_one_that_judges(bench: Bench) -> None:
    day = 1_646_092_800_000  # 2022-03-01T00:00:00Z; the folder's dates are local, eight hours earlier
    for at in (day - 24 * 60 * MIN, day + 24 * 60 * MIN, day - 24 * 60 * MIN):
        ladder = bench.step.ladder("awan-2", at)
        assert ladder is not None
        assert ladder.limits[0] == (200 if at < day else 180)
    before = bench.step.ladder("awan-2", day - 8 * 60 * MIN - 1)
    after = bench.step.ladder("awan-2", day - 8 * 60 * MIN)
    assert before is not None
    assert after is not None
    assert (before.limits[0], after.limits[0]) == (200, 180)
    assert bench.step.ladder("pond", day) is None
    assert bench.step.ladder("batu-1", T0 - 40 * 365 * 24 * 60 * MIN) is None


@pytest.mark.parametrize(
    ("verb", "more", "words"),
    [
        ("dance", {}, "no such command: dance"),
        ("acknowledge", {"alert": "x"}, "this alert is not open any more and waits for nothing"),
        ("shelve", {"alert": "x"}, "this alert is not open any more and waits for nothing"),
        ("confirm", {"alert": "x"}, "there is nothing to confirm"),
        ("close", {"alert": "x"}, "this alert is not open"),
        ("in_service", {"station": STATION}, "the station is already in service"),
    ],
)
def test_what_cannot_be_done_is_answered_in_words(
    bench: Bench, verb: str, more: dict[str, Any], words: str
) -> None:
    answer, events = bench.command(verb, **more)
    assert (answer.ok, answer.text, events) == (False, words, [])


def test_a_shelf_needs_an_end_in_the_future(bench: Bench) -> None:
    alert = raised_alert(bench)
    assert not bench.command("shelve", alert=alert, until=bench.now)[0].ok
    assert bench.command("shelve", alert=alert, until=bench.now + 1)[0].ok


def test_an_alert_that_ended_unseen_waits_for_its_acknowledgement_and_then_is_gone(bench: Bench) -> None:
    one, _, _ = limits()
    alert = raised_alert(bench)
    for _ in range(4):
        bench.read(one - 20)
    [waiting] = [found for found in bench.state.alerts.values() if found.key.cause == "level"]
    assert (waiting.is_open, waiting.state) == (False, "returned_unacknowledged")
    assert not bench.command("close", alert=alert)[0].ok
    assert bench.command("acknowledge", alert=alert)[0].text == "normal"
    assert "awan-1|flood|level" not in bench.state.alerts


def test_a_closed_alert_that_ended_may_come_back(bench: Bench) -> None:
    one, _, _ = limits()
    alert = raised_alert(bench)
    bench.command("close", alert=alert)
    for value in (one - 20, one - 20, one - 20):
        assert transitions(bench.read(value)[1]) == []
    assert bench.state.muted == {}
    assert transitions(bench.read(one + 1)[1]) == [("raised", 1, True)]


def test_a_jump_marked_wrong_is_forgotten_and_the_next_reading_is_compared_with_what_was_before(
    bench: Bench,
) -> None:
    _, two, _ = limits()
    bench.settle_at(20)
    bench.read(two + 5)
    answer, events = bench.command(
        "mark_wrong", station=STATION, sensor="main", observed_at=bench.now, value=two + 5
    )
    assert answer.ok
    assert transitions(events) == [("withdrawn", 0, False)]
    assert bench.read(21)[0] == Fate.STEPPED
    assert (bench.last.flag, bench.last.reason) == (Flag.GOOD, "")


def test_an_accepted_reading_marked_wrong_is_no_neighbour_any_more(bench: Bench) -> None:
    bench.settle_at(20)
    bench.read(55)
    bench.command("mark_wrong", station=STATION, sensor="main", observed_at=bench.now, value=55)
    assert bench.read(61)[0] == Fate.PENDING  # 41 above 20, though 6 above the wrong one


def test_an_alert_of_a_station_out_of_service_begins_in_silence(bench: Bench) -> None:
    bench.command("out_of_service", station=STATION)
    raised_alert(bench)
    [alert] = bench.state.alerts.values()
    assert alert.state == "out_of_service"
    bench.command("in_service", station=STATION)
    assert alert.state == "unacknowledged"


def test_only_alerts_of_that_station_go_out_of_service(bench: Bench) -> None:
    raised_alert(bench)
    bench.command("out_of_service", station="awan-2")
    assert [alert.state for alert in bench.state.alerts.values()] == ["unacknowledged"]


def test_a_shelf_in_the_future_and_a_reminder_in_the_future_are_left_alone(bench: Bench) -> None:
    alert = raised_alert(bench)
    bench.command("shelve", alert=alert, until=bench.now + 60 * MIN)
    events: list[Event] = []
    bench.step.tick(bench.state, Tick("awan", bench.now + 60 * MIN - 1), bench.now, events)
    assert events == []


def test_a_score_of_a_detector_that_is_no_more_opens_nothing(bench: Bench) -> None:
    events: list[Event] = []
    bench.step.score(bench.state, Score(STATION, "main", "retired", "1", T0, 1.0), T0, events)
    assert (events, bench.state.sensors) == ([], {})


def test_marking_an_old_reading_wrong_leaves_what_a_newer_one_raised(bench: Bench) -> None:
    one, _, _ = limits()
    bench.settle_at(one - 10)
    old = bench.now
    bench.read(one + 1)
    answer, events = bench.command(
        "mark_wrong", station=STATION, sensor="main", observed_at=old, value=one - 10
    )
    assert answer.ok
    assert transitions(events) == []


def test_a_fast_detector_in_shadow_opens_nothing(bench: Bench) -> None:
    rise = detectors()["rate_of_rise"]

    class Shadow:
        shadow = True

        def __getattr__(self, name: str) -> Any:
            return getattr(rise, name)

    for shadow in (False, True):
        bench = Bench()
        bench.step = Step(CITY, {"rate_of_rise": Shadow() if shadow else rise})
        events = [event for value in (20, 20, 20, 55, 90) for event in bench.read(value)[1]]
        raised = {event.cause for event in events if isinstance(event, Transition)}
        assert raised == (set() if shadow else {"rise"})


def test_what_is_fresh_on_an_exercise_clock_may_be_retold(bench: Bench) -> None:
    one, _, _ = limits()
    bench.step = Step(CITY, detectors(), slack_ms=30 * MIN)
    bench.settle_at(one - 10)
    bench.read(one + 1, now=bench.now + 300 * MIN)
    assert told(bench.read(one + 2, now=bench.now + 70 * MIN)[1]) == [("retold", 1)]
