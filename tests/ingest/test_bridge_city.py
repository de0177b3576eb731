"""Bridges in a city's folder: every mistake is told by `pantau city check`, and no city of ours polls anybody."""

import shutil
from pathlib import Path

import pytest

from app.commands.city import examine
from pantau import cityfolder
from pantau.city import Feed

ROOT = Path(__file__).resolve().parents[2]
GOOD = '[[bridge]]\nkind = "posko_banjir"\nurl = "https://feed.test/x.xml"\nstations = {116 = "awan-1"}\n'
THINGS = '[[bridge]]\nkind = "sensorthings"\nurl = "http://sta.test/v1.1"\nstations = {1 = "awan-1"}\n'


@pytest.fixture
def contoh(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "cities" / "contoh", tmp_path / "contoh"))


def problems(contoh: Path, tables: str) -> list[str]:
    with (contoh / "city.toml").open("a", encoding="utf-8") as file:
        file.write(tables)
    return [text.partition("city.toml:")[2] for text in examine(contoh).problems]


def test_a_table_becomes_a_feed_with_its_defaults(contoh: Path) -> None:
    assert problems(contoh, GOOD + 'contact = "https://bpbd.test/data"\n') == []
    assert cityfolder.load(contoh).feeds == (
        Feed(
            name="posko_banjir", kind="posko_banjir", url="https://feed.test/x.xml", every_s=300,
            stations={"116": "awan-1"}, contact="https://bpbd.test/data",
        ),
    )  # fmt: skip
    summary = examine(contoh).summary
    assert summary is not None
    assert summary.bridges == ("posko_banjir (https://feed.test/x.xml every 300 s)",)


def test_an_unknown_kind_is_told_with_the_nearest(contoh: Path) -> None:
    (problem,) = problems(contoh, GOOD.replace("posko_banjir", "posko_bandung"))
    assert "bridge[0].kind is 'posko_bandung', expected one of posko_banjir, sensorthings" in problem
    assert "did you mean posko_banjir?" in problem


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        (
            GOOD.replace("awan-1", "rain-1"),
            "116 = 'rain-1' is a station of rain, expected one of water_level",
        ),
        (GOOD + "options = {limit = true}\n", "option 'limit' is not known; the only one is limits"),
        (GOOD + "options = {limits = 1}\n", "limits is 1, expected true or false"),
        (THINGS.replace("stations", "#"), "stations is missing"),
        (THINGS.replace("v1.1", "v1.1?a=1"), "the url holds a '?'"),
        (THINGS + "options = {pages = 0}\n", "pages is 0, expected a whole number from 1 to 1000"),
    ],
)
def test_what_only_the_bridge_knows_is_checked_too(contoh: Path, tables: str, words: str) -> None:
    (problem,) = problems(contoh, tables)
    assert words in problem


@pytest.mark.parametrize("folder", sorted(path.parent for path in (ROOT / "cities").glob("*/city.toml")))
def test_no_city_that_comes_with_us_polls_anybody(folder: Path) -> None:
    assert cityfolder.load(folder).feeds == ()
