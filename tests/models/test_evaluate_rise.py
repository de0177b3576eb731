"""The evaluation of the rate of rise: floods and alarms counted by hand, and the rule on a real storm."""

import csv
import json
from pathlib import Path

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from app.evaluations import rise as command
from models.detectors.rate_of_rise import DETECTOR
from models.evaluations.rise import Alarm, Figures, alarms, figures, floods, plain, steep
from pantau.errors import ConfigError
from pantau.kinds.water_level import KIND
from pantau.station import Station
from tests.detector_bench import MIN, T0
from tests.recordings import recordings

HOUR = 60 * MIN
STATION = Station(id="s", name="S", kind="water_level", hazard="flood", group="s", cadence_ms=10 * MIN)


def levels(*values: float, every: int = 10 * MIN) -> "pd.Series[float]":
    times = [T0 + step * every for step in range(len(values))]
    return pd.Series(list(values), index=pd.Index(times, dtype="int64"), dtype="float64", name="cm")


FLASH = levels(*[50.0] * 60, 60, 90, 130, 180, 250, 300, *[300 - 5 * n for n in range(40)], *[100.0] * 60)
"""Median 50..100, peak 300; 40 cm above the lowest of half an hour at the 61st, 80 at the 62nd reading."""


def test_a_flood_begins_where_the_level_passes_a_third_of_the_way_to_the_months_peak() -> None:
    """Median 100, second highest 300: the limit is 100 + 0.35 * 195 = 168.25 or above, first reached by 180."""
    assert [(at - T0) / (10 * MIN) for at in floods(FLASH)] == [63]


def test_a_month_without_a_flood_has_none() -> None:
    assert floods(levels(*[50.0, 60.0, 99.0] * 100)) == []
    assert floods(levels(*[50.0] * 100, 500.0, *[50.0] * 100)) == []  # one wrong reading
    assert floods(levels()) == []


def test_crossings_within_twelve_hours_are_one_flood() -> None:
    peak = [*[50.0] * 30, 200.0, 200.0]
    assert len(floods(levels(*peak, *peak, *[50.0] * 200))) == 1
    assert len(floods(levels(*peak, *[50.0] * 72, *peak, *[50.0] * 300))) == 2


def test_the_detector_speaks_as_in_the_fast_lane() -> None:
    """The 62nd reading is 130 - 50 = 80 cm above the lowest of half an hour; a step of 40 is no jump, so it is sure."""
    (alarm,) = alarms(DETECTOR, FLASH, STATION, KIND)
    assert ((alarm.start - T0) / (10 * MIN), alarm.sure) == (62, alarm.start)
    assert alarm.end > alarm.start


def test_a_jump_is_told_at_once_and_sure_with_the_next_reading() -> None:
    (alarm,) = alarms(DETECTOR, levels(*[50.0] * 10, 120, 125, 125), STATION, KIND)
    assert (alarm.start, alarm.sure) == (T0 + 100 * MIN, T0 + 110 * MIN)


def test_a_spike_is_never_sure_and_no_steep_rise() -> None:
    spike = levels(*[50.0] * 10, 150, *[50.0] * 10)
    (alarm,) = alarms(DETECTOR, spike, STATION, KIND)
    assert alarm.sure is None
    assert steep(spike) == []
    assert len(plain(spike, 50.0)) == 1


def test_a_drop_out_and_the_way_back_from_it_raise_nothing() -> None:
    assert alarms(DETECTOR, levels(*[50.0] * 10, -50, *[50.0] * 10), STATION, KIND) == []


