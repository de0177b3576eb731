"""Silence, heard again, and everything that must not be taken for either."""

from models.detectors.silent import DETECTOR
from tests.detector_bench import MIN, T0, Runner

LONG_AGO = T0 - 10**9


def _heard_once() -> Runner:
    runner = Runner(DETECTOR)
    assert runner.read(T0, 1.0) is None
    return runner


def test_three_cadences_without_a_word_are_silence() -> None:
    runner = _heard_once()
    assert DETECTOR.due(runner.state) == T0 + 30 * MIN
    assert runner.tick(T0 + 30 * MIN - 1, LONG_AGO) is None
    answer = runner.tick(T0 + 30 * MIN, LONG_AGO)
    assert answer is not None
    assert (answer.score, answer.at, answer.sensor) == (1.0, T0 + 30 * MIN, "main")
    assert answer.reason == "nothing heard for 30 min (since 2026-01-01 00:00 UTC), expected every 10 min"
    assert DETECTOR.ladder.severity_at(answer.score) == 1


def test_a_late_tick_says_when_the_silence_began() -> None:
    answer = _heard_once().tick(T0 + 500 * MIN, LONG_AGO)
    assert answer is not None
    assert answer.at == T0 + 30 * MIN


def test_silence_is_told_once() -> None:
    runner = _heard_once()
    assert runner.tick(T0 + 31 * MIN, LONG_AGO) is not None
    assert DETECTOR.due(runner.state) is None
    assert runner.tick(T0 + 90 * MIN, LONG_AGO) is None


def test_the_next_reading_ends_it() -> None:
    runner = _heard_once()
    runner.tick(T0 + 31 * MIN, LONG_AGO)
    answer = runner.read(T0 + 42 * MIN, 1.0)
    assert answer is not None
    assert (answer.score, answer.reason) == (0.0, "heard again after 42 min")
    assert DETECTOR.due(runner.state) == T0 + 72 * MIN
    assert runner.read(T0 + 52 * MIN, 1.0) is None


def test_nothing_is_held_against_a_sensor_for_two_cadences_after_the_service_began_to_listen() -> None:
    runner = _heard_once()
    began = T0 + 300 * MIN
    assert runner.tick(began, began) is None
    assert DETECTOR.due(runner.state) == began + 20 * MIN
    answer = runner.tick(began + 20 * MIN, began)
    assert answer is not None
    assert answer.at == began + 20 * MIN


def test_a_reading_within_the_grace_means_no_alert() -> None:
    runner = _heard_once()
    began = T0 + 300 * MIN
    runner.tick(began, began)
    assert runner.read(began + 5 * MIN, 1.0) is None
    assert DETECTOR.due(runner.state) == began + 35 * MIN


def test_old_readings_sent_late_show_that_the_device_lives() -> None:
    runner = _heard_once()
    runner.read(T0 + 10 * MIN, 1.0, received_at=T0 + 29 * MIN)
    assert DETECTOR.due(runner.state) == T0 + 59 * MIN


def test_a_retained_message_never_refreshes() -> None:
    runner = _heard_once()
    runner.read(T0 + 5 * MIN, 1.0, received_at=T0 + 29 * MIN, retained=True)
    assert DETECTOR.due(runner.state) == T0 + 35 * MIN


def test_an_old_retained_message_does_not_end_a_silence() -> None:
    runner = _heard_once()
    runner.tick(T0 + 60 * MIN, LONG_AGO)
    assert runner.read(T0 + 5 * MIN, 1.0, received_at=T0 + 61 * MIN, retained=True) is None
    assert runner.state.silent


def test_a_manual_reading_says_nothing_about_the_sensor() -> None:
    runner = Runner(DETECTOR)
    runner.read(T0, 1.0, source="operator:sari")
    assert DETECTOR.due(runner.state) is None


def test_the_present_cadence_counts_after_a_restart() -> None:
    runner = _heard_once()
    slower = Runner(DETECTOR, cadence_ms=60 * MIN)
    state = DETECTOR.load("1", DETECTOR.dump(runner.state), slower.station, slower.kind)
    assert state is not None
    assert DETECTOR.due(state) == T0 + 180 * MIN
