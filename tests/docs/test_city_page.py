"""docs/city.md names every file, column and key that the loader reads, so that it cannot fall behind."""

from pathlib import Path

import pytest

from pantau.cityfolder.folder import FILES
from pantau.cityfolder.settings import KEYS
from pantau.cityfolder.tables import SCHEMAS

PAGE = (Path(__file__).resolve().parents[2] / "docs/city.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", FILES)
def test_every_file_is_explained(file: str) -> None:
    assert any(line.startswith("#") and file in line for line in PAGE.splitlines())


@pytest.mark.parametrize("file", SCHEMAS)
def test_every_column_is_explained(file: str) -> None:
    section = next(part for part in PAGE.split("\n### ") if file in part.splitlines()[0])
    missing = [
        column for column in (*SCHEMAS[file].columns, *SCHEMAS[file].optional) if f"`{column}`" not in section
    ]
    assert missing == []


def test_every_key_of_city_toml_is_explained() -> None:
    section = next(part for part in PAGE.split("\n### ") if part.startswith("city.toml"))
    words = section.replace("[", " ").replace("]", " ").replace("`", " ").split()
    assert [
        key for keys in KEYS.values() for key in keys if key not in words and f"crowd.{key}" not in words
    ] == []
