"""Rate of rise, by hand and on a real flood."""

import timeit

import pytest

from models.detector import Sample
from models.detectors.rate_of_rise import DETECTOR, rise
from pantau.ladder import Rung
from pantau.quality import Limits, Past, judge
from pantau.reading import Flag, Reading
from pantau.track import Track
from tests.detector_bench import MIN, T0, Runner
from tests.recordings import series


def _track(*points: tuple[float, float]) -> Track:
    return Track([T0 + round(minutes * MIN) for minutes, _ in points], [value for _, value in points])


@pytest.mark.parametrize(
    ("points", "value", "minutes", "expected"),
    [
        ([(0, 40), (10, 52), (20, 96)], 96, 20, 56),
        ([(0, 40), (10, 30), (20, 45)], 90, 30, 60),  # from the lowest, not from the oldest
        ([(0, 40), (10, 60), (20, 80), (30, 100), (40, 120)], 120, 40, 60),  # what is older does not count
        ([(0, 40)], 100, 60, 30),  # hourly: half of what an hour brought
        ([(0, 40), (60, 140)], 140, 60, 50),  # the judged reading's own point is no base
        ([(0, 40)], 30, 10, 0),
        ([(0, 40), (10, 40)], 40, 10, 0),
        ([], 500, 0, 0),
        ([(0, 500)], 500, 0, 0),
    ],
)
def test_rise_is_measured_from_the_lowest_of_the_last_half_hour(
    points: list[tuple[float, float]], value: float, minutes: float, expected: float
) -> None:
    assert rise(_track(*points), value, T0 + round(minutes * MIN)) == pytest.approx(expected)


def test_fifty_centimetres_in_half_an_hour_is_the_first_limit_and_said_in_words() -> None:
    runner = Runner(DETECTOR)
    scores = runner.run([(T0, 100.0), (T0 + 10 * MIN, 110.0), (T0 + 20 * MIN, 130.0), (T0 + 30 * MIN, 156.0)])
    assert scores[:2] == [None, None]
    assert [score.score for score in scores[2:] if score] == [0.3, 0.56]
    last = scores[-1]
    assert last is not None
    assert last.reason == "+56 cm in 30 min"
    assert DETECTOR.ladder.severity_at(last.score) == 1
    assert DETECTOR.ladder.severity_at(0.49) == 0


def test_a_metre_in_half_an_hour_is_the_second_limit_and_more_is_not_more() -> None:
    runner = Runner(DETECTOR)
    answer = runner.run([(T0, 100.0), (T0 + 10 * MIN, 365.0)])[-1]
    assert answer is not None
    assert (answer.score, answer.reason) == (1.0, "+265 cm in 30 min")
    assert DETECTOR.ladder.severity_at(answer.score) == 2


def test_a_pending_jump_is_judged_though_the_track_does_not_have_it() -> None:
    runner = Runner(DETECTOR)
    runner.read(T0, 100.0)
    answer = runner.read(T0 + 10 * MIN, 180.0, pending=True)
    assert answer is not None
    assert answer.score == 0.8
    assert runner.state.voice.rung.tentative == 1


def test_a_calm_river_says_nothing() -> None:
    runner = Runner(DETECTOR)
    assert not any(runner.run([(T0 + step * 10 * MIN, 100.0 + step % 5) for step in range(300)]))


def test_after_a_rise_it_speaks_until_the_alert_machine_has_lowered_and_then_falls_quiet() -> None:
    runner, rung = Runner(DETECTOR), Rung()
    levels = [100.0, 130.0, 170.0, 210.0, *[215.0] * 12]
    said = []
    for step, level in enumerate(levels):
        at = T0 + step * 10 * MIN
        answer = runner.read(at, level)
        said.append(answer is not None)
        if answer is not None:
            rung.climb(DETECTOR.ladder, answer.score, at, pending=False)
    assert rung.severity == 0
    assert any(said)
    assert not any(said[-4:])


def test_a_gap_while_falling_does_not_leave_the_alert_machine_waiting() -> None:
    """The listener starts its hold anew after three cadences, so the voice has to go on speaking."""
    runner, rung, last = Runner(DETECTOR), Rung(), T0
    readings = [
        (0, 100.0),
        (10, 200.0),
        (20, 200.0),
        (40, 200.0),
        (75, 200.0),
        (85, 200.0),
        (95, 200.0),
        (105, 200.0),
    ]
    for minutes, level in readings:
        at = T0 + minutes * MIN
        if at - last > 30 * MIN:
            rung.break_hold()
        answer, last = runner.read(at, level), at
        if answer is not None:
            rung.climb(DETECTOR.ladder, answer.score, at, pending=False)
    assert rung.severity == 0


def test_an_ordinary_reading_costs_about_a_microsecond() -> None:
    runner = Runner(DETECTOR)
    runner.run([(T0 + step * 5 * MIN, 100.0 + step % 3) for step in range(13)])
    samples = [
        Sample(Reading("uji-1", "water_level", 101.0, T0 + 65 * MIN, 0), runner.track, False, runner.state)
    ]
    fastest = min(timeit.repeat(lambda: DETECTOR.score(samples), number=2_000, repeat=7)) / 2_000
    assert fastest < 4e-6, "0.5 us on an idle core; four leaves room for a busy one"


def test_a_real_flood_raises_where_the_water_shot_up_and_nowhere_in_the_calm_weeks() -> None:
    """Storm Gloria on the Agly, 22 January 2020; nineteen gauges for a month, dam manoeuvres among them."""
    raised = {
        name: _raises(name, found)
        for name, found in series("water_occitanie_2020/occitanie_2020-01.csv", 0.1).items()
    }
    flood = range(1_579_651_200_000, 1_579_737_600_000)
    hit = {name for name, instants in raised.items() if any(at in flood for at in instants)}
    assert hit >= {"Y0634020", "Y0674060"}
    assert sum(1 for instants in raised.values() if instants) <= 6
    assert sum(len(instants) for instants in raised.values()) <= 20


def _raises(name: str, found: list[tuple[int, float]]) -> list[int]:
    """Instants at which a severity became certain, as the fast lane would see it."""
    runner, past, rung = Runner(DETECTOR), Past(), Rung()
    limits = Limits.of(runner.station, runner.kind)
    instants = []
    for at, value in found:
        reading = Reading(name, "water_level", value, at, at)
        pending, gap, _ = judge(past, reading, limits)
        if reading.flag == Flag.FAIL:
            continue
        if gap:
            rung.break_hold()
        answer = DETECTOR.score([Sample(reading, past.track, pending, runner.state)])[0]
        before = rung.severity
        if answer is not None:
            rung.climb(DETECTOR.ladder, answer.score, at, pending=pending)
        if rung.severity > before:
            instants.append(at)
    return instants
