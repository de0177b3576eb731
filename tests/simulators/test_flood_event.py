from pathlib import Path

import pytest

from pantau.city import City
from pantau.errors import ConfigError
from simulators.flood_event import event_names, read_event
from simulators.row import Row

HEADER = "event,station,river,observed_at,level_cm,siaga,source,quality,note\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "readings.csv").write_text(
        HEADER
        + "2026-01-02..03,awan-1,Awan,2026-01-02T20:00:00+07:00,90,4,Agency,exact time,\n"
        + "2026-01-02..03,awan-1,Awan,2026-01-02T21:00:00+07:00,160,2,Agency,exact time,prints the edge higher\n"
        + "2026-01-02..03,awan-1,Awan,2026-01-02T21:00:00+07:00,160,2,Paper,exact time,printed twice\n"
        + "2026-01-02..03,awan-1,Awan,2026-01-03,230,1,Paper,peak only,\n"
        + "2026-01-02..03,awan-2,Awan,2026-01-02T21:00:00+07:00,,3,Agency,exact time,\n"
        + "2026-01-02..03,Nowhere,Awan,2026-01-02T21:00:00+07:00,5,,Agency,exact time,\n"
        + "2026-01-05,awan-1,Awan,2026-01-05T21:00:00+07:00,5,,Agency,exact time,\n"
        + "2026-01-06,awan-1,Awan,2026-01,5,,Agency,peak only,\n",
        encoding="utf-8",
    )
    return tmp_path


def test_published_points_stay_at_their_time_with_the_printed_word_and_what_lies_between_is_marked(
    folder: Path, contoh: City
) -> None:
    event = read_event(folder, contoh, "2026-01-02", skip_unknown=True)
    assert event.name == "2026-01-02..03"
    printed = [row for row in event.rows if not row.interpolated]
    assert [(row.value, row.printed_siaga, row.source) for row in printed] == [
        (90, 4, "Agency"),
        (160, 2, "Paper"),
    ]
    assert [row.value for row in event.rows] == [90, 101.7, 113.3, 125, 136.7, 148.3, 160, 160]
    assert all(row.printed_siaga is None for row in event.rows if row.interpolated)


def test_what_gives_no_row_is_counted(folder: Path, contoh: City) -> None:
    event = read_event(folder, contoh, "2026-01-02", skip_unknown=True)
    assert (event.untimed, event.without_value, event.unknown) == (1, 1, {"Nowhere": 1})


def test_an_unknown_station_is_an_error_with_file_and_line(folder: Path, contoh: City) -> None:
    with pytest.raises(ConfigError, match=r"readings\.csv:7: station 'Nowhere' is not in city"):
        read_event(folder, contoh, "2026-01-02")


def test_printed_words_are_compared_with_the_limits(folder: Path, contoh: City) -> None:
    words = read_event(folder, contoh, "2026-01-02", skip_unknown=True).compared(contoh)
    assert (words.agree, words.disagree, words.on_limit) == (1, 1, 1)
    assert [(row.value, ours) for row, ours in words.rows] == [(160, 3)]


@pytest.mark.parametrize("name", ["2026-01", "2025", ""])
def test_a_name_that_fits_none_or_several_lists_the_events(folder: Path, contoh: City, name: str) -> None:
    with pytest.raises(ConfigError, match=r"2026-01-02\.\.03, 2026-01-05"):
        read_event(folder, contoh, name)


def test_an_event_without_an_hour_or_a_level_says_so(folder: Path, contoh: City) -> None:
    with pytest.raises(ConfigError, match="no reading with a time and a level"):
        read_event(folder, contoh, "2026-01-06")


@pytest.mark.parametrize("start", ["21:30", "2026-01-02T13:30:00Z"])
def test_it_can_begin_later_by_local_time_or_instant(folder: Path, contoh: City, start: str) -> None:
    # contoh is on Makassar time, UTC+8, and its limits are strict (city.toml).
    event = read_event(folder, contoh, "2026-01-02", start=start, skip_unknown=True)
    assert f"{contoh.local(event.start):%H:%M}" == "21:30"


@pytest.mark.parametrize("start", ["25:00", "soon", "2026-01-02T13:30:00"])
def test_a_start_that_cannot_be_read_is_told(folder: Path, contoh: City, start: str) -> None:
    with pytest.raises(ConfigError, match="where to start: time"):
        read_event(folder, contoh, "2026-01-02", start=start, skip_unknown=True)


def test_a_city_without_floods_has_no_names_and_reading_one_says_where_they_would_stand(
    tmp_path: Path, contoh: City
) -> None:
    assert event_names(tmp_path) == []
    with pytest.raises(ConfigError, match="a city's floods stand in this file"):
        read_event(tmp_path, contoh, "2026")


def at(city: City, rows: list[Row], station: str, local: str) -> float:
    return next(r.value for r in rows if r.station == station and f"{city.local(r.at):%d %H:%M}" == local)


def test_the_wave_of_january_2014_comes_down_the_ciliwung(jakarta: City, jakarta_folder: Path) -> None:
    event = read_event(jakarta_folder, jakarta, "2014-01-29", start="22:00")
    katulampa, depok, manggarai = (jakarta.find(name).id for name in ("Katulampa", "Depok", "Manggarai"))
    assert f"{jakarta.local(event.start):%d %H:%M}" == "29 22:00"
    assert at(jakarta, event.rows, katulampa, "29 23:27") == 220
    assert at(jakarta, event.rows, depok, "30 03:30") == 380
    assert at(jakarta, event.rows, manggarai, "30 15:00") == 860
    assert event.rows[-1].value == 860
    assert event.rows[-1].interpolated
    peaks = [
        max((r.value, -r.at) for r in event.rows if r.station == s) for s in (katulampa, depok, manggarai)
    ]
    assert [-when for _, when in peaks] == sorted(-when for _, when in peaks)


def test_every_published_flood_of_jakarta_can_be_read_or_says_why_not(
    jakarta: City, jakarta_folder: Path
) -> None:
    names = event_names(jakarta_folder)
    assert len(names) == 58
    agree = disagree = on_limit = without = 0
    for name in names:
        try:
            words = read_event(jakarta_folder, jakarta, name, skip_unknown=True).compared(jakarta)
        except ConfigError:
            without += 1
            continue
        agree, disagree, on_limit = agree + words.agree, disagree + words.disagree, on_limit + words.on_limit
    assert without == 3
    # About one printed word in fifteen does not fit the limits, most of them exactly on one.
    assert 1 / 20 < disagree / (agree + disagree) < 1 / 12
    assert on_limit > disagree / 2
