"""Whatever stands in a city's files, loading gives a City or a ConfigError, never another error."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pantau.city import City
from pantau.cityfolder import load
from pantau.cityfolder.folder import FILES
from pantau.cityfolder.tables import SCHEMAS
from pantau.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
FEW = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "0", "-0", "-1", "1e309", "nan", "inf", "9" * 400, "\uff11\uff12", "1_0", "\xb2", ".5", "5.", "0x10",
         "#", "public", "9999-12-31", "0001-01-01", "2026-02-30", "awan-1", "awan-1;awan-1;;", "a/b", "\x00",
         "\ud7ff", "=1+1", '"']
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(ROOT / "cities/contoh", tmp_path_factory.mktemp("city") / "contoh"))


def loads_or_says_why(folder: Path, file: str, body: bytes) -> City | ConfigError:
    original = (ROOT / "cities/contoh" / file).read_bytes()
    (folder / file).write_bytes(body)
    outcome = outcome_of(folder)
    (folder / file).write_bytes(original)
    if isinstance(outcome, ConfigError):
        assert outcome.problems
        assert all(problem.startswith(folder.as_posix()) for problem in outcome.problems)
        assert all("\n" not in problem for problem in outcome.problems)
    return outcome


def outcome_of(folder: Path) -> City | ConfigError:
    try:
        return load(folder)
    except ConfigError as error:
        return error


@FEW
@given(
    file=st.sampled_from(FILES),
    place=st.integers(0, 5000),
    cut=st.integers(0, 40),
    put=st.binary(max_size=12),
)
def test_changed_bytes_give_a_city_or_the_mistakes(
    folder: Path, file: str, place: int, cut: int, put: bytes
) -> None:
    body = (ROOT / "cities/contoh" / file).read_bytes()
    place %= len(body)
    loads_or_says_why(folder, file, body[:place] + put + body[place + cut :])


@FEW
@given(data=st.data(), file=st.sampled_from(sorted(SCHEMAS)), cell=CELLS)
def test_a_changed_cell_gives_a_city_or_the_mistakes(
    folder: Path, data: st.DataObject, file: str, cell: str
) -> None:
    lines = (ROOT / "cities/contoh" / file).read_text(encoding="utf-8").split("\n")
    row = data.draw(st.integers(2, len(lines) - 2))
    cells = lines[row].split(",")
    cells[data.draw(st.integers(0, len(cells) - 1))] = '"' + cell.replace('"', '""') + '"'
    lines[row] = ",".join(cells)
    loads_or_says_why(folder, file, "\n".join(lines).encode())


@FEW
@given(file=st.sampled_from(FILES), body=st.binary(max_size=200))
def test_any_bytes_as_a_file_give_a_city_or_the_mistakes(folder: Path, file: str, body: bytes) -> None:
    loads_or_says_why(folder, file, body)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"a=" + b"[" * 100_000, b'"' * 200_001])
def test_deep_nesting_is_a_mistake_like_any_other(folder: Path, file: str, body: bytes) -> None:
    assert isinstance(loads_or_says_why(folder, file, body), ConfigError)


def test_a_river_of_huge_numbers_is_a_mistake_like_any_other(folder: Path) -> None:
    body = (ROOT / "cities/contoh/rivers.geojson").read_bytes()
    for number in (b"1e999", b"9" * 400, b"9" * 5000, b"true", b'"\\ud800"'):
        error = loads_or_says_why(folder, "rivers.geojson", body.replace(b"119.6", number, 1))
        assert isinstance(error, ConfigError)
