"""A device whose clock is ahead: its station is silent, and pages and API say why."""

from collections.abc import Sequence
from html import unescape
from typing import Any

import pytest

from app.clock import VirtualClock
from pantau.city import City
from pantau.errors import Unavailable
from pantau.quality import FUTURE_MS, ahead_of_time
from pantau.reading import Reading
from status.clocks import Clocks
from status.pages.rows import PATHS, row_of
from status.pages.words import words_of
from status.watch import Watch
from tests.fakes_board import BoardInMemory
from tests.status.conftest import Site
from tests.status.sample import KATULAMPA, MANGGARAI, MIN, NOW, latest
from tests.status.test_stations import eventually

HOUR = 60 * MIN


def sent(station: str, *, by: int, age: int = 5 * MIN) -> Reading:
    """A reading that came ``age`` ago and says that it was observed ``by`` later, ms."""
    return Reading(station, "water_level", 100.0, NOW - age + by, NOW - age, flag=4)


@pytest.fixture
def silent(site: Site) -> str:
    """A gauge that never reported."""
    known = {station for station, _ in site.board.latest}
    return next(
        name for name, one in site.city.stations.items() if one.hazard == "flood" and name not in known
    )


@pytest.fixture
def board() -> BoardInMemory:
    return BoardInMemory()


@pytest.fixture
def clocks(city: City, board: BoardInMemory) -> Clocks:
    return made(city, board)


def made(city: City, board: BoardInMemory) -> Clocks:
    def report(problem: Exception) -> None:
        raise problem

    clock = VirtualClock(NOW)
    watch = Watch(board, city, clock, exercise=False, report=report)
    watch.stations.refresh(NOW)
    return Clocks(board, city, clock, watch, report)


# --- what is found ---


@pytest.mark.parametrize(
    ("by", "found"), [(-MIN, 0), (FUTURE_MS, 0), (FUTURE_MS + 1, FUTURE_MS + 1), (HOUR, HOUR)]
)
def test_a_clock_is_ahead_by_the_most_that_readings_came_before_their_time(by: int, found: int) -> None:
    assert ahead_of_time([sent(KATULAMPA, by=by), sent(KATULAMPA, by=-HOUR)]) == found
    assert ahead_of_time([]) == 0


def test_a_silent_station_that_sends_is_known_with_its_clock(
    city: City, clocks: Clocks, board: BoardInMemory
) -> None:
    board.history = [sent(KATULAMPA, by=15 * MIN), sent(KATULAMPA, by=14 * MIN, age=0), sent(MANGGARAI, by=0)]
    assert clocks.look_at(city.stations[KATULAMPA]) == 15 * MIN
    assert clocks.look_at(city.stations[MANGGARAI]) == 0
    assert clocks.ahead == {KATULAMPA: 15 * MIN}


def test_a_year_ahead_is_found_too(city: City, clocks: Clocks, board: BoardInMemory) -> None:
    year = 365 * 24 * HOUR
    board.history = [sent(KATULAMPA, by=year)]
    assert clocks.look_at(city.stations[KATULAMPA]) == year


def test_a_clock_that_was_set_right_is_not_blamed_for_a_silence_that_came_later(
    city: City, board: BoardInMemory
) -> None:
    board.history = [sent(KATULAMPA, by=15 * MIN, age=5 * HOUR)]
    board.put(latest(KATULAMPA, 100, age_min=240))
    assert made(city, board).look_at(city.stations[KATULAMPA]) == 0
    board.history.append(sent(KATULAMPA, by=15 * MIN, age=HOUR))
    assert made(city, board).look_at(city.stations[KATULAMPA]) == 15 * MIN


def test_a_station_that_is_live_is_not_asked_for_and_is_forgotten(city: City, board: BoardInMemory) -> None:
    board.history = [sent(KATULAMPA, by=15 * MIN)]
    clocks = made(city, board)
    clocks.turn()
    assert clocks.ahead == {KATULAMPA: 15 * MIN}
    board.put(latest(KATULAMPA, 100, age_min=1))
    live = made(city, board)
    live.ahead = clocks.ahead
    live.look_at(city.stations[KATULAMPA])
    assert live.ahead == {}


