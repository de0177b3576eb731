"""The slow lane: what it tells, what it survives, what it remembers."""

from array import array
from collections.abc import Mapping, Sequence
from typing import Literal

import pytest

from models.detector import Detector, DetectorState, Sample
from models.lane import SlowLane
from models.memory import SELF
from models.untimed import Untimed
from pantau.event import Score
from pantau.kind import Kind
from pantau.ladder import Ladder
from pantau.reading import Reading
from pantau.station import Station
from tests.detector_bench import MIN, T0, city_of, subjects, tide

A, B = (
    Station(id=name, name=name, kind="water_level", hazard="flood", group=name, cadence_ms=10 * MIN)
    for name in "ab"
)
CAMERA = Station(id="cam", name="cam", kind="crowd_count", hazard="density", group="cam", cadence_ms=10 * MIN)
CITY = city_of(A, B, CAMERA)


class Echo(Untimed):
    """Says the value in hundredths; raises on 666, and breaks the contract on 777 and 888. Remembers what it saw."""

    version = "1"
    lane: Literal["fast", "slow"] = "slow"
    kinds: frozenset[str] = frozenset()
    hazard = ""
    cause = "anomaly"
    shadow = False

    def __init__(self, name: str = "echo", *, hold_ms: int = 0) -> None:
        self.name = name
        self.ladder = Ladder(limits=(0.5, None, None), deadband=0.1, hold_ms=hold_ms)
        self.calls: list[int] = []

    def start(self, station: Station, kind: Kind) -> list[float]:
        return []

    def score(self, samples: Sequence[Sample]) -> list[Score | None]:
        self.calls.append(len(samples))
        answers: list[Score | None] = []
        for sample in samples:
            reading = sample.reading
            sample.state.append(reading.value)
            if reading.value == 666:
                raise ZeroDivisionError("echo broke")
            score = {777.0: 7.0, 888.0: float("nan")}.get(reading.value, reading.value / 100)
            words = f"{sample.track.values} {sample.state}"
            answers.append(
                Score(reading.station, reading.sensor, self.name, "1", reading.observed_at, score, words)
            )
        return answers

    def dump(self, state: list[float]) -> bytes:
        return array("d", state).tobytes()

    def load(self, version: str, body: bytes, station: Station, kind: Kind) -> DetectorState:
        if body == b"broken":
            raise ZeroDivisionError("echo cannot load")
        return array("d", body).tolist() if version == self.version else None


class Choir(Echo):
    """One that wants a whole batch at once."""

    whole_batch = True


def _lane(*detectors: Detector) -> SlowLane:
    return SlowLane(CITY, {detector.name: detector for detector in detectors})


def _read(minutes: float, value: float, station: str = "a", sensor: str = "main") -> tuple[Reading, bool]:
    at = T0 + round(minutes * MIN)
    return Reading(station, CITY.stations[station].kind, float(value), at, at, sensor), False


def _take(lane: SlowLane, *readings: tuple[Reading, bool]) -> list[float]:
    now = max(reading.received_at for reading, _ in readings)
    return [score.score for score in lane.take(readings, now, T0)]


def test_only_news_is_told() -> None:
    lane = _lane(Echo())
    told = [_take(lane, _read(step * 10, value)) for step, value in enumerate([10, 10.1, 10.4, 20, 20, 0, 0])]
    assert told == [[0.1], [], [], [0.2], [], [0.0], []]


def test_scores_are_told_with_two_digits() -> None:
    assert _take(_lane(Echo()), _read(0, 12.3456)) == [0.12]


def test_a_ladder_with_a_hold_hears_the_same_score_until_it_can_be_left() -> None:
    lane = _lane(Echo(hold_ms=20 * MIN))
    told = [_take(lane, _read(step * 10, value)) for step, value in enumerate([80, 0, 0, 0, 0, 0])]
    assert told == [[0.8], [0.0], [0.0], [0.0], [], []]


def test_each_sensor_of_a_station_has_its_own_state() -> None:
    lane = _lane(Echo())
    assert _take(lane, _read(0, 10), _read(0, 20, sensor="second")) == [0.1, 0.2]
    assert _take(lane, _read(10, 10), _read(10, 10, sensor="second")) == [0.1]


def test_fast_detectors_are_none_of_its_business() -> None:
    fast = Echo("swift")
    fast.lane = "fast"
    lane = _lane(fast, Echo())
    lane.take([_read(0, 10)], T0, T0)
    assert fast.calls == []


