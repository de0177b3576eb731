"""A large city is read from its copy, and only when that says the very same as the folder."""

import shutil
from pathlib import Path

import pytest

from app import citycache
from ingest.decode import all_formats
from pantau import cityfolder
from pantau.errors import ConfigError

CONTOH = Path(__file__).parents[2] / "cities" / "contoh"
FORMATS = sorted(all_formats())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONTOH, tmp_path / "contoh"))


def copy_of(tmp_path: Path) -> Path:
    return tmp_path / "data" / "cities" / "contoh.msgpack"


def test_the_copy_is_the_city(folder: Path, tmp_path: Path) -> None:
    first = citycache.load(folder, tmp_path / "data", FORMATS, worth=1)
    assert copy_of(tmp_path).is_file()
    again = citycache.load(folder, tmp_path / "data", FORMATS, worth=1)
    assert first == again == cityfolder.load(folder, formats=FORMATS)
    assert first is not again


def test_what_is_equal_is_kept_once(folder: Path, tmp_path: Path) -> None:
    for _ in ("made", "read back"):
        city = citycache.load(folder, tmp_path / "data", FORMATS, worth=1)
        for name, station in city.stations.items():
            assert station.id is name
            assert all(one is city.stations[one].id for one in city.names[station.name.casefold()])
        assert all(name is city.stations[name].id for name in city.ladders)
        assert len({id(station.kind) for station in city.stations.values()}) <= len(city.kinds)


def test_a_changed_file_is_read_anew(folder: Path, tmp_path: Path) -> None:
    citycache.load(folder, tmp_path / "data", FORMATS, worth=1)
    file = folder / "city.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('name = "', 'name = "New ', 1), encoding="utf-8")
    assert citycache.load(folder, tmp_path / "data", FORMATS, worth=1).name.startswith("New ")


def test_a_mistake_is_told_although_there_is_a_copy(folder: Path, tmp_path: Path) -> None:
    citycache.load(folder, tmp_path / "data", FORMATS, worth=1)
    (folder / "stations.csv").write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(ConfigError):
        citycache.load(folder, tmp_path / "data", FORMATS, worth=1)


@pytest.mark.parametrize("body", [b"", b"rubbish", b"\xc1" * 50])
def test_a_broken_copy_costs_only_time(folder: Path, tmp_path: Path, body: bytes) -> None:
    citycache.load(folder, tmp_path / "data", FORMATS, worth=1)
    copy_of(tmp_path).write_bytes(body)
    assert citycache.load(folder, tmp_path / "data", FORMATS, worth=1) == cityfolder.load(folder)


def test_other_plugins_are_another_check(folder: Path, tmp_path: Path) -> None:
    citycache.load(folder, tmp_path / "data", FORMATS, worth=1)
    with pytest.raises(ConfigError, match="native"):
        citycache.load(folder, tmp_path / "data", ["frigate"], worth=1)


def test_a_small_city_is_never_kept(folder: Path, tmp_path: Path) -> None:
    citycache.load(folder, tmp_path / "data", FORMATS, worth=1)
    (folder / "calendar.csv").write_text("date,name,source\n", encoding="utf-8")
    citycache.load(folder, tmp_path / "data", FORMATS)
    assert not copy_of(tmp_path).exists()


def test_a_data_folder_that_cannot_be_written_is_no_failure(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be", encoding="utf-8")
    assert citycache.load(folder, tmp_path / "data", FORMATS, worth=1).id == "contoh"
