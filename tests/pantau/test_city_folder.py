"""What a good folder becomes: limits by date, crowds, names, groups, bindings, and the hash."""

import csv
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pantau.city import FAR_FUTURE, FAR_PAST, City
from pantau.cityfolder import load
from pantau.cityfolder.settings import FORECAST_ADVICE
from pantau.kind import Kind
from pantau.ladder import Ladder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def contoh() -> City:
    return load(ROOT / "cities/contoh")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "cities/contoh", tmp_path / "contoh"))


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def limits(city: City, station: str, when: str) -> Ladder:
    ladder = city.ladder_at(station, at(when))
    assert ladder is not None
    return ladder


def test_limits_change_at_local_midnight(contoh: City) -> None:
    assert limits(contoh, "awan-2", "2022-02-28T23:59:59.999+08:00").limits == (200, 270, 350)
    assert limits(contoh, "awan-2", "2022-03-01T00:00:00+08:00").limits == (180, 250, 330)


def test_a_station_has_no_limits_before_its_first_day(contoh: City) -> None:
    assert contoh.ladder_at("batu-1", at("2014-12-31T23:59:00+08:00")) is None
    assert limits(contoh, "batu-1", "2015-01-01T00:00:00+08:00").limits == (150, 220, None)


def test_blank_days_reach_as_far_as_time_does(contoh: City) -> None:
    (dated,) = contoh.ladders["awan-1"]
    assert (dated.valid_from, dated.valid_to) == (FAR_PAST, FAR_FUTURE)
    assert (contoh.local(FAR_PAST).year, contoh.local(FAR_FUTURE).year) == (1, 9999)
    assert datetime.fromtimestamp(FAR_FUTURE / 1000, UTC) == datetime(9999, 12, 31, tzinfo=UTC)


def test_zero_is_a_limit_a_deadband_and_a_hold(contoh: City) -> None:
    ladder = limits(contoh, "batu-2", "2026-01-01T00:00:00+08:00")
    assert (ladder.limits, ladder.deadband, ladder.hold_ms) == ((-50, 0, 45), 0, 0)


def test_a_blank_deadband_or_hold_is_the_citys(contoh: City) -> None:
    ladder = limits(contoh, "awan-1", "2026-01-01T00:00:00+08:00")
    assert (ladder.deadband, ladder.hold_ms) == (5, 600_000)
    assert limits(contoh, "harbour", "2026-01-01T00:00:00+08:00").deadband == 2
    assert limits(contoh, "harbour", "2026-01-01T00:00:00+08:00").hold_ms == 600_000


@pytest.mark.parametrize(
    ("old", "new", "want"), [("deadband = 5", "deadband = 0", 0), ("deadband = 5 ", "# ", 5)]
)
def test_a_city_may_set_the_default_to_zero_or_leave_it_out(
    copy: Path, old: str, new: str, want: float
) -> None:
    edit(copy / "city.toml", old, new)
    assert limits(load(copy), "awan-1", "2026-01-01T00:00:00+08:00").deadband == want


def test_a_missing_middle_limit_is_no_limit(contoh: City) -> None:
    ladder = limits(contoh, "harbour", "2026-01-01T00:00:00+08:00")
    assert [ladder.severity_at(value) for value in (170, 170.1, 240, 251)] == [0, 1, 1, 3]


def test_the_boundary_rule_is_the_citys(contoh: City) -> None:
    assert limits(contoh, "awan-1", "2026-01-01T00:00:00+08:00").severity_at(100) == 0
    jakarta = load(ROOT / "cities/jakarta")
    assert limits(jakarta, "116", "2026-01-01T00:00:00+07:00").severity_at(80) == 1


def test_a_crowd_zone_without_limits_gets_them_from_its_area(contoh: City) -> None:
    ladder = limits(contoh, "square-east", "2026-01-01T00:00:00+08:00")
    assert ladder.limits == (1500.0, 2000.0, 2500.0)
    assert (ladder.deadband, ladder.hold_ms, ladder.strict) == (75, 600_000, True)


@pytest.mark.parametrize(
    ("day", "first"),
    [("2021-07-02", 12_000), ("2021-07-03", 3_000), ("2021-10-01", 6_000), ("2022-04-01", 12_000)],
)
def test_a_capacity_rule_lowers_the_first_limit_in_its_days(contoh: City, day: str, first: float) -> None:
    ladder = limits(contoh, "square", f"{day}T00:00:00+08:00")
    assert ladder.limits == (first, 16_000.0, 20_000.0)
    assert ladder.deadband == pytest.approx(first / 20)


