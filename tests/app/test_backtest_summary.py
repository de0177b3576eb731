"""The end of a backtest, computed by hand on an invented river of two posts and on invented alerts."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from app.backtest import backtest
from app.backtest_leads import floods, table_of, upstream_ms
from app.backtest_lives import FAR, Life, lives
from app.backtest_load import WINDOW_MS, counts, load_of
from app.backtest_summary import Summary, differences, summary_of
from app.commands import backtest as command
from pantau import cityfolder
from pantau.city import City
from pantau.errors import ConfigError
from simulators.row import Recording, Row

CITY = Path(__file__).parents[2] / "cities" / "contoh"
MIN, HOUR = 60_000, 3_600_000
T0 = 1_767_225_600_000  # 2026-01-01T00:00:00Z

COURSE = {
    # Limits: awan-1 above 100 and 160, awan-2 above 180 and 250. One reading in ten minutes.
    "awan-1": {0: 80, 10: 95, 20: 101, 30: 130, 40: 161, 50: 150, 60: 120, 70: 90, 80: 90, 90: 90},
    "awan-2": {
        0: 150,
        60: 170,
        100: 175,
        110: 181,
        120: 200,
        130: 220,
        140: 240,
        150: 251,
        160: 230,
        170: 170,
    },
}


@pytest.fixture(scope="module")
def city() -> City:
    return cityfolder.load(CITY)


@pytest.fixture(scope="module")
def recording() -> Recording:
    rows = [
        Row(T0 + minute * MIN, station, "water_level", float(value))
        for station, course in COURSE.items()
        for minute, value in _filled(course).items()
    ]
    return Recording(name="invented", rows=sorted(rows, key=lambda row: row.at))


def _filled(course: dict[int, int]) -> dict[int, int]:
    """Every ten minutes up to four hours; between two points and after the last the value stays."""
    value, filled = 0, {}
    for minute in range(0, 250, 10):
        value = filled[minute] = course.get(minute, value)
    return filled


@pytest.fixture(scope="module")
def summary(recording: Recording, city: City) -> Summary:
    """Only the limits speak: no detector."""
    return summary_of(backtest(recording, city, {}), recording, city, operators=1)


def test_leads_are_from_the_first_warning_of_the_station_or_upstream_to_the_level_alert(
    summary: Summary,
) -> None:
    """By hand: awan-1 is above 100 at 00:20 and above 160 at 00:40; awan-2 above 180 at 01:50 and above 250 at 02:30.

    Nobody warns of awan-1's first limit; its second has 20 min of its own level. awan-2 has awan-1's level, 90 min
    before the first and 130 min before the second, which is earlier than its own 40 min.
    """
    rows = {(row["station"], row["severity"]): row for row in table_of(summary.floods, summary.city)}
    leads = {
        key: (row["floods"], row["warned"], row["median_lead_min"], row["level_min"])
        for key, row in rows.items()
    }
    assert leads == {
        ("awan-1", 1): (1, 0, None, None),
        ("awan-1", 2): (1, 1, 20, 20),
        ("awan-2", 1): (1, 1, 90, 90),
        ("awan-2", 2): (1, 1, 130, 130),
    }
    assert [row["warned_2h"] for row in rows.values()] == [0, 0, 0, 1]
    assert summary.floods[-1].told(summary.city) == {
        "at": "2026-01-01T02:30:00.000Z", "station": "awan-2", "name": "Awan Bridge", "severity": 2, "lead_min": 130,
        "cause": "level", "by_cause": {"level": {"station": "awan-1", "lead_min": 130}},
    }  # fmt: skip


def test_load_is_alarms_by_operator_and_ten_minutes(summary: Summary) -> None:
    """By hand: four alarms (two raises each) in 25 windows of ten minutes, 00:00 to 04:00 inclusive.

    awan-1 is open 00:20 to 01:20 (below 95 from 01:10, held ten minutes), awan-2 01:50 to 03:00: 130 of 240 min.
    """
    load = summary.load
    assert (load.alarms, load.windows, load.per_window, load.most) == (4, 25, 0.16, 1)
    assert (load.flood_share, load.chattering, load.unconfirmed, load.withdrawn) == (0, 0, 0, 0)
    assert (load.low, load.medium, load.high) == (0.5, 0.5, 0)
    assert load.standing == pytest.approx(130 / 240)
    assert load.standing_most == 1
    assert counts(summary.lives) == [
        {"hazard": "flood", "cause": "level", "severity": 2, "alerts": 2, "followed": None}
    ]


def test_several_operators_share_the_alarms(recording: Recording, city: City) -> None:
    shared = summary_of(backtest(recording, city, {}), recording, city, operators=2).load
    assert (shared.per_window, shared.most) == (0.08, 0.5)
    assert shared.standing == pytest.approx(65 / 240)


# --- leads of invented alerts ---------------------------------------------------------------------------------------


def life(
    station: str,
    cause: str,
    start: float,
    end: float | None = None,
    severity: int = 1,
    sure: int | None = None,
) -> Life:
    """Open from ``start`` to ``end`` hours after T0."""
    begin = T0 + round(start * HOUR)
    return Life(
        alert=f"{station}-{cause}-{start}", scope=station, station=station, hazard="flood", cause=cause,
        opened_at=begin, ended_at=FAR if end is None else T0 + round(end * HOUR),
        reached=dict.fromkeys(range(1, severity + 1), begin), severity=severity,
        sure=severity if sure is None else sure, told=[begin], told_severity=[severity],
    )  # fmt: skip


FLOOD = life("awan-2", "level", 20, 22)


@pytest.mark.parametrize(
    ("warning", "lead_h"),
    [
        (life("awan-2", "forecast", 17, 21), 3),
        (life("awan-2", "rise", 19, 19.5), 1),
        (life("awan-1", "forecast", 15, 16), 5),
        (life("awan-2", "forecast", 2), 12),  # open for 18 h: no lead counts beyond twelve
        (life("awan-2", "forecast", 2, 8), None),  # over twelve hours before
        (life("awan-2", "forecast", 20), None),  # not before
        (life("awan-2", "forecast", 21), None),
        (life("awan-3", "forecast", 17), None),  # downstream
        (life("batu-1", "level", 17), None),  # another river
        (life("awan-2", "anomaly", 17), None),  # no cause that warns of water
        (life("awan-2", "forecast", 17, sure=0), None),  # a jump that was nothing
    ],
)
def test_a_warning_counts_when_it_is_about_this_flood(
    warning: Life, lead_h: float | None, city: City
) -> None:
    (flood,) = [found for found in floods([warning, FLOOD], city) if found.station == "awan-2"]
    assert (flood.first[1].lead_ms / HOUR if flood.first else None) == lead_h


def test_crossings_within_twelve_hours_are_one_flood(city: City) -> None:
    again = [life("awan-1", "level", hour, hour + 0.5) for hour in (0, 6, 17, 30)]
    assert [(found.at - T0) / HOUR for found in floods(again, city)] == [0, 30]


def test_a_level_that_was_never_confirmed_is_no_flood(city: City) -> None:
    assert floods([life("awan-1", "level", 0, 1, sure=0)], city) == []
    assert [found.severity for found in floods([life("awan-1", "level", 0, 1, 3, sure=2)], city)] == [1, 2]


def test_water_from_farther_away_may_be_warned_of_earlier(city: City) -> None:
    """awan-1 to awan-3 directly: at most 390 min; through awan-2: 150 + 240 min; half as long again is below 12 h."""
    assert upstream_ms(city, "awan-3") == {"awan-1": 12 * HOUR, "awan-2": 12 * HOUR}
    slow = [
        link if link.high_min is None else type(link)(link.upstream, link.downstream, 0, 600)
        for link in city.links
    ]
    from msgspec.structs import replace

    assert upstream_ms(replace(city, links=tuple(slow)), "awan-3") == {
        "awan-1": 30 * HOUR,
        "awan-2": 15 * HOUR,
    }


# --- load of invented alerts ----------------------------------------------------------------------------------------


def test_more_than_ten_alarms_in_a_window_are_a_flood_of_alarms() -> None:
    burst = [life(f"s{n}", "level", 0.01, 1) for n in range(11)]
    assert load_of(burst, T0, T0 + HOUR - 1).flood_share == pytest.approx(1 / 6)
    assert load_of(burst[:10], T0, T0 + HOUR - 1).flood_share == 0
    assert load_of(burst, T0, T0 + HOUR - 1, operators=2).flood_share == 0
    assert load_of(burst, T0, T0 + HOUR - 1).standing_most == 11


def test_the_third_alarm_of_a_condition_within_an_hour_chatters() -> None:
    def often(*minutes: float) -> int:
        return load_of(
            [life("s", "level", minute / 60, minute / 60 + 0.01) for minute in minutes], T0, T0
        ).chattering

    assert often(0, 30) == 0
    assert often(0, 30, 60) == 1
    assert often(0, 30, 61) == 0
    assert often(0, 10, 20, 30) == 2


def test_warnings_that_were_followed_are_counted() -> None:
    told = counts([life("s", "forecast", 0, 1), life("s", "level", 5, 6), life("s", "forecast", 20, 21),
                   life("s", "rise", 5.5, 5.6), life("t", "forecast", 0, 1)])  # fmt: skip
    assert {row["cause"]: (row["alerts"], row["followed"]) for row in told} == {
        "forecast": (3, 1), "level": (1, None), "rise": (1, 1)
    }  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 200)), max_size=30), st.integers(1, 4))
def test_whatever_was_alerted_the_figures_agree_with_each_other(
    spans: list[tuple[int, int]], operators: int
) -> None:
    found = [life(f"s{n}", "level", a / 60, (a + b) / 60) for n, (a, b) in enumerate(spans)]
    load = load_of(found, T0, T0 + 5 * HOUR, operators)
    assert load.per_window * load.windows * operators == pytest.approx(load.alarms)
    assert load.per_window <= load.most or load.alarms == 0
    assert load.standing <= load.standing_most <= len(found)
    inside = sum(max(0, min(a + b, 300) - a) for a, b in spans)
    assert load.standing * 300 * operators == pytest.approx(inside)
    assert load.windows == 5 * HOUR // WINDOW_MS + 1


def test_what_is_raised_late_was_told_to_nobody(recording: Recording, city: City) -> None:
    from msgspec.structs import replace

    transitions = [replace(one, late=True) for one in backtest(recording, city, {})]
    assert load_of(lives(transitions), T0, T0 + HOUR).alarms == 0


# --- changed limits -------------------------------------------------------------------------------------------------


def test_alerts_of_two_runs_are_compared_by_condition_and_time(city: City) -> None:
    same, gone = life("awan-1", "level", 0, 1), life("awan-1", "level", 5, 6)
    earlier, worse = life("awan-1", "level", 8, 9), life("awan-2", "level", 0, 1)
    rows = differences(
        [same, gone, earlier, worse],
        [same, life("awan-1", "level", 7.5, 9), life("awan-2", "level", 0, 1, 2), life("awan-3", "level", 2)],
        city,
    )
    told = ("type", "station", "severity_now", "severity_trial", "earlier_min")
    assert [tuple(row[name] for name in told) for row in rows] == [
        ("changed", "awan-2", 1, 2, 0),
        ("gained", "awan-3", 0, 1, None),
        ("lost", "awan-1", 1, 0, None),
        ("changed", "awan-1", 1, 1, 30),
    ]  # fmt: skip


@pytest.fixture
def cli() -> typer.Typer:
    found = typer.Typer()
    command.register(found)
    return found


@pytest.fixture
def csv(tmp_path: Path, recording: Recording) -> Path:
    path = tmp_path / "invented.csv"
    lines = [
        f"{datetime.fromtimestamp(row.at / 1000, UTC).isoformat()},{row.station},{row.value},cm"
        for row in recording.rows
    ]
    path.write_text("\n".join(["time,station,value,unit", *lines]), encoding="utf-8")
    return path


def _run(cli: typer.Typer, *words: str | Path) -> Result:
    result = CliRunner().invoke(cli, [str(word) for word in (*words, "--city", CITY)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_the_summary_is_the_last_object_and_the_transitions_are_as_without_it(
    cli: typer.Typer, csv: Path
) -> None:
    lines = [json.loads(line) for line in _run(cli, csv, "--json").stdout.splitlines()]
    assert lines[-1]["type"] == "summary"
    assert {"leads", "floods", "load", "alerts"} <= lines[-1].keys()
    bare = [json.loads(line) for line in _run(cli, csv, "--json", "--no-summary").stdout.splitlines()]
    assert bare == lines[:-1]
    assert all("transition" in line and "type" not in line for line in bare)
    assert "Operator load" in _run(cli, csv).stdout


def _limits(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "changed.csv"
    header = "station,valid_from,valid_to,siaga3,siaga2,siaga1,deadband,hold_min,source"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return path


def test_changed_limits_are_tried_and_what_they_change_is_told(
    cli: typer.Typer, csv: Path, tmp_path: Path
) -> None:
    """awan-1's first limit at 90 instead of 100 raises at 00:10 instead of 00:20; awan-2 keeps its own."""
    changed = _limits(tmp_path, "awan-1,,,90,160,,,,trial")
    *rows, both = [
        json.loads(line) for line in _run(cli, csv, "--json", "--ladders", changed).stdout.splitlines()
    ]
    level = [row for row in rows if row["cause"] == "level"]
    assert [(row["type"], row["station"], row["earlier_min"]) for row in level] == [("changed", "awan-1", 10)]
    assert both["type"] == "comparison"
    lead = {
        word: next(
            row["level_min"]
            for row in both[word]["leads"]
            if (row["station"], row["severity"]) == ("awan-2", 1)
        )
        for word in ("now", "trial")
    }
    assert lead == {"now": 90, "trial": 100}
    assert "--- with the changed limits ---" in _run(cli, csv, "--ladders", changed).stdout