def test_a_detector_sees_only_its_kinds() -> None:
    watcher = Echo()
    watcher.kinds = frozenset({"crowd_count"})
    assert _take(_lane(watcher), _read(0, 10), _read(0, 30, "cam")) == [0.3]


def test_a_station_that_left_the_city_is_passed_over() -> None:
    gone = Reading("gone", "water_level", 10.0, T0, T0)
    assert _take(_lane(Echo()), (gone, False), _read(0, 20)) == [0.2]


@pytest.mark.parametrize("broken", [666.0, 777.0, 888.0])
def test_an_error_costs_the_state_of_one_sensor_in_one_detector(broken: float) -> None:
    first, second = Echo("first"), Echo("second")
    lane = _lane(first, second)
    lane.take([_read(0, 1), _read(0, 1, "b")], T0, T0)
    scores = lane.take([_read(10, broken), _read(10, 50, "b")], T0, T0)
    assert [(score.detector, score.station) for score in scores] == [("first", "b"), ("second", "b")]
    assert lane.errors == {"first": 1, "second": 1}
    after = {
        (score.station, score.reason) for score in lane.take([_read(20, 60), _read(20, 60, "b")], T0, T0)
    }
    assert any(station == "a" and reason.endswith(" [60.0]") for station, reason in after)
    assert any(station == "b" and reason.endswith(" [1.0, 50.0, 60.0]") for station, reason in after)


def test_a_wrong_number_of_answers_is_an_error_too() -> None:
    class Short(Echo):
        def score(self, samples: Sequence[Sample]) -> list[Score | None]:
            return []

    lane = _lane(Short())
    assert _take(lane, _read(0, 10)) == []
    assert lane.errors == {"echo": 1}


def test_a_whole_batch_is_one_call_where_a_detector_asks_for_it() -> None:
    choir, echo = Choir("choir"), Echo()
    _lane(choir, echo).take([_read(0, 10), _read(0, 20, "b")], T0, T0)
    assert (choir.calls, echo.calls) == ([2], [1, 1])


def test_an_error_in_a_whole_batch_resets_those_who_were_in_it() -> None:
    lane = _lane(Choir())
    assert _take(lane, _read(0, 666), _read(0, 10, "b")) == []
    assert _take(lane, _read(10, 30), _read(10, 10, "b")) == [0.3, 0.1]
    assert lane.errors == {"echo": 1}


def test_a_burst_is_judged_by_its_first_value_and_when_it_is_over_by_its_last() -> None:
    lane = _lane(Echo())
    for second in range(60):
        assert _take(lane, _read(second / 60, second + 10)) == ([0.1] if second == 0 else [])
    over = T0 + 59_000 + 5 * MIN
    assert lane.ticks(over - 1, T0) == []
    assert lane.next_due() == over
    assert [(score.score, score.at) for score in lane.ticks(over, T0)] == [(0.69, T0 + 59_000)]
    assert lane.next_due() is None


def test_a_burst_that_does_not_end_is_judged_each_half_cadence() -> None:
    lane = _lane(Echo())
    told = [(minute, score) for minute in range(16) for score in _take(lane, _read(minute, minute))]
    assert told == [(0, 0.0), (5, 0.05), (10, 0.1), (15, 0.15)]


def test_the_last_of_a_burst_is_judged_before_the_next_reading_that_comes_first() -> None:
    lane = _lane(Echo())
    scores = lane.take([_read(0, 10), _read(1, 20), _read(10, 30)], T0, T0)
    assert [score.reason.removeprefix("[] ") for score in scores] == [
        "[10.0]",
        "[10.0, 20.0]",
        "[10.0, 20.0, 30.0]",
    ]


def test_what_comes_at_the_cadence_is_judged_all_of_it() -> None:
    assert _take(_lane(Echo()), *[_read(step * 10, step) for step in range(20)]) == [
        step / 100 for step in range(20)
    ]


def test_a_burst_of_history_is_thinned_to_half_the_cadence() -> None:
    told = _take(_lane(Echo()), *[_read(minute, minute) for minute in range(31)])
    assert told == [minute / 100 for minute in range(0, 31, 5)]


def test_a_batch_handed_over_again_says_nothing_and_changes_nothing() -> None:
    lane = _lane(Echo())
    batch = [_read(0, 10), _read(10, 20)]
    assert len(lane.take(batch, T0, T0)) == 2
    rows = lane.dump_changed()
    assert lane.take(batch, T0, T0) == []
    assert lane.dump_changed() == []
    assert rows


