import time
from pathlib import Path

import pytest

from pantau.city import City
from pantau.errors import ConfigError
from simulators.recording import read_recording

HEADER = "time,station,value,unit\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "r.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_come_in_time_order_and_rows_of_one_instant_as_they_stand(tmp_path: Path, contoh: City) -> None:
    text = HEADER + (
        "2026-01-02T03:10:00Z,awan-2,12,cm\n"
        "2026-01-02T03:00:00Z,awan-2,11,cm\n"
        "2026-01-02T03:00:00Z,awan-1,10,cm\n"
    )
    rows = read_recording(written(tmp_path, text), contoh).rows
    assert [(row.station, row.value) for row in rows] == [("awan-2", 11), ("awan-1", 10), ("awan-2", 12)]
    assert rows[0].at == 1_767_322_800_000


def test_a_station_is_found_by_name_and_alias_and_its_unit_becomes_the_kinds_own(
    tmp_path: Path, contoh: City
) -> None:
    text = HEADER + (
        "2026-01-02T03:00:00Z,AWAN WEIR,1427,mm\n"
        "2026-01-02T10:05:00+07:00,Bendung Awan,-0.5,m\n"
        "2026-01-02T03:10:00Z,Alun-alun,7,persons\n"
    )
    rows = read_recording(written(tmp_path, text), contoh).rows
    assert [(row.station, row.kind, row.value) for row in rows] == [
        ("awan-1", "water_level", 142.7),
        ("awan-1", "water_level", -50.0),
        ("square", "crowd_count", 7.0),
    ]
    assert rows[1].at - rows[0].at == 300_000


def test_further_columns_blank_lines_and_a_byte_order_mark_do_not_matter(
    tmp_path: Path, contoh: City
) -> None:
    text = "\ufefftime,weather,station,value,unit\n\n2026-01-02T03:00:00Z,rain,awan-1,1,cm\n"
    assert len(read_recording(written(tmp_path, text), contoh).rows) == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("2026-01-02T03:00:00,awan-1,1,cm", "no offset"),
        ("yesterday,awan-1,1,cm", "expected RFC 3339"),
        ("2026-01-02T03:00:00Z,awan-1,high,cm", "expected a number"),
        ("2026-01-02T03:00:00Z,awan-1,,cm", "expected a number"),
        ("2026-01-02T03:00:00Z,awan-1,nan,cm", "finite"),
        ("2026-01-02T03:00:00Z,awan-1,inf,cm", "finite"),
        ("2026-01-02T03:00:00Z,awan-1,1,furlong", "water_level accepts cm"),
        ("2026-01-02T03:00:00Z,square,1,persons/h", "crowd_count accepts persons"),
        ("2026-01-02T03:00:00Z,awan-1", "2 fields"),
        ("2026-01-02T03:00:00Z,Awan,1,cm", "did you mean Awan Weir"),
    ],
)
def test_a_wrong_row_is_told_with_file_and_line(tmp_path: Path, contoh: City, line: str, told: str) -> None:
    path = written(tmp_path, f"{HEADER}2026-01-02T03:00:00Z,awan-1,1,cm\n{line}\n")
    with pytest.raises(ConfigError, match=told) as caught:
        read_recording(path, contoh)
    assert str(caught.value).startswith(f"{path}:3: ")


def test_every_problem_of_a_file_is_told_up_to_a_limit(tmp_path: Path, contoh: City) -> None:
    path = written(tmp_path, HEADER + "now,awan-1,1,cm\n" * 3)
    with pytest.raises(ConfigError) as caught:
        read_recording(path, contoh)
    assert len(caught.value.problems) == 3
    path = written(tmp_path, HEADER + "now,awan-1,1,cm\n" * 1000)
    with pytest.raises(ConfigError) as caught:
        read_recording(path, contoh)
    assert len(caught.value.problems) == 21


