"""A forecast: learnt from a river that can be understood; live as in training; blind to the future."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from models.forecast import Batch, Forecast
from models.forecast_features import HOUR_MS
from models.forecast_fit import Settings, changes_ahead, fit, levels_in
from models.forecast_repair import Levels
from models.forecast_repair import levels as repaired
from models.forecast_trees import Grove, Walk
from models.recent import Recent
from pantau.errors import ConfigError
from tests.models.river import LAG, hours, river

LIMIT = 480.0
WANTED = Settings((LIMIT, 560.0), tuple(hour * HOUR_MS for hour in range(1, 7)))


@cache
def model() -> Forecast:
    return fit(river(), "down", ("up",), WANTED)


@cache
def other() -> dict[str, "pd.Series[float]"]:
    """The same river in days that nobody has learnt from, with errors, gaps and odd times."""
    random, rough = np.random.default_rng(8), {}
    for name, series in river(40, seed=7).items():
        level = series.to_numpy().copy()
        level[random.choice(len(level), 15, replace=False)] -= 200
        level[random.choice(len(level), 15, replace=False)] -= 90  # too little to be held back
        kept = random.random(len(level)) > 0.1
        kept[300:330] = False
        odd = series.index.to_numpy() + random.integers(-4, 5, len(level)) * 60_000
        rough[name] = pd.Series(level[kept], index=pd.Index(odd[kept]), name="cm")
    return rough


def levels(series: Mapping[str, "pd.Series[float]"]) -> list[Levels]:
    return [levels_in(series, name) for name in ("down", "up")]


def silent() -> Levels:
    return repaired(np.array([], dtype=np.int64), np.array([]))


def recent(series: Levels, at: int) -> Recent:
    found = Recent()
    for instant, value in zip(series.times.tolist(), series.level.tolist(), strict=True):
        if instant <= at:
            found.add(instant, value)
    return found


def assert_same(one: Batch, two: Batch) -> None:
    for name in Batch._fields:
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=0, atol=1e-9, err_msg=name)


def test_it_learns_that_the_water_upstream_comes() -> None:
    series = levels(river(60, seed=5))
    batch = model().predict_all(series[0].times, series)
    came = changes_ahead(series[0], model().gauges[0], batch.at, batch.now, model().leads_ms)
    lead = LAG - 1
    lively = np.nan_to_num(np.abs(came[:, lead])) > 20
    mine = np.abs(batch.now + came[:, lead] - batch.middle[:, lead])[lively].mean()
    assert mine < 0.25 * np.abs(came[:, lead])[lively].mean()


@settings(max_examples=30)
@given(st.integers(0, 839), st.booleans())
def test_one_forecast_live_is_the_one_that_was_evaluated(row: int, with_upstream: bool) -> None:
    series = levels(other())
    if not with_upstream:
        series[1] = silent()
    at = int(series[0].times[row % len(series[0].times)])
    batch = model().predict_all(np.array([at]), series)
    live = model().predict(recent(series[0], at), {"up": recent(series[1], at)} if with_upstream else {}, at)
    assert live.value == batch.now[0]
    for lead, step in enumerate(live.steps):
        assert step.at == at + model().leads_ms[lead]
        told = (step.low, step.middle, step.high, *step.reach, *step.within)
        many = (
            batch.low[0, lead], batch.middle[0, lead], batch.high[0, lead],
            *batch.reach[0, lead], *batch.within[0, lead],
        )  # fmt: skip
        assert told == pytest.approx(many, abs=1e-9)


def test_one_row_walks_through_the_trees_as_many_rows_do() -> None:
    forest = model().cores[0].forest
    grove, walk = Grove(forest), Walk(forest)
    edges = np.array(forest.threshold)
    x = np.random.default_rng(3).choice(edges, (200, model().cores[0].width))  # on the thresholds themselves
    middles, spreads = grove.answer(x)
    for row in range(len(x)):
        assert walk.answer(x[row]) == (middles[row].tolist(), spreads[row].tolist())


def test_what_is_reached_now_is_certain_live_as_well() -> None:
    series = levels(other())
    batch = model().predict_all(series[0].times, series)
    above = np.flatnonzero((batch.now >= LIMIT) & (batch.now < LIMIT + 9))
    assert len(above)
    for at in series[0].times[above].tolist():
        live = model().predict(recent(series[0], at), {"up": recent(series[1], at)}, at)
        assert {step.within[0] for step in live.steps} == {1.0}


def test_many_at_once_are_each_one_alone() -> None:
    series = levels(other())
    at = series[0].times[::37]
    whole = model().predict_all(at, series)
    for row in range(len(at)):
        one = model().predict_all(at[row : row + 1], series)
        for name in Batch._fields:
            np.testing.assert_allclose(getattr(one, name)[0], getattr(whole, name)[row], rtol=0, atol=1e-9)


@settings(max_examples=25)
@given(st.integers(30, 800), st.floats(-500, 500))
def test_what_comes_later_changes_no_forecast(cut: int, later: float) -> None:
    series = levels(other())
    cut = min(cut, len(series[0].times) - 1)
    at = series[0].times[cut]
    changed = []
    for name, one in zip(("down", "up"), series, strict=True):
        level = np.where(one.times > at, later, one.level)
        changed.append(levels_in({name: pd.Series(level, index=pd.Index(one.times), name="cm")}, name))
    known = series[0].times[max(0, cut - 20) : cut + 1]
    assert_same(model().predict_all(known, series), model().predict_all(known, changed))


def test_an_error_is_believed_until_the_next_reading_shows_it() -> None:
    series = levels(other())
    for place in range(2):
        found = np.flatnonzero(series[place].after == 1)
        assert len(found) > 15
        for index in found[(found > 40) & (found < len(series[place].times) - 40)]:
            at = series[place].times[index : index + 1]
            cut = [repaired(one.times[one.times <= at[0]], one.level[one.times <= at[0]]) for one in series]
            assert_same(model().predict_all(at, series), model().predict_all(at, cut))


def test_it_comes_back_from_json_with_every_number_the_same() -> None:
    again = Forecast.of_json(model().to_json())
    assert again == model()
    series = levels(other())
    at = series[0].times[:50]
    for mine, yours in zip(model().predict_all(at, series), again.predict_all(at, series), strict=True):
        np.testing.assert_array_equal(mine, yours)


@pytest.mark.parametrize("body", [b"", b"{}", b"[1, 2]", b"\xff\x00"])
def test_a_strange_file_is_refused_with_what_to_do(body: bytes) -> None:
    with pytest.raises(ConfigError, match="train again"):
        Forecast.of_json(body)


def test_a_file_of_another_format_is_refused() -> None:
    body = model().to_json().replace(b'"format":1', b'"format":99')
    with pytest.raises(ConfigError, match="format 99"):
        Forecast.of_json(body)


def test_the_same_series_give_the_same_model() -> None:
    assert fit(river(), "down", ("up",), WANTED).to_json() == model().to_json()


def test_quantiles_are_in_order_and_probabilities_fall_with_the_limit_and_grow_with_time() -> None:
    series = levels(other())
    batch = model().predict_all(series[0].times, series)
    here = ~np.isnan(batch.now)
    assert here.mean() > 0.9
    assert (batch.low[here] <= batch.middle[here]).all()
    assert (batch.middle[here] <= batch.high[here]).all()
    for chance in (batch.reach[here], batch.within[here]):
        assert ((chance >= 0) & (chance <= 1)).all()
        assert (chance[..., 0] >= chance[..., 1] - 1e-12).all()
    assert (np.diff(batch.within[here], axis=1) >= 0).all()
    assert (batch.within[here] >= batch.reach[here]).all()
    assert (batch.within[batch.now >= LIMIT, :, 0] == 1.0).all()


def test_without_the_gauge_upstream_it_goes_on_and_says_so() -> None:
    series = levels(river(20, seed=6))
    at = int(series[0].times[200])
    whole = model().predict(recent(series[0], at), {"up": recent(series[1], at)}, at)
    alone = model().predict(recent(series[0], at), {}, at)
    assert whole.degraded == ""
    assert alone.degraded == "no usable reading of up"
    lone = model().cores[1]
    assert alone.steps == replace(model(), cores=(lone, lone)).predict(recent(series[0], at), {}, at).steps
    assert (
        alone.steps
        != replace(model(), cores=model().cores[:1] * 2).predict(recent(series[0], at), {}, at).steps
    )
    assert all(np.isfinite((step.low, step.middle, step.high)).all() for step in alone.steps)


def test_a_gauge_that_is_silent_has_no_forecast_and_says_so() -> None:
    series = levels(river(20, seed=6))
    at = int(series[0].times[200])
    live = model().predict(recent(series[0], at), {"up": recent(series[1], at)}, at + 5 * HOUR_MS)
    assert live.steps == ()
    assert "no usable reading" in live.degraded
    assert model().predict(Recent(), {}, at).steps == ()


def test_a_flood_beyond_all_that_was_seen_does_not_stall_the_forecast() -> None:
    seen = max(river()["down"])
    record = river(40, seed=9, highest=900.0)
    series = levels(record)
    crest = int(np.argmax(series[1].level))
    assert series[1].level[crest] > 1.5 * max(river()["up"])
    batch = model().predict_all(series[0].times[crest : crest + 1], series)
    came = float(series[0].level[crest + LAG])
    assert came > seen
    assert batch.middle[0, LAG - 1] > seen
    assert abs(batch.middle[0, LAG - 1] - came) < 0.3 * abs(came - batch.now[0])


def test_a_pending_jump_is_told_as_the_reason_for_waiting() -> None:
    series = levels(river(20, seed=6))
    at = int(series[0].times[200])
    own, before = recent(series[0], at), float(series[0].level[200])
    own.add(at + HOUR_MS, before - 300)
    live = model().predict(own, {"up": recent(series[1], at)}, at + HOUR_MS)
    assert live.value == before
    assert "waits for the next" in live.degraded


def test_the_expected_course_crosses_a_limit_between_two_leads() -> None:
    series = levels(river(60, seed=5))
    batch = model().predict_all(series[0].times, series)
    rising = np.flatnonzero((batch.now < LIMIT - 20) & (batch.middle.max(axis=1) > LIMIT + 20))
    at = int(series[0].times[rising[0]])
    live = model().predict(recent(series[0], at), {"up": recent(series[1], at)}, at)
    crossing = live.expected_at(LIMIT)
    assert crossing is not None
    after = next(step for step in live.steps if step.middle >= LIMIT)
    assert after.at - HOUR_MS <= crossing <= after.at
    assert live.expected_at(9_999.0) is None
    assert live.expected_at(live.value) is None


def test_ten_minute_gauges_and_half_hours_ahead() -> None:
    series = river(20, seed=3, step_ms=600_000)
    quick = fit(series, "down", ("up",), Settings((LIMIT,), (HOUR_MS // 2, HOUR_MS)))
    assert quick.gauges[0].lags_ms[1] == 600_000
    found = levels(series)
    batch = quick.predict_all(found[0].times[200:230], found)
    assert np.isfinite(batch.middle).all()


def test_readings_every_minute_are_thinned_as_live_memory_keeps_them() -> None:
    times = hours(600, 60_000)
    series = {"down": pd.Series(np.arange(600.0), index=pd.Index(times), name="cm")}
    kept = levels_in(series, "down")
    assert (np.diff(kept.times) == 300_000).all()
    live = recent(Levels(times, np.arange(600.0), kept.after, kept.instead), int(kept.times[-1]))
    assert live.times == kept.times[-len(live.times) :].tolist()


def test_too_little_to_learn_from_and_unknown_stations_are_errors() -> None:
    short = {name: series.iloc[:200] for name, series in river().items()}
    with pytest.raises(ConfigError, match="expected at least 500"):
        fit(short, "down", ("up",), WANTED)
    with pytest.raises(ConfigError, match="'sideways' is not in the recording"):
        fit(river(), "down", ("sideways",), WANTED)


def test_what_came_is_counted_by_hand() -> None:
    leads = (HOUR_MS, 3 * HOUR_MS)
    for level, expected in (
        ([10.0, 12, 30, 20, 15, 15], [2.0, 10.0, 2.0, 20.0]),  # level after 1 h and 3 h, highest until then
        ([10.0, 30, 12, 20, 15, 15], [20.0, 10.0, 20.0, 20.0]),
        ([10.0, 5, 4, 3, 2, 1], [-5.0, -7.0, -5.0, -5.0]),
    ):
        series = repaired(hours(6), np.array(level))
        came = changes_ahead(series, model().gauges[0], series.times[:1], np.array([10.0]), leads)
        assert came.tolist() == [expected]
        last = changes_ahead(series, model().gauges[0], series.times[-1:], np.array([15.0]), leads)
        assert np.isnan(last).all()


def test_an_error_is_no_truth() -> None:
    series = repaired(hours(6), np.array([10.0, 12, 200, 12, 12, 12]))
    came = changes_ahead(
        series, model().gauges[0], series.times[:1], np.array([10.0]), (HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS)
    )
    assert came[0, :3].tolist() == pytest.approx([2.0, np.nan, 2.0], nan_ok=True)
    assert came[0, 5] == 2.0


def test_the_reading_nearest_to_a_lead_is_its_truth_unless_it_is_half_an_interval_off() -> None:
    times = hours(6)
    times[[1, 3]] += 600_000  # ten minutes after the lead
    times[2] -= 2_000_000
    series = repaired(times, np.array([10.0, 12, 30, 20, 15, 15]))
    leads = (HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS)
    came = changes_ahead(series, model().gauges[0], times[:1], np.array([10.0]), leads)[0]
    assert came[0] == 2.0
    assert np.isnan(came[1])
    assert came[2] == 10.0
