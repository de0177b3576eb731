"""The neighbour check under judgement: what is counted, by hand; faults that neither meet nor teach; no look-ahead."""

import numpy as np
import pytest
from msgspec.structs import replace

from models.detectors.neighbour import DETECTOR
from models.evaluations.quality import NONE, Counts, Tally
from models.evaluations.quality_faults import FAULTS, Fault
from models.evaluations.quality_neighbours import Checked, Levels, Play, check, figures
from pantau.city import City, Link
from pantau.station import Station
from tests.detector_bench import T0, city_of

HOUR = 3_600_000
DAYS = 60
DRIFT, DATUM = Fault("drift", 50.0), Fault("datum", 50.0)
UP, DOWN, POND = (
    Station(id=name, name=name, kind="water_level", hazard="flood", group="g", post=name)
    for name in ("up", "down", "pond")
)
CITY = replace(city_of(UP, DOWN, POND), links=(Link("up", "down", 120, 240),))


def levels(days: int = DAYS) -> dict[str, Levels]:
    """Two gauges of one calm river and a pond that nobody is tied to, by the hour."""
    hours = np.arange(days * 24)
    noise = np.random.default_rng(1)
    level = 100 + noise.normal(0, 1.0, DAYS * 24).cumsum()[: len(hours)]
    times = T0 + HOUR * hours
    start = 12 * 24
    return {
        name: (times, np.roll(level, shift), start) for name, shift in (("up", 0), ("down", 3), ("pond", 7))
    }


FOUND = list(check(CITY, levels(), 1))


def test_figures_are_those_counted_by_hand() -> None:
    day = 24 * HOUR
    checked = [
        Checked(None, "a", 0, 60 * day, (5 * day,)),
        Checked(None, "b", 0, 60 * day, (6 * day, 9 * day)),
        Checked(DRIFT, "a", 10 * day, 13 * day, (11 * day, 12 * day)),
        Checked(DRIFT, "b", 10 * day, 13 * day, (10 * day + 30 * HOUR,), accused=1),
        Checked(DRIFT, "b", 30 * day, 33 * day, ()),
        Checked(DATUM, "a", 10 * day, 13 * day, ()),
    ]
    drift = figures(checked, DRIFT)
    assert drift == {
        "recall": 2 / 3, "precision": 2 / 3, "precision_strict": 2 / (2 + 1 + 3), "faults": 3, "delay_h": 27.0,
        "false_per_30d": 0.75,
    }  # fmt: skip
    datum = figures(checked, DATUM)
    assert (datum["recall"], datum["precision"], datum["precision_strict"]) == (0, None, 0)
    assert figures(checked, None)["false_per_30d"] == 0.75
    assert set(figures([], DRIFT).values()) == {0, None}


def test_rows_of_pantau_get_the_checks_figures_and_are_open_without_it() -> None:
    tally = Tally()
    entry = Counts(faults=4, found=1, hits=9, wrong=0, flagged=0, clean=10, withheld=0)
    tally._counts = {("pantau", NONE): [entry], ("pantau", DRIFT): [entry], ("qartod_step", DRIFT): [entry]}
    checked = [Checked(None, "a", 0, 30 * 24 * HOUR, (1,)), Checked(DRIFT, "a", 0, 10 * HOUR, (5 * HOUR,))]
    plain, ours, theirs = tally.rows(checked)
    assert (plain["false_per_30d"], plain["delay_h"]) == (1, None)
    assert (ours["recall"], ours["faults"], ours["delay_h"], ours["false_per_30d"]) == (1, 1, 5, 1)
    assert (theirs["recall"], theirs["false_per_30d"]) == (0.25, None)
    plain, ours, _ = tally.rows()
    assert (plain["false_per_30d"], ours["recall"], ours["precision"], ours["faults"]) == (
        None,
        None,
        None,
        4,
    )


def test_faults_of_half_a_metre_are_found_before_they_are_mended_and_small_ones_cost_no_false_alarm() -> None:
    for fault in (DRIFT, DATUM):
        row = figures(FOUND, fault)
        assert row["faults"] == 4
        assert row["recall"] >= 0.75
        assert 0 < row["delay_h"] < 72
    assert figures(FOUND, None)["false_per_30d"] == 0


@pytest.mark.parametrize(("start", "alarms"), [(288, 1), (1_000, 0)])
def test_an_alarm_of_the_untouched_recording_counts_once_and_only_after_what_is_learnt_from(
    start: int, alarms: int
) -> None:
    times, level, _ = levels()["down"]
    moved = np.where(np.arange(len(level)) > 700, level + 80, level)
    found = check(CITY, {"up": levels()["up"], "down": (times, moved, start)}, 1)
    [plain] = [one for one in found if one.fault is None and one.station == "down"]
    assert (plain.begin, plain.end) == (times[start], times[-1])
    assert len(plain.alarms) == alarms
    assert all(times[700] < at < times[760] for at in plain.alarms)


def test_a_gauge_without_a_neighbour_is_not_judged_and_each_fault_is_judged_once() -> None:
    assert {one.station for one in FOUND} == {"up", "down"}
    assert {one.fault for one in FOUND} == {
        None,
        *(fault for fault in FAULTS if fault.name in {"drift", "datum"}),
    }
    assert list(check(city_of(UP, DOWN, POND), levels(), 1)) == []


def test_what_comes_after_a_fault_does_not_change_what_was_told_of_it() -> None:
    whole = {(one.fault, one.station, one.begin): one for one in FOUND}
    early = [one for one in check(CITY, levels(32), 1) if one.fault]
    assert early
    for one in early:
        assert whole[one.fault, one.station, one.begin].alarms == one.alarms


def test_a_copy_goes_on_like_its_original_and_leaves_it_alone() -> None:
    times, level, _ = levels()["up"]
    events = [
        (int(at), name, float(value))
        for at, value in zip(times, level, strict=True)
        for name in ("up", "down")
    ]
    broken = [(at, name, value + 80 * (name == "down")) for at, name, value in events[1_200:1_400]]

    def told(*, disturbed: bool) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        play, other = Play(_hourly(), DETECTOR), list[tuple[str, int]]()
        for event in events[:1_200]:
            play.take(event)
        if disturbed:
            copy = play.copy()
            for event in broken:
                other += copy.take(event)
        return [entry for event in broken for entry in play.take(event)], other

    alone, _ = told(disturbed=False)
    beside, copied = told(disturbed=True)
    assert alone
    assert alone == beside == copied


def _hourly() -> City:
    return replace(
        CITY, stations={name: replace(one, cadence_ms=HOUR) for name, one in CITY.stations.items()}
    )


@pytest.mark.parametrize("seed", [2, 3])
def test_places_follow_from_the_seed_alone(seed: int) -> None:
    one, again = (list(check(CITY, levels(), seed)) for _ in range(2))
    assert one == again
    assert {entry.begin for entry in one if entry.fault} != {entry.begin for entry in FOUND if entry.fault}