def test_beyond_its_number_of_stations_only_those_who_follow_everywhere_are_asked() -> None:
    class Wide(Echo):
        everywhere = True

    lane = SlowLane(CITY, {"echo": Echo(), "wide": Wide("wide")}, most=1)
    first, second = list(CITY.stations)[:2]
    assert [score.detector for score in lane.take([_read(0, 10, first)], T0, T0)] == ["echo", "wide"]
    assert [score.detector for score in lane.take([_read(0, 10, second)], T0, T0)] == ["wide"]


def test_the_slow_lane_keeps_no_track() -> None:
    lane = _lane(Echo())
    reasons = [score.reason.split(" [")[0] for score in lane.take([_read(0, 10), _read(10, 20)], T0, T0)]
    assert reasons == ["[]", "[]"]


# --- time ---


def _silence() -> SlowLane:
    return SlowLane(CITY, {"silent": subjects()["silent"]})


def test_silence_is_told_when_its_time_comes_and_not_before() -> None:
    lane = _silence()
    assert lane.next_due() is None
    lane.take([_read(0, 1), _read(5, 1, "b")], T0, T0)
    assert lane.next_due() == T0 + 30 * MIN
    assert lane.ticks(T0 + 30 * MIN - 1, T0) == []
    assert [score.station for score in lane.ticks(T0 + 30 * MIN, T0)] == ["a"]
    assert lane.next_due() == T0 + 35 * MIN
    assert [score.station for score in lane.ticks(T0 + 40 * MIN, T0)] == ["b"]
    assert lane.next_due() is None
    assert lane.ticks(T0 + 400 * MIN, T0) == []


def test_a_sensor_that_reports_is_never_silent() -> None:
    lane = _silence()
    for step in range(50):
        lane.take([_read(step * 10, 1)], T0, T0)
        assert lane.ticks(T0 + step * 10 * MIN + 1, T0) == []
    assert lane.next_due() == T0 + 520 * MIN


def test_many_readings_leave_one_timer_for_silence_and_one_for_the_burst() -> None:
    lane = _silence()
    for second in range(600):
        lane.take([_read(second / 60, 1)], T0, T0)
    assert len(lane._timers) == 2


def test_silence_between_two_readings_is_told_though_nobody_looked_meanwhile() -> None:
    """A service that is behind reads the journal fast; what it finds must not hang on how fast."""
    lane = _silence()
    batch = [_read(0, 1), _read(10, 1), _read(60, 1), _read(70, 1)]
    scores = lane.take(batch, T0 + 70 * MIN, T0)
    assert [(score.at - T0, score.score) for score in scores] == [(40 * MIN, 1.0), (60 * MIN, 0.0)]


def test_an_exercise_that_goes_on_at_another_speed_has_another_patience_with_silence() -> None:
    slack = [30 * MIN]
    lane = SlowLane(CITY, {"silent": subjects()["silent"]}, lambda: slack[0])
    assert lane.take([_read(0, 1), _read(55, 1)], T0, T0) == []
    slack[0] = 0
    scores = lane.take([_read(110, 1)], T0, T0)
    assert [(score.at - T0, score.score) for score in scores] == [(85 * MIN, 1.0), (110 * MIN, 0.0)]


def test_the_grace_after_a_start_is_kept_by_the_timers() -> None:
    lane = _silence()
    lane.take([_read(0, 1)], T0, T0)
    began = T0 + 1_000 * MIN
    assert lane.ticks(began, began) == []
    assert lane.next_due() == began + 20 * MIN
    assert [score.at for score in lane.ticks(began + 20 * MIN, began)] == [began + 20 * MIN]


def test_a_detector_that_raises_in_its_tick_is_counted_and_does_not_stop_the_clock() -> None:
    class Bomb(Echo):
        def due(self, state: DetectorState) -> int | None:
            return T0

        def tick(
            self, state: DetectorState, station: Station, sensor: str, now: int, listening_since: int
        ) -> Score | None:
            raise ZeroDivisionError("tick")

    lane = SlowLane(CITY, {"bomb": Bomb("bomb"), "silent": subjects()["silent"]})
    lane.take([_read(0, 1)], T0, T0)
    assert [score.detector for score in lane.ticks(T0 + 30 * MIN, T0)] == ["silent"]
    assert lane.errors == {"bomb": 1}


def test_a_detector_that_is_always_due_is_asked_once_a_cadence() -> None:
    asked: list[int] = []

    class Eager(Echo):
        def due(self, state: DetectorState) -> int | None:
            return 0

        def tick(
            self, state: DetectorState, station: Station, sensor: str, now: int, listening_since: int
        ) -> Score | None:
            asked.append(now)
            return None

    lane = _lane(Eager())
    lane.take([_read(0, 1)], T0, T0)
    for minute in range(31):
        lane.ticks(T0 + minute * MIN, T0)
    assert asked == [T0 + minute * MIN for minute in (0, 10, 20, 30)]