@pytest.mark.parametrize("every_min", [1, 5, 10, 15, 30, 60])
def test_the_first_alarm_comes_within_two_readings_whatever_the_cadence(every_min: int) -> None:
    """A river that climbs 2 cm a minute: 60 cm in half an hour."""
    values = [50.0] * 40 + [50.0 + 2 * every_min * n for n in range(1, 1 + max(4, 60 // every_min))]
    climbing = levels(*values, *[values[-1]] * 40, every=every_min * MIN)
    station = Station(
        id="s", name="S", kind="water_level", hazard="flood", group="s", cadence_ms=every_min * MIN
    )
    (alarm,) = alarms(DETECTOR, climbing, station, KIND)
    first = next(index for index, value in enumerate(values) if value >= 100)
    assert climbing.index[39] < alarm.start <= climbing.index[first + 2]


def test_irregular_readings_are_judged_by_their_times() -> None:
    """Readings 3 to 25 minutes apart on a steady 2 cm a minute: told before 80 cm are climbed."""
    steps = [3, 25, 4, 11, 7, 20, 5, 3, 16, 9]
    at, times = T0, []
    values: list[float] = []
    for minutes in [10] * 20 + steps:
        at += minutes * MIN
        times.append(at)
        values.append(50.0 if len(values) < 20 else values[-1] + 2 * minutes)
    (alarm,) = alarms(
        DETECTOR, pd.Series(values, index=pd.Index(times, dtype="int64"), name="cm"), STATION, KIND
    )
    assert values[times.index(alarm.start)] - 50 <= 80


def test_figures_by_hand() -> None:
    """One flood at the 63rd reading; an alarm 30 min before it, one 20 h before: false."""
    long = levels(*[50.0] * 200, *FLASH.tolist())
    (flood,) = floods(long)
    early, wrong = (
        Alarm(flood - 30 * MIN, flood, flood - 20 * MIN),
        Alarm(flood - 20 * HOUR, flood - 19 * HOUR, None),
    )
    found = figures([wrong, early], long)
    assert found[:5] == (1, 1, [30.0], 1, 0)
    assert figures([], long)[:5] == (1, 0, [], 0, 0)
    assert figures([Alarm(flood + HOUR, flood + 2 * HOUR, None)], long)[:5] == (
        1,
        0,
        [],
        0,
        0,
    )  # late, not false
    assert Figures(1, 1, [3.0], 1, 0, 1.0, 2, 1).plus(Figures(1, 0, [], 0, 0, 0.5, 0, 0)) == Figures(
        2, 1, [3.0], 1, 0, 1.5, 2, 1
    )


def test_the_command_tells_one_row_a_model_and_writes_every_alarm(tmp_path: Path) -> None:
    cli = typer.Typer()
    command.register(cli)
    file, out = tmp_path / "levels.csv", tmp_path / "alarms.csv"
    rows = [
        f"{pd.Timestamp(int(at), unit='ms', tz='UTC').isoformat()},s,{value},cm"
        for at, value in zip(FLASH.index.tolist(), FLASH.tolist(), strict=True)
    ]
    file.write_text("\n".join(["time,station,value,unit", *rows]), encoding="utf-8")
    result = CliRunner().invoke(cli, [str(file), "--json", "--out", str(out)], catch_exceptions=False)
    told = {row["model"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert told.keys() == {"pantau", "rise_20_in_30", "rise_50_in_30"}
    assert (told["pantau"]["floods"], told["pantau"]["warned"], told["pantau"]["lead_min_median"]) == (
        1,
        1,
        10,
    )
    assert (told["pantau"]["steep_rises"], told["pantau"]["steep_in_2_readings"]) == (1, 1)
    with out.open(encoding="utf-8", newline="") as lines:
        written = list(csv.DictReader(lines))
    assert {row["model"] for row in written} == told.keys()
    assert all(row["start"] <= (row["end"] or "9") and row["start"].endswith("Z") for row in written)


def test_a_file_without_levels_is_told(tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_text(
        "time,station,value,unit\n2026-01-01T00:00:00Z,a,1,persons\n", "utf-8"
    )
    cli = typer.Typer()
    command.register(cli)
    with pytest.raises(ConfigError, match="no station has water levels"):
        CliRunner().invoke(cli, [str(tmp_path / "counts.csv")], catch_exceptions=False)


def test_on_a_real_storm_every_steep_rise_is_told_within_two_readings() -> None:
    """Nineteen gauges of a month with a storm and telemetry that drops by metres: nothing steep is missed."""
    cli = typer.Typer()
    command.register(cli)
    file = recordings() / "water_occitanie_2020" / "occitanie_2020-01.csv"
    result = CliRunner().invoke(cli, [str(file), "--json"], catch_exceptions=False)
    ours = json.loads(result.stdout.splitlines()[0])
    assert ours["model"] == "pantau"
    assert ours["steep_in_2_readings"] == ours["steep_rises"] == 8
    assert ours["false_per_30d"] < 0.5
