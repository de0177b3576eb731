"""Inflow: how fast a zone fills, when it will be full, and what full means on the day."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from models.detectors.inflow import DETECTOR, Inflow, rate_per_min
from models.lane import SlowLane
from pantau.city import FAR_FUTURE, FAR_PAST, DatedLadder
from pantau.event import Score
from pantau.ladder import Ladder
from pantau.reading import Reading
from pantau.track import Track
from tests.detector_bench import MIN, T0, Runner, city_of

LIMITS = (3_000.0, 4_000.0, 5_000.0)


def _runner(
    *ladders: DatedLadder,
    capacity: int | None = None,
    every: int = 5,
    limits: tuple[float, float, float] = LIMITS,
) -> Runner:
    runner = Runner(DETECTOR, "crowd_count", cadence_ms=every * MIN)
    runner.station = replace(runner.station, hazard="density", area_m2=1_000, capacity=capacity)
    dated = ladders or (DatedLadder(FAR_PAST, FAR_FUTURE, Ladder(limits=limits)),)
    runner.detector = DETECTOR.of(replace(city_of(runner.station), ladders={"uji-1": tuple(dated)}))
    runner.state = runner.detector.start(runner.station, runner.kind)
    return runner


def _filling(runner: Runner, first: float, step: float, readings: int = 7, every: int = 5) -> Score:
    answers = runner.run([(T0 + i * every * MIN, first + i * step) for i in range(readings)])
    assert answers[-1] is not None
    return answers[-1]


def test_twenty_persons_a_minute_fill_what_is_left_in_the_time_told() -> None:
    answer = _filling(_runner(), 3_800, 100)
    assert answer.score == pytest.approx(15 / 30)
    assert answer.reason == "4400 of 5000 persons, +600 in 30 min, at this rate full in 30 min"
    assert answer.value == 4_400


@pytest.mark.parametrize(("step", "score"), [(50, 15 / 78), (100, 0.5), (200, 1.0), (0, 0.0), (-100, 0.0)])
def test_the_score_grows_as_the_time_gets_short(step: float, score: float) -> None:
    assert _filling(_runner(), 4_400 - 6 * step, step).score == pytest.approx(
        score if step != 50 else 15 / 60
    )


def test_a_slow_evening_is_no_rush() -> None:
    answer = _filling(_runner(), 4_900, 2)
    assert (answer.score, answer.reason) == (0.0, "4912 of 5000 persons, not filling")


def test_full_and_still_filling_is_the_worst() -> None:
    answer = _filling(_runner(), 4_800, 100)
    assert answer.score == 1.0
    assert answer.reason.endswith("full and still filling")


def test_one_wrong_count_does_not_make_a_rush() -> None:
    runner = _runner()
    counts = [1_000, 1_010, 990, 1_000, 1_020, 1_000, 4_900]
    answers = runner.run([(T0 + i * 5 * MIN, float(count)) for i, count in enumerate(counts)])
    assert [answer.score for answer in answers if answer] == [0.0] * 5


def test_a_place_with_a_capacity_is_full_at_its_first_limit() -> None:
    assert _filling(_runner(capacity=3_000), 1_800, 100).reason.startswith("2400 of 3000 persons")


def test_a_rule_for_the_day_moves_what_is_full() -> None:
    midnight = T0 + 30 * MIN
    before = DatedLadder(FAR_PAST, midnight, Ladder(limits=LIMITS))
    after = DatedLadder(midnight, FAR_FUTURE, Ladder(limits=(1_500.0, 4_000.0, 5_000.0)))
    answers = _runner(before, after, capacity=3_000).run(
        [(T0 + i * 5 * MIN, 700 + i * 50.0) for i in range(8)]
    )
    assert [answer.reason.split()[2] for answer in answers if answer] == ["3000"] * 4 + ["1500"] * 2


def test_nothing_is_said_without_limits_without_a_city_or_with_too_few_readings() -> None:
    assert _runner(limits=(0.0, 0.0, 0.0)).run([(T0 + i * 5 * MIN, 9.0 * i) for i in range(7)]) == [None] * 7
    assert _runner().run([(T0, 1.0), (T0 + 5 * MIN, 900.0)]) == [None, None]
    assert Runner(Inflow(), "crowd_count").run([(T0 + i * MIN * 5, 9.0 * i) for i in range(7)]) == [None] * 7
    hourly = _runner(every=60)
    assert hourly.run([(T0 + i * 60 * MIN, 900.0 * i) for i in range(5)]) == [None] * 5


def test_the_rate_is_the_difference_of_the_halves_medians() -> None:
    track = Track([T0 + i * 10 * MIN for i in range(4)], [10.0, 20.0, 90.0, 40.0])
    assert rate_per_min(track, T0 + 30 * MIN) == pytest.approx((65 - 15) / 20)
    assert rate_per_min(track, T0 + 31 * MIN) == pytest.approx(((90 + 40) / 2 - (20 + 90) / 2) / 10)
    assert rate_per_min(track, T0 + 90 * MIN) is None


@given(first=st.floats(0, 5_000), slope=st.floats(-50, 50), points=st.integers(3, 7))
def test_a_steady_slope_is_found_exactly(first: float, slope: float, points: int) -> None:
    track = Track([T0 + i * 5 * MIN for i in range(points)], [first + slope * 5 * i for i in range(points)])
    assert rate_per_min(track, track.times[-1]) == pytest.approx(slope, abs=1e-6)


def test_in_the_service_it_speaks_of_a_zone_that_fills() -> None:
    """The slow lane hands no track over: who needs one keeps it."""
    station = replace(_runner().station, area_m2=1_000)
    dated = DatedLadder(FAR_PAST, FAR_FUTURE, Ladder(limits=LIMITS))
    lane = SlowLane(replace(city_of(station), ladders={"uji-1": (dated,)}), {"inflow": DETECTOR})
    told = []
    for i in range(7):
        at = T0 + i * 5 * MIN
        told += lane.take([(Reading("uji-1", "crowd_count", 3_800 + i * 100.0, at, at), False)], at, T0)
    assert told[-1].score == pytest.approx(0.5)
    assert told[-1].reason.startswith("4400 of 5000 persons, +600 in 30 min")


def test_a_pending_count_is_no_part_of_the_rate() -> None:
    runner = _runner()
    runner.run([(T0 + i * 5 * MIN, 1_000.0) for i in range(4)])
    answers = [runner.read(T0 + (4 + i) * 5 * MIN, 4_500.0, pending=True) for i in range(3)]
    assert [answer.score for answer in answers if answer] == [0.0] * 3


def test_a_restart_forgets_no_count() -> None:
    steady, restarted = _runner(), _runner()
    for i in range(12):
        at, count = T0 + i * 5 * MIN, 3_000.0 + i * 90
        restarted.reload()
        assert restarted.read(at, count) == steady.read(at, count)
    assert len(DETECTOR.dump(steady.state)) < 260


def test_a_state_of_another_version_or_a_broken_one_begins_anew() -> None:
    runner = _runner()
    for version, body in (("1", b""), ("2", b""), ("2", b"\x93\x91\x01\x90\xc0"), ("2", b"\xc1")):
        assert DETECTOR.load(version, body, runner.station, runner.kind) is None
