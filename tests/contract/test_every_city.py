"""Every folder of cities/ keeps what the rest of the program relies on; a new city is found here by itself."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.commands.city import examine
from ingest.topic import matches
from pantau.city import FAR_FUTURE, FAR_PAST, City
from pantau.cityfolder import load

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(path.parent for path in (ROOT / "cities").glob("*/city.toml"))
PACKAGES = ("pantau", "ingest", "models", "alerts", "status", "simulators")


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name, scope="module")
def folder(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture(scope="module")
def city(folder: Path) -> City:
    return load(folder)


def test_there_is_a_city_and_the_template() -> None:
    assert {"jakarta", "contoh"} <= {folder.name for folder in FOLDERS}


def test_it_has_no_mistake(folder: Path) -> None:
    assert examine(folder).problems == ()


def test_it_says_where_it_is_from(folder: Path) -> None:
    assert (folder / "SOURCES.md").is_file()


def test_every_language_has_four_texts_of_everything(city: City) -> None:
    for texts in (city.label, city.advice, city.crowd_advice):
        assert set(texts) == set(city.languages)
        assert all(all(words) for words in texts.values())


def test_a_forecast_never_sends_people_away_as_water_that_is_there_does(city: City) -> None:
    assert set(city.forecast_advice) == set(city.languages)
    for language in city.languages:
        for severity in (1, 2, 3):
            expected = city.advice_for("flood", language, severity, forecast=True)
            assert expected.strip()
            assert expected not in city.advice[language]
        assert city.advice_for("flood", language, 0, forecast=True) == "", "one that ended advises nothing"


def test_every_station_is_found_by_its_id_and_its_name_belongs_to_it(city: City) -> None:
    for station in city.stations.values():
        assert city.find(station.id) is station
        assert station.id in city.names[station.name.casefold()]


def test_ladders_rise_and_do_not_overlap(city: City) -> None:
    for ladders in city.ladders.values():
        assert ladders
        edges = [edge for dated in ladders for edge in (dated.valid_from, dated.valid_to)]
        assert edges == sorted(edges)
        assert edges[0] >= FAR_PAST
        assert edges[-1] <= FAR_FUTURE
        for dated in ladders:
            given = [limit for limit in dated.ladder.limits if limit is not None]
            assert given
            assert given == sorted(set(given))


def test_every_crowd_zone_has_limits_today(city: City) -> None:
    now = round(datetime(2026, 11, 20, tzinfo=UTC).timestamp() * 1000)
    for station in city.stations.values():
        if station.hazard == "density":
            assert city.ladder_at(station.id, now) is not None


def test_links_stay_within_a_group_and_run_only_down(city: City) -> None:
    for link in city.links:
        assert city.stations[link.upstream].group == city.stations[link.downstream].group
        assert link.upstream not in below(city, link.downstream)


def test_a_station_that_warns_areas_can_be_judged(city: City) -> None:
    assert set(city.warns) <= set(city.ladders)


def test_water_and_crowds_are_told_to_the_public_and_trouble_to_operators_only(city: City) -> None:
    public = {
        hazard
        for recipient in city.recipients
        if recipient.audience == "public"
        for hazard in recipient.hazards
    }
    assert {"flood", "density"} <= public
    assert not public & {"data", "system"}
    assert any(recipient.audience == "operators" and not recipient.hazards for recipient in city.recipients)
    assert city.last_resort in {recipient.role for recipient in city.recipients}


def test_no_binding_hears_what_we_publish_ourselves(city: City) -> None:
    """Native topics are subscribed kind by kind; a wide filter would bring back our own public topics."""
    ours = [f"pantau/v1/{city.id}/public/health", f"pantau/v1/{city.id}/notices/desk"]
    assert not [(b.topic, topic) for b in city.bindings for topic in ours if matches(b.topic, topic)]


def test_no_code_knows_it(city: City) -> None:
    """Nothing in Python says the city, its rivers or its stations; only the template may be named as a folder."""
    words = set() if city.id == "contoh" else {city.id, city.name}
    words |= {word for station in city.stations.values() for word in (station.river, station.name)}
    words |= {alias for station in city.stations.values() for alias in station.aliases}
    pattern = re.compile(
        "|".join(rf"\b{re.escape(word)}\b" for word in words if len(word) > 4), re.IGNORECASE
    )
    found = [f"{file}:{line}: {text}" for file, line, text in strings_of_code() if pattern.search(text)]
    assert found == []


def below(city: City, station: str) -> set[str]:
    seen: set[str] = set()
    waiting = [station]
    while waiting:
        new = {link.downstream for link in city.downstream(waiting.pop())} - seen
        seen |= new
        waiting.extend(new)
    return seen


def strings_of_code() -> Iterator[tuple[str, int, str]]:
    """Every string constant of the packages, docstrings left out."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            remarks = {
                id(node.value)
                for node in ast.walk(tree)
                if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            }
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in remarks:
                    yield path.relative_to(ROOT).as_posix(), node.lineno, node.value