def test_a_rule_for_other_zones_changes_nothing(contoh: City) -> None:
    assert limits(contoh, "terminal", "2021-07-03T00:00:00+08:00").limits == (200, None, None)
    assert limits(contoh, "terminal", "2021-10-01T00:00:00+08:00").limits == (800, None, None)
    assert len(contoh.ladders["square-east"]) == 1


def test_the_strictest_of_several_rules_counts(copy: Path) -> None:
    append(copy / "capacity_rules.csv", "2021-08-01,2021-09-01,10,,invented")
    city = load(copy)
    assert limits(city, "terminal", "2021-08-15T00:00:00+08:00").limits == (80, None, None)
    assert limits(city, "terminal", "2021-09-15T00:00:00+08:00").limits == (200, None, None)


def test_a_capacity_never_raises_a_limit(copy: Path) -> None:
    edit(copy / "stations.csv", "4000,12000", "4000,90000")
    assert limits(load(copy), "square", "2026-01-01T00:00:00+08:00").limits == (12_000.0, 16_000.0, 20_000.0)


@pytest.mark.parametrize(("boundary", "empty", "one"), [(">", 0, 1), (">=", 0, 1)])
def test_nobody_allowed_is_no_alarm_about_an_empty_place(
    copy: Path, boundary: str, empty: int, one: int
) -> None:
    append(copy / "capacity_rules.csv", "2022-05-01,2022-06-01,0,terminal,closed")
    edit(copy / "city.toml", 'boundary = ">"', f'boundary = "{boundary}"')
    ladder = limits(load(copy), "terminal", "2022-05-15T00:00:00+08:00")
    assert (ladder.severity_at(0), ladder.severity_at(1)) == (empty, one)
    if boundary == ">=":
        assert ladder.is_below(1, 0)


def test_a_crowd_zones_own_row_wins_over_its_area(copy: Path) -> None:
    append(copy / "ladders.csv", "square,,,500,900,,,,invented")
    (dated,) = load(copy).ladders["square"]
    assert dated.ladder.limits == (500.0, 900.0, None)
    assert dated.ladder.deadband == 25


def test_zones_that_overlap_know_it_from_both_sides(contoh: City) -> None:
    assert contoh.stations["square"].overlaps == ("square-east",)
    assert contoh.stations["square-east"].overlaps == ("square",)


def test_two_zeros_at_one_post_are_two_stations(contoh: City) -> None:
    posts = [station.id for station in contoh.stations.values() if station.post == "awan-3"]
    assert posts == ["awan-3", "awan-3b"]


def test_a_blank_group_is_the_stations_own_id(contoh: City) -> None:
    assert contoh.stations["pond"].group == "pond"
    assert contoh.stations["square"].group == "square"
    assert {key for key, station in contoh.stations.items() if station.group == "awan"} == {
        "awan-1",
        "awan-2",
        "awan-3",
    }


def test_a_station_answers_to_id_name_and_alias_in_any_case(contoh: City) -> None:
    for name in ("awan-1", "AWAN WEIR", " bendung awan "):
        assert contoh.find(name).id == "awan-1"


def test_an_ambiguous_name_is_an_error_that_lists_the_candidates(copy: Path) -> None:
    edit(copy / "stations.csv", "Bus Terminal Hall,,", "Bus Terminal Hall,alun-alun,")
    with pytest.raises(LookupError, match="ids square, terminal"):
        load(copy).find("Alun-alun")


def test_an_unknown_name_is_an_error(contoh: City) -> None:
    with pytest.raises(LookupError, match="'Sluice 9' is not in city 'contoh'"):
        contoh.find("Sluice 9")


def test_a_cadence_may_be_part_of_a_minute(contoh: City) -> None:
    assert contoh.stations["batu-2"].cadence_ms == 150_000


def test_topics_name_the_folder(contoh: City) -> None:
    assert [binding.topic for binding in contoh.bindings][:2] == [
        "pantau/v1/contoh/water_level/#",
        "pantau/v1/contoh/crowd_count/#",
    ]
    assert contoh.bindings[2].options == {"zones": {"square": "square", "square_east": "square-east"}}


