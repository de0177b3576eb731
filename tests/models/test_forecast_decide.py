"""Alarms against floods, counted by hand; cuts that keep a budget."""

from collections.abc import Iterable

import numpy as np
import pytest

from models.forecast_decide import Alarms, choose_cut, warned
from models.forecast_features import HOUR_MS
from models.forecast_fit import Settings, fit
from models.verify import events
from tests.models.river import HOUR, hours, river


def alarms(on: list[int], high: list[int], count: int = 24 * 30) -> Alarms:
    times, active, above = hours(count), np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    active[on], above[high] = True, True
    return Alarms(times, active, above, events(times, above.astype(float), 1.0, 12 * HOUR), 6 * HOUR)


@pytest.mark.parametrize(
    ("on", "warnings"),
    [
        ([100], (0, 0, 1)),  # nine hours before: out of the six and two, so false
        ([101], (0, 0, 1)),
        ([102], (1, 1, 0)),
        ([107], (1, 1, 0)),
        ([108], (1, 1, 0)),  # two hours before
        ([109], (1, 0, 0)),
        ([110], (0, 0, 0)),  # with the crossing: neither a warning nor false
        ([112], (0, 0, 0)),  # during the flood
        ([105, 106, 107, 108, 109, 110, 111, 112, 113], (1, 1, 0)),
        ([10, 11, 13, 105], (1, 1, 1)),  # a pause of two hours is one false alarm
        ([10, 14, 105], (1, 1, 2)),
    ],
)
def test_a_flood_is_warned_of_in_the_hours_before(on: list[int], warnings: tuple[int, int, int]) -> None:
    found = warned(alarms(on, [110, 111, 112]))
    assert found.events == 1
    assert (found.warned, found.warned_2h, found.false) == warnings
    assert found.false_per_30d == pytest.approx(found.false * 720 / 719)


def test_the_cut_warns_of_most_within_the_budget() -> None:
    times = hours(24 * 300)
    signal, level = np.zeros(len(times)), np.zeros(len(times))
    for flood in range(500, 7000, 500):
        level[flood : flood + 3] = 1.0
        signal[flood - 4 : flood] = 0.6 if flood % 1000 else 0.4
    for false in range(700, 7000, 250):
        signal[false : false + 2] = 0.5 if false % 1000 == 700 else 0.3
    given = Alarms(times, level > 0, level > 0, events(times, level, 1.0, 12 * HOUR), 6 * HOUR)
    cuts = np.array([0.2, 0.35, 0.55])
    assert choose_cut(signal, cuts, given, 3.0, 0.5)[0] == 0.35  # 0.2 warns of no more, only too often
    strict = choose_cut(signal, cuts, given, 0.1, 0.5)
    assert strict[0] == 0.55
    assert strict[1].false == 0
    assert strict[1].warned == 7
    assert choose_cut(signal, cuts[:1], given, 0.0, 0.5)[0] == 0.2  # nothing keeps it: the highest


@pytest.mark.parametrize(
    ("on", "false", "in_vain"),
    [
        (range(10, 18), 1, 1),  # six hours and two
        (range(10, 19), 1, 2),
        (range(10, 43), 1, 5),
        (range(105, 114), 0, 0),
        (range(100, 131), 1, 3),  # from 100 in vain, from 108 not, from 118 and 126 again
        ([10, 11, 30], 2, 2),
    ],
)
def test_an_alarm_that_goes_on_in_vain_counts_again(on: Iterable[int], false: int, in_vain: int) -> None:
    found = warned(alarms([*on], [110, 111, 112]))
    assert (found.false, found.in_vain) == (false, in_vain)


def test_an_alarm_that_never_ends_is_no_cut_to_choose() -> None:
    times = hours(24 * 300)
    signal, level = np.full(len(times), 0.1), np.zeros(len(times))
    for flood in range(500, 7000, 500):
        level[flood : flood + 3] = 1.0
        signal[flood - 4 : flood] = 0.6 if flood % 1000 else 0.2
    given = Alarms(times, level > 0, level > 0, events(times, level, 1.0, 12 * HOUR), 6 * HOUR)
    always = warned(given._replace(active=np.ones(len(times), dtype=bool)))
    assert (always.warned, always.warned_2h, always.false) == (13, 13, 1)
    cut, found = choose_cut(signal, np.array([0.05, 0.4]), given, 1.0, 0.5)
    assert (cut, found.warned, found.false) == (0.4, 7, 0)


def test_a_model_knows_its_cuts_and_what_they_gave() -> None:
    model = fit(
        river(), "down", ("up",), Settings((480.0, 9_999.0), (HOUR_MS, 3 * HOUR_MS), 3 * HOUR_MS, 1.0)
    )
    common, never = model.decisions
    assert common.horizon == 1
    assert 0 < common.close < common.open < 1
    assert common.close == pytest.approx(0.5 * common.open)
    assert 0 <= common.false_per_30d <= 1.0
    assert common.warned > 0.5
    assert len(common.yes) == 2
    assert never.false_per_30d == -1.0
    assert model.metrics["mae_3h"] < model.metrics["mae_persistence_3h"]
    assert model.metrics["rows"] > 4_000
