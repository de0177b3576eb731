"""Finding plugins: every file of a folder, every mistake told with where, what and what to do."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pantau import registry
from pantau.errors import PluginError
from pantau.kind import Kind

GOOD = "from pantau.kind import Kind\nKIND = Kind(name={!r}, label={{}}, unit='m', units={{'m': 1.0}}, low=0, high=1)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    package = tmp_path / f"plugins_{tmp_path.name.replace('-', '_')}"
    package.mkdir()
    (package / "__init__.py").write_text("")
    sys.path.insert(0, str(tmp_path))
    yield package
    sys.path.remove(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == package.name]:
        del sys.modules[name]


def find(folder: Path) -> dict[str, Kind]:
    return registry.find(folder.name, "KIND", Kind, "name")


def test_every_file_is_found_and_sorted_by_name(folder: Path) -> None:
    (folder / "a.py").write_text(GOOD.format("wind"))
    (folder / "b.py").write_text(GOOD.format("salt"))
    assert list(find(folder)) == ["salt", "wind"]


def test_an_empty_folder_gives_nothing(folder: Path) -> None:
    assert find(folder) == {}


@pytest.mark.parametrize("source", ["", "KIND = 3\n", "KIND = None\n"])
def test_a_file_without_its_plugin_is_told_with_what_to_add(folder: Path, source: str) -> None:
    (folder / "wrong.py").write_text(source)
    with pytest.raises(
        PluginError, match=rf"{folder.name}\.wrong: expected KIND: Kind, found .*define `KIND`"
    ):
        find(folder)


def test_two_of_one_name_are_told_with_both_places(folder: Path) -> None:
    for file in ("a", "b"):
        (folder / f"{file}.py").write_text(GOOD.format("wind"))
    with pytest.raises(
        PluginError, match=rf"{folder.name}\.b: the name 'wind' is already taken by {folder.name}\.a"
    ):
        find(folder)


def test_another_package_brings_its_own_by_an_entry_point(folder: Path, tmp_path: Path) -> None:
    (folder / "a.py").write_text(GOOD.format("wind"))
    (tmp_path / "elsewhere.py").write_text(GOOD.format("salt"))
    info = tmp_path / "elsewhere-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[pantau.{folder.name}]\nsalt = elsewhere:KIND\n")
    assert list(find(folder)) == ["salt", "wind"]
    sys.modules.pop("elsewhere")


def test_it_is_looked_for_once(folder: Path) -> None:
    (folder / "a.py").write_text(GOOD.format("wind"))
    assert find(folder) is find(folder)
