"""Bands that keep their word, whatever the model believed."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.forecast import Batch, Prediction, Step
from models.forecast_conformal import Conformal, follow
from models.forecast_repair import levels
from tests.models.river import HOUR, hours

LEADS = (HOUR, 3 * HOUR)


def told(at: int, low: float, high: float, *, rising: bool = False) -> Prediction:
    return Prediction(at, 0.0, rising, tuple(Step(at + lead, lead, low, 0.0, high) for lead in LEADS))


def batch_of(at: "np.ndarray[tuple[int], np.dtype[np.int64]]", half: float) -> Batch:
    count = len(at)
    band, none = np.full((count, 2), half), np.zeros((count, 2, 0))
    flat = np.zeros(count, dtype=bool)
    return Batch(
        at,
        np.zeros(count),
        -band,
        0 * band,
        band,
        none,
        none,
        np.arange(count) % 48 < 12,
        flat,
        flat[:, None],
    )


@pytest.mark.parametrize("half", [0.3, 1.645, 8.0])
def test_a_band_too_narrow_or_too_wide_ends_at_ninety_per_cent(half: float) -> None:
    times = hours(6000)
    level = np.random.default_rng(5).normal(0, 1, len(times))
    low, high = follow(batch_of(times, half), levels(times, level, 1e9), Conformal.fresh(LEADS), HOUR // 2)
    for lead, ahead in enumerate((1, 3)):
        came = level[1000 + ahead :]
        inside = (low[1000:-ahead, lead] <= came) & (came <= high[1000:-ahead, lead])
        assert 0.88 <= inside.mean() <= 0.92


def test_a_miss_moves_its_own_edge_lead_and_state_only() -> None:
    conformal = Conformal.fresh(LEADS)
    conformal.issue(told(0, -1, 1, rising=True))
    conformal.observe(HOUR, 5.0, 0)
    assert conformal.high == [[0.0, 0.0], [pytest.approx(0.08 * 0.95), 0.0]]
    assert conformal.low == [[0.0, 0.0], [pytest.approx(-0.08 * 0.05), 0.0]]
    moved = conformal.corrected(told(0, -1, 1, rising=True)).steps
    assert moved[0].high == pytest.approx(1 + 2 * 0.076)
    assert moved[1].high == 1.0
    assert conformal.corrected(told(0, -1, 1)).steps[0].high == 1.0


def test_the_truth_counts_at_its_time_and_not_much_later() -> None:
    conformal = Conformal.fresh(LEADS)
    conformal.issue(told(0, -1, 1))
    conformal.observe(HOUR - 1, 5.0, 0)
    assert conformal.high[0][0] == 0.0
    conformal.observe(2 * HOUR, 5.0, HOUR // 2)  # too late for one hour ahead: not counted
    assert conformal.high[0][0] == 0.0
    conformal.observe(3 * HOUR + 60_000, 5.0, HOUR // 2)
    assert conformal.high[0][1] > 0.0
    assert conformal.open == []


def test_one_forecast_an_hour_is_remembered_and_the_state_stays_small() -> None:
    leads = tuple(hour * HOUR for hour in range(1, 10))
    conformal = Conformal.fresh(leads)
    for at in range(0, 40 * HOUR, 600_000):
        conformal.observe(at, 1.0, 300_000)
        steps = tuple(Step(at + lead, lead, -1.234567, 0.0, 1.234567) for lead in leads)
        conformal.issue(Prediction(at, 0.0, at % 7 == 0, steps))
    assert len(conformal.open) <= 10
    assert len(msgspec.msgpack.encode(conformal)) < 3_000


@given(st.lists(st.tuples(st.integers(1, 200), st.floats(-50, 50)), max_size=60), st.integers(0, 60))
def test_a_restart_anywhere_changes_nothing(steps: list[tuple[int, float]], cut: int) -> None:
    one, two, at = Conformal.fresh(LEADS), Conformal.fresh(LEADS), 0
    for turn, (minutes, value) in enumerate(steps):
        at += minutes * 60_000
        if turn == cut:
            two = msgspec.msgpack.decode(msgspec.msgpack.encode(two), type=Conformal)
        for each in (one, two):
            each.observe(at, value, 600_000)
            each.issue(each.corrected(told(at, -1, 1, rising=turn % 3 == 0)))
    assert one == two


def test_following_a_batch_is_issuing_one_after_the_other() -> None:
    times = hours(200, 1_800_000)
    level = np.random.default_rng(6).normal(0, 1, len(times))
    batch = batch_of(times, 1.0)
    low, high = follow(batch, levels(times, level, 1e9), Conformal.fresh(LEADS), HOUR // 2)
    conformal = Conformal.fresh(LEADS)
    for row, at in enumerate(times.tolist()):
        if row:
            conformal.observe(at, float(level[row]), HOUR // 2)
        moved = conformal.corrected(told(at, -1, 1, rising=bool(batch.rising[row])))
        conformal.issue(moved)
        assert [step.low for step in moved.steps] == pytest.approx(low[row].tolist())
        assert [step.high for step in moved.steps] == pytest.approx(high[row].tolist())


def test_a_forecast_without_steps_stays_as_it_is() -> None:
    conformal, nothing = Conformal.fresh(LEADS), Prediction(0, float("nan"), False, ())
    assert conformal.corrected(nothing) is nothing
    conformal.issue(nothing)
    assert conformal.open == []
