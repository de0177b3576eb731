"""Every kind of mistake in a city's folder is found, at its line, and nothing else is complained about.

The cases are data (tests/cases/cities/*.toml): what is changed in a copy of cities/contoh, and what has to be said.
"""

import csv
import io
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pantau.cityfolder import load
from pantau.cityfolder.folder import FILES
from pantau.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
CASES = [
    pytest.param(case, id=case["name"])
    for file in sorted((ROOT / "tests/cases/cities").glob("*.toml"))
    for case in tomllib.loads(file.read_text(encoding="utf-8"))["case"]
]


@pytest.fixture
def contoh(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "cities/contoh", tmp_path / "contoh"))


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_told_with_its_place(contoh: Path, case: dict[str, Any]) -> None:
    lines = [change(contoh, operation) for operation in case["do"]]
    want = [text.format(*lines) for text in case["want"]]
    problems = problems_of(contoh)
    assert len(problems) == len(want), problems
    for problem, start in zip(problems, want, strict=True):
        assert problem.startswith(f"{contoh.as_posix()}{start}"), f"{problem}\nwanted {start}"


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_says_what_was_expected_or_what_to_do(contoh: Path, case: dict[str, Any]) -> None:
    for operation in case["do"]:
        change(contoh, operation)
    for problem in problems_of(contoh):
        assert "expected" in problem or ";" in problem, problem
        assert len(problem) < 600 + len(contoh.as_posix())


def test_all_mistakes_of_a_folder_come_in_one_error(contoh: Path) -> None:
    change(contoh, ["set", "stations.csv", "awan-1", "cadence_min", "ten"])
    change(contoh, ["set", "ladders.csv", "awan-3", "siaga1", "1"])
    change(contoh, ["replace", "city.toml", 'timezone = "Asia/Makassar"', 'timezone = "Asia/Bikini"'])
    change(contoh, ["remove", "calendar.csv"])
    places = [problem.removeprefix(f"{contoh.as_posix()}/").split(":")[0] for problem in problems_of(contoh)]
    assert places == ["city.toml", "stations.csv", "ladders.csv", "calendar.csv"]


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_the_only_mistake_told(contoh: Path, file: str) -> None:
    (contoh / file).unlink()
    (problem,) = problems_of(contoh)
    assert problem.startswith(f"{contoh.as_posix()}/{file}: the file is missing; copy it")


def test_a_folder_that_does_not_exist_is_one_mistake(tmp_path: Path) -> None:
    assert problems_of(tmp_path / "nowhere") == (
        f"{tmp_path.as_posix()}/nowhere: no such folder, expected a city's folder; correct the path",
    )


def test_a_folder_whose_name_cannot_stand_in_a_topic_is_told(contoh: Path) -> None:
    shutil.move(contoh, contoh.with_name("a b"))
    (problem,) = problems_of(contoh.with_name("a b"))
    assert "the folder is named 'a b', expected letters" in problem


def test_formats_and_channels_are_checked_when_they_are_known(contoh: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load(contoh, formats={"native"}, channels={"webhook", "mqtt"})
    tomls = [text for text in error.value.problems if "city.toml:" in text]
    recipients = [text for text in error.value.problems if text not in tomls]
    assert all("].format is '" in text for text in tomls)
    assert any("binding[2].format is 'frigate', expected one of native" in text for text in tomls)
    assert len(recipients) == 3
    assert all("channels holds 'apprise', expected some of mqtt, webhook" in text for text in recipients)


def problems_of(folder: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as error:
        load(folder)
    return error.value.problems


def change(folder: Path, operation: list[str]) -> int:
    """Do one operation of a case; returns the line it changed."""
    verb, file, *rest = operation
    path = folder / file
    if verb == "remove":
        path.unlink()
        return 0
    text = path.read_text(encoding="utf-8")
    if verb == "set":
        text, line = with_cell(text, *rest)
    elif verb == "append":
        text, line = f"{text}{rest[0]}\n", text.count("\n") + 1
    elif verb == "content":
        text, line = rest[0], 1
    else:
        old, new = rest
        assert old in text, f"{file} no longer holds {old!r}"
        line = text[: text.index(old)].count("\n") + 1
        text = text.replace(old, new, 1)
    path.write_bytes(text.encode("latin-1" if verb == "latin-1" else "utf-8"))
    return line


def with_cell(text: str, key: str, column: str, value: str) -> tuple[str, int]:
    """The table with one cell changed; ``key`` is the row's first cell, ``key@2`` the second row that has it."""
    rows = list(csv.reader(io.StringIO(text)))
    header = next(row for row in rows if row and not row[0].startswith("#"))
    name, _, nth = key.partition("@")
    index = [number for number, row in enumerate(rows) if row and row[0] == name][int(nth or 1) - 1]
    rows[index][header.index(column)] = value
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue(), index + 1