def test_limits_that_are_never_reached_lose_alerts(cli: typer.Typer, csv: Path, tmp_path: Path) -> None:
    changed = _limits(tmp_path, "awan-1,,,500,,,,,trial")
    rows = [json.loads(line) for line in _run(cli, csv, "--json", "--ladders", changed).stdout.splitlines()]
    assert ("lost", "awan-1") in {
        (row["type"], row.get("station")) for row in rows if row.get("cause") == "level"
    }


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("awan-9,,,90,,,,,x", r"changed\.csv:2: station names 'awan-9', expected one that stands in stations\.csv"),
        ("awan-1,,,90,80,,,,x", r"changed\.csv:2: siaga3, siaga2, siaga1 are 90, 80, blank, expected them to rise"),
        ("awan-1,,,9o,,,,,x", r"changed\.csv:2: siaga3 is '9o', expected a number"),
        ("awan-1,,,,,,,,x", r"changed\.csv:2: .* expected at least one limit"),
        ("awan-1,90", r"changed\.csv:2: found 2 cells, expected 9"),
        ("", "holds no row"),
        ("awan-1,2027-01-01,,90,,,,,x", "no limits of 'awan-1' are in force between .* leave valid_from"),
    ],
)  # fmt: skip
def test_mistakes_in_changed_limits_are_told_with_file_line_value_and_what_to_do(
    cli: typer.Typer, csv: Path, tmp_path: Path, row: str, expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        _run(cli, csv, "--ladders", _limits(tmp_path, row))


def test_changed_limits_that_cannot_be_read_are_an_error(city: City, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.csv: cannot be read"):
        cityfolder.with_ladders(city, CITY, tmp_path / "nowhere.csv")


def test_other_stations_keep_their_limits(city: City, tmp_path: Path) -> None:
    changed = cityfolder.with_ladders(city, CITY, _limits(tmp_path, "awan-1,,,90,160,,,,trial"))
    assert {name for name in city.ladders if changed.ladders[name] != city.ladders[name]} == {"awan-1"}
    (dated,) = changed.ladders["awan-1"]
    assert (dated.ladder.limits, dated.ladder.deadband, dated.ladder.strict) == ((90, 160, None), 5, True)
