"""Clocks: what they say of the time, and how long one has to wait for an instant."""

import time

import pytest

from app.clock import RealClock, ScaledClock, VirtualClock
from pantau.ports import Clock


def real_ms() -> float:
    return time.time() * 1000


def test_the_real_clock_is_the_wall_clock_and_no_exercise() -> None:
    clock: Clock = RealClock()
    assert abs(clock.now() - real_ms()) < 1000
    assert (clock.exercise, clock.slack_ms) == (False, 0)
    assert RealClock().to_real_s(RealClock().now() + 60_000) == pytest.approx(60, abs=1)


def test_a_scaled_clock_runs_so_many_times_as_fast_from_its_anchor() -> None:
    clock = ScaledClock(1_000_000, 1500, round(real_ms()) - 2000)
    assert clock.exercise
    assert clock.now() == pytest.approx(1_000_000 + 2000 * 1500, abs=1000 * 1500)
    assert clock.to_real_s(clock.now() + 15_000_000) == pytest.approx(10, abs=1)
    assert clock.to_real_s(clock.now() - 15_000_000) == pytest.approx(-10, abs=1)


def test_two_processes_with_the_same_anchor_have_the_same_time() -> None:
    anchor = round(real_ms()) - 50_000
    first, second = ScaledClock(0, 10, anchor), ScaledClock(0, 10, anchor)
    assert abs(first.now() - second.now()) < 1000 * 10


def test_before_its_anchor_a_scaled_clock_stands_before_its_start() -> None:
    assert ScaledClock(1_000_000, 10, round(real_ms()) + 60_000).now() < 1_000_000


def test_without_an_anchor_it_begins_now() -> None:
    assert ScaledClock(5_000, 2).now() == pytest.approx(5_000, abs=2000)


def test_the_slack_is_what_a_message_needs_to_travel_in_simulated_time() -> None:
    assert ScaledClock(0, 1).slack_ms == 1_500
    assert ScaledClock(0, 1500).slack_ms == 37.5 * 60_000


def test_a_virtual_clock_moves_when_told_and_only_forwards() -> None:
    clock = VirtualClock(100)
    clock.set(200)
    clock.set(150)
    assert (clock.now(), clock.exercise, clock.slack_ms, clock.to_real_s(10**12)) == (200, False, 0, 0.0)
    assert VirtualClock(exercise=True).exercise