def test_turns_go_round_the_city_and_ask_for_few_at_a_time(
    city: City, board: BoardInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("status.clocks._ASKED", 3)
    asked: list[str] = []

    class Asked(BoardInMemory):
        def readings(
            self, station: str, kind: str, *, start: int, end: int, sensor: str | None, limit: int
        ) -> Sequence[Reading]:
            asked.append(station)
            return super().readings(station, kind, start=start, end=end, sensor=sensor, limit=limit)

    clocks, names = made(city, Asked()), list(city.stations)
    clocks.turn()
    assert asked == names[:3]
    for _ in range(len(names) // 3):
        clocks.turn()
    assert (asked * 2)[: len(names) + 1] == [*names, names[0]]


def test_a_store_that_is_away_is_no_error_and_says_nothing(city: City) -> None:
    class Away(BoardInMemory):
        def readings(
            self, station: str, kind: str, *, start: int, end: int, sensor: str | None, limit: int
        ) -> Sequence[Reading]:
            raise Unavailable("influxdb", "no answer")

    clocks = made(city, Away())
    assert clocks.look_at(city.stations[KATULAMPA]) == 0
    clocks.turn()
    assert clocks.ahead == {}


# --- what is told ---


@pytest.mark.parametrize(
    ("by", "english", "indonesian"),
    [(15 * MIN, "about 15 min ahead", "kira-kira 15 menit terlalu cepat"),
     (7 * HOUR, "about 7 hours ahead", "kira-kira 7 jam terlalu cepat"),
     (365 * 24 * HOUR, "about 365 days ahead", "kira-kira 365 hari terlalu cepat")],
)  # fmt: skip
def test_pages_and_api_say_that_the_clock_is_wrong_and_by_about_how_much(
    site: Site, silent: str, by: int, english: str, indonesian: str
) -> None:
    site.board.history.append(sent(silent, by=by))
    for language, words in (("en", english), ("id", indonesian)):
        path = f"/{language}/{PATHS[language]['station']}/{silent}"
        assert words in unescape(site.client.get(path).text)
    eventually(lambda: english in unescape(site.client.get("/en").text))
    eventually(lambda: indonesian in unescape(site.client.get("/id").text))
    properties = site.client.get(f"/api/v1/stations/{silent}").json()["properties"]
    assert (properties["state"], properties["clock_ahead_s"]) == ("never_reported", by // 1000)


def test_the_front_page_finds_it_by_itself_and_forgets_it_when_the_station_is_live(
    site: Site, silent: str
) -> None:
    def told() -> dict[str, Any]:
        properties: dict[str, Any] = site.client.get(f"/api/v1/stations/{silent}").json()["properties"]
        return properties

    site.board.history.append(sent(silent, by=15 * MIN))
    eventually(lambda: "about 15 min ahead" in site.client.get("/en").text)
    assert told()["clock_ahead_s"] == 900
    site.board.put(latest(silent, 60, age_min=1))
    eventually(lambda: told()["state"] == "ok")
    assert told()["clock_ahead_s"] is None, "though the store was not asked again yet"
    eventually(lambda: "about 15 min ahead" not in site.client.get("/en").text)


def test_a_live_station_says_nothing_about_its_clock(site: Site) -> None:
    site.board.history.append(sent(KATULAMPA, by=15 * MIN))
    path = f"/en/station/{KATULAMPA}"
    assert "ahead" not in site.client.get(path).text
    assert site.client.get(f"/api/v1/stations/{KATULAMPA}").json()["properties"]["clock_ahead_s"] is None


@pytest.mark.parametrize(("state", "told"), [("never_reported", True), ("stale", True), ("ok", False),
                                             ("out_of_service", False)])  # fmt: skip
def test_only_a_silent_station_has_the_sentence(site: Site, state: str, told: bool) -> None:
    properties = site.client.get(f"/api/v1/stations/{KATULAMPA}").json()["properties"] | {"state": state}
    station = site.city.stations[KATULAMPA]
    row = row_of(station, properties, site.city, "en", NOW, ("", ""), 15 * MIN)
    assert bool(row.clock) is told


@pytest.mark.parametrize(
    ("by", "span"),
    [(119 * MIN, "119 min"), (120 * MIN, "2 hours"), (47 * HOUR, "47 hours"), (48 * HOUR, "2 days")],
)
def test_the_span_is_told_in_the_unit_that_fits(site: Site, silent: str, by: int, span: str) -> None:
    properties = site.client.get(f"/api/v1/stations/{silent}").json()["properties"]
    row = row_of(site.city.stations[silent], properties, site.city, "en", NOW, ("", ""), by)
    assert row.clock == words_of("en").clock_ahead.format(span=span)