def test_a_copied_folder_is_a_city_of_its_own_name(copy: Path) -> None:
    city = load(Path(shutil.move(copy, copy.with_name("bontang"))))
    assert city.id == "bontang"
    assert city.bindings[0].topic == "pantau/v1/bontang/water_level/#"


def test_a_byte_order_mark_and_windows_lines_are_accepted(copy: Path, contoh: City) -> None:
    for file in copy.glob("*.csv"):
        text = file.read_text(encoding="utf-8").replace("\n", "\r\n")
        file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    city = load(copy)
    assert city.stations == contoh.stations
    assert city.ladders == contoh.ladders
    assert city.recipients == contoh.recipients


def test_a_spreadsheet_may_rewrite_the_tables(copy: Path, contoh: City) -> None:
    """A spreadsheet puts remarks into quotation marks, fills rows with commas and adds empty ones."""
    for file in copy.glob("*.csv"):
        rows = list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
        width = max(len(row) for row in rows if row and not row[0].startswith("#"))
        with file.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out, quoting=csv.QUOTE_ALL).writerows(
                [*(row + [""] * (width - len(row)) for row in rows), [""] * width]
            )
    city = load(copy)
    assert city.stations == contoh.stations
    assert city.warns == contoh.warns


def test_the_hash_tells_whether_any_file_changed(copy: Path, contoh: City) -> None:
    assert load(copy).folder_hash == contoh.folder_hash
    edit(copy / "calendar.csv", "New Year", "Year New")
    assert load(copy).folder_hash != contoh.folder_hash
    append(copy / "calendar.csv", "2026-12-25,Christmas,fixed day")
    changed = load(copy)
    assert changed.folder_hash != contoh.folder_hash
    assert changed.holidays[date(2026, 12, 25)] == "Christmas"


def test_advice_is_for_water_crowds_or_nobody(contoh: City) -> None:
    assert contoh.advice_for("flood", "en", 3).startswith("Leave for high ground")
    assert contoh.advice_for("density", "en", 3).startswith("Dangerous density")
    assert contoh.advice_for("data", "en", 3) == ""
    assert contoh.advice_for("flood", "xx", 3) == ""
    assert contoh.advice_for("flood", "en", 3, forecast=True).startswith("Prepare to leave, and know the way")
    assert contoh.advice_for("flood", "en", 1, forecast=True).startswith("High water is possible")
    assert contoh.advice_for("flood", "en", 0, forecast=True) == ""
    assert contoh.advice_for("flood", "xx", 3, forecast=True) == ""


def test_a_city_without_words_for_forecasts_says_the_usual_ones(copy: Path) -> None:
    text = (copy / "city.toml").read_text()
    before, rest = text.split("[forecast.advice]")
    (copy / "city.toml").write_text(before + rest.partition("\n\n")[2])
    assert load(copy).forecast_advice == FORECAST_ADVICE


def test_a_blank_hazards_cell_means_all_and_a_blank_severity_means_the_first(copy: Path) -> None:
    append(copy / "recipients.csv", "partner,command,webhook,,,,,invented")
    recipient = load(copy).recipients[-1]
    assert (recipient.hazards, recipient.min_severity, recipient.areas, recipient.language) == (
        (),
        1,
        (),
        "en",
    )


def test_a_new_kind_needs_no_change_here(copy: Path) -> None:
    wind = Kind(
        name="wind", label={"id": "angin", "en": "wind"}, unit="m/s", units={"m/s": 1.0}, low=0.0, high=100.0
    )
    kinds = {**load(copy).kinds, "wind": wind}
    append(copy / "stations.csv", "mast,Wind Mast,,wind,flood,,,,,,,10,,,,,,,invented")
    append(copy / "ladders.csv", "mast,,,15,20,25,1,0,invented")
    city = load(copy, kinds)
    assert city.stations["mast"].kind == "wind"
    assert limits(city, "mast", "2026-01-01T00:00:00+08:00").severity_at(21) == 2


def test_phones_and_mail_are_told_from_dates_codes_and_pages(copy: Path) -> None:
    source = "Kompas 2020-01-13/14, d-5183241, 31.74.09.1002, https://a.example/read/2021/05/04/08233451/ and 0.43 m"
    append(copy / "recipients.csv", f'partner,command,webhook,,,,,"{source}"')
    assert load(copy).recipients[-1].source == source


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def append(path: Path, line: str) -> None:
    path.write_text(f"{path.read_text(encoding='utf-8')}{line}\n", encoding="utf-8")