def test_an_ambiguous_name_lists_the_ids(tmp_path: Path, contoh: City) -> None:
    names = {**contoh.names, "twin": ("awan-1", "awan-2")}
    contoh.names, former = names, contoh.names
    try:
        with pytest.raises(ConfigError, match="awan-1, awan-2"):
            read_recording(written(tmp_path, HEADER + "2026-01-02T03:00:00Z,Twin,1,cm\n"), contoh)
    finally:
        contoh.names = former


def test_unknown_stations_are_counted_when_asked_for(tmp_path: Path, contoh: City) -> None:
    line = "2026-01-02T03:00:00Z,{},1,cm\n"
    text = HEADER + line.format("nowhere") * 2 + line.format("awan-1")
    recording = read_recording(written(tmp_path, text), contoh, skip_unknown=True)
    assert len(recording.rows) == 1
    assert recording.unknown == {"nowhere": 2}


def test_an_unknown_station_is_told_once_with_its_first_line_and_its_rows(
    tmp_path: Path, contoh: City
) -> None:
    line = "2026-01-02T03:00:00Z,{},1,cm\n"
    names = ["nowhere", "awan-1", *["nowhere"] * 40, "elsewhere"]
    path = written(tmp_path, HEADER + "".join(map(line.format, names)))
    with pytest.raises(ConfigError) as caught:
        read_recording(path, contoh)
    first, second = caught.value.problems
    assert first.startswith(f"{path}:2: station 'nowhere'")
    assert "; 41 rows of it in the file (or give --skip-unknown)" in first
    assert second.startswith(f"{path}:44: station 'elsewhere'")
    assert "; 1 row of it" in second
    with pytest.raises(ConfigError, match="leave them out") as caught:
        read_recording(path, contoh, remedy="leave them out")
    assert "--skip-unknown" not in str(caught.value)


def test_a_file_of_strangers_names_the_first_and_counts_the_others(tmp_path: Path, contoh: City) -> None:
    lines = "".join(f"2026-01-02T03:00:00Z,post {number},1,cm\n" for number in range(100))
    with pytest.raises(ConfigError) as caught:
        read_recording(written(tmp_path, HEADER + lines), contoh)
    assert len(caught.value.problems) == 21
    assert "80 more stations are unknown" in caught.value.problems[-1]


@pytest.mark.parametrize(
    ("text", "told"),
    [("time,value\n1,2\n", r":1: column\(s\) station, unit missing"), ("", "missing")],
)
def test_a_file_without_the_columns_is_refused(tmp_path: Path, contoh: City, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read_recording(written(tmp_path, text), contoh)


def test_a_missing_file_and_one_that_is_no_text_are_refused(tmp_path: Path, contoh: City) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_recording(tmp_path / "none.csv", contoh)
    (tmp_path / "r.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a CSV file in UTF-8"):
        read_recording(tmp_path / "r.csv", contoh)


def test_the_cadence_is_the_median_interval_of_a_station(tmp_path: Path, contoh: City) -> None:
    minutes = [0, 10, 10, 20, 30, 55]
    text = HEADER + "".join(f"2026-01-02T03:{m:02}:00Z,awan-1,{m},cm\n" for m in minutes)
    recording = read_recording(written(tmp_path, text + "2026-01-02T03:00:00Z,awan-2,1,cm\n"), contoh)
    assert recording.cadence_ms("awan-1") == 600_000
    assert recording.cadence_ms("awan-2") is None
    assert recording.stations() == {"awan-1": 6, "awan-2": 1}


def test_a_hundred_thousand_rows_are_read_within_a_second(tmp_path: Path, contoh: City) -> None:
    lines = [
        f"2026-01-02T{n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}Z,awan-1,1.5,cm" for n in range(100_000)
    ]
    path = written(tmp_path, HEADER + "\n".join(lines))
    before = time.process_time()
    assert len(read_recording(path, contoh).rows) == 100_000
    assert time.process_time() - before < 1.0