# --- restart ---


def _series() -> list[list[tuple[Reading, bool]]]:
    """Three sensors, with a silence, a jump and a surge in them."""
    batches = []
    for index, (at, level) in enumerate(tide(2)):
        value = level / 2
        batch = [(Reading("a", "water_level", value, at, at), False)]
        if not 100 < index < 140:
            batch.append(
                (Reading("b", "water_level", value * (1.5 if index == 200 else 1), at, at), index == 200)
            )
        batch.append((Reading("cam", "crowd_count", abs(value), at, at), False))
        batches.append(batch)
    return batches


def _slow() -> Mapping[str, Detector]:
    return {**subjects(), "echo": Echo(hold_ms=30 * MIN)}


def test_a_restart_changes_no_later_score() -> None:
    undisturbed, lane = SlowLane(CITY, _slow()), SlowLane(CITY, _slow())
    kept: dict[tuple[str, str, str], tuple[str, bytes]] = {}
    for index, batch in enumerate(_series()):
        now = batch[0][0].received_at
        assert lane.ticks(now, T0) == undisturbed.ticks(now, T0)
        assert lane.take(batch, now, T0) == undisturbed.take(batch, now, T0)
        kept |= {row[:3]: row[3:] for row in lane.dump_changed()}
        if index % 23 == 11:
            lane = SlowLane(CITY, _slow())
            assert lane.restore([(*key, *rest) for key, rest in kept.items()]) == []
            assert lane.next_due() == undisturbed.next_due()
    assert {row[:3]: row[3:] for row in undisturbed.dump_changed()} == kept


def test_only_what_changed_is_dumped() -> None:
    lane = _lane(Echo())
    lane.take([_read(0, 1), _read(0, 1, "b")], T0, T0)
    assert sorted(row[:4] for row in lane.dump_changed()) == [
        ("a", "main", "echo", "1"), ("a", "main", SELF, "1"), ("b", "main", "echo", "1"), ("b", "main", SELF, "1"),
    ]  # fmt: skip
    assert lane.dump_changed() == []
    lane.take([_read(10, 2, "b")], T0, T0)
    assert {row[0] for row in lane.dump_changed()} == {"b"}


def test_all_states_of_a_sensor_together_stay_below_eight_kilobytes() -> None:
    lane = SlowLane(CITY, subjects())
    sizes: dict[tuple[str, str], dict[str, int]] = {}
    for batch in _series():
        lane.take(batch, batch[0][0].received_at, T0)
        for station, sensor, detector, _, body in lane.dump_changed():
            sizes.setdefault((station, sensor), {})[detector] = len(body)
    assert max(sum(found.values()) for found in sizes.values()) <= 8_192


@pytest.mark.parametrize(
    ("row", "fresh"),
    [
        (("a", "main", "echo", "0", b"\x92"), True),
        (("a", "main", "echo", "1", b""), True),
        (("a", "main", "echo", "1", b"\xff\xff"), True),
        (("a", "main", SELF, "1", b"\xc1"), True),
        (("a", "main", SELF, "99", b"\x92\x00\x92\x90\x90"), True),
        (("a", "main", "no_more", "1", b""), False),
        (("gone", "main", "echo", "1", b""), False),
    ],
)
def test_a_state_that_cannot_be_used_starts_afresh_and_is_named(
    row: tuple[str, str, str, str, bytes], fresh: bool
) -> None:
    lane = _lane(Echo())
    assert lane.restore([row]) == ([row[:3]] if fresh else [])
    assert _take(lane, _read(0, 10)) == [0.1]


def test_a_state_of_another_version_starts_afresh() -> None:
    lane, newer = _lane(Echo()), Echo()
    lane.take([_read(0, 10)], T0, T0)
    newer.version = "2"
    assert _lane(newer).restore(lane.dump_changed()) == [("a", "main", "echo")]


def test_a_load_that_raises_is_counted_and_starts_afresh() -> None:
    class Spoiler(Echo):
        def dump(self, state: list[float]) -> bytes:
            return b"broken"

    lane, other = _lane(Spoiler()), _lane(Echo())
    lane.take([_read(0, 10)], T0, T0)
    assert other.restore(lane.dump_changed()) == [("a", "main", "echo")]
    assert other.errors == {"echo": 1}
    assert _take(other, _read(20, 20)) == [0.2]
