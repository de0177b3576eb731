"""Reasons of detectors reach a reader of a page with every instant on the city's clock."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detectors.silent import DETECTOR as SILENT
from models.forecast_words import reason_for
from pantau.record import ScoreRecord
from status.pages.rows import PATHS
from status.pages.said import beyond_numbers, on_the_citys_clock
from status.pages.words import words_of
from tests.status.conftest import Site
from tests.status.sample import KATULAMPA, MANGGARAI, MIN, NOW, ROOT, alert, load_city, transition
from tests.status.test_stations import eventually

CITY = load_city()
CLIENT = words_of("en").client
HOUR = 60 * MIN
E = "5" * 20


def said(reason: str, at: int = NOW) -> str:
    return on_the_citys_clock(reason, at, NOW, CITY, CLIENT)


def test_an_instant_with_its_date_is_exact() -> None:
    assert said("heard (since 2014-01-29 15:10 UTC), ok") == "heard (since 22:10 WIB), ok"
    assert said("2014-01-28 23:30 UTC", at=0) == "06:30 WIB"
    assert said("2013-12-31 17:30 UTC") == "1 Jan 00:30 WIB"


def test_an_instant_without_a_date_is_the_one_nearest_to_the_score() -> None:
    assert said("about 18:20 UTC, 72 %") == "about 30 Jan 01:20 WIB, 72 %"
    assert said("about 15:10 UTC") == "about 22:10 WIB"
    assert said("about 00:38 UTC", at=NOW - 2 * HOUR) == "about 30 Jan 07:38 WIB"


def test_nothing_else_is_touched() -> None:
    for reason in (
        "2014-02-30 15:10 UTC",
        "24:00 UTC",
        "15:60 UTC",
        "15:10 WIB",
        "850 cm, 72 %",
        "115:10 UTC",
    ):
        assert said(reason) == reason


@given(at=st.integers(0, 4_000_000_000_000), ahead_min=st.integers(-719, 719))
def test_every_instant_within_twelve_hours_of_the_score_is_found_again(at: int, ahead_min: int) -> None:
    minute = at // MIN * MIN + ahead_min * MIN
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=minute)
    dated = on_the_citys_clock(f"{moment:%Y-%m-%d %H:%M} UTC", at, NOW, CITY, CLIENT)
    assert on_the_citys_clock(f"{moment:%H:%M} UTC", at, NOW, CITY, CLIENT) == dated
    assert dated.endswith(f"{CITY.local(minute):%H:%M} WIB")


def test_of_a_forecast_only_what_its_outlook_does_not_hold_is_quoted() -> None:
    assert (
        beyond_numbers("850 cm expected about 18:20 UTC, 72 %; Depok at 380 cm, 742 here")
        == "Depok at 380 cm, 742 here"
    )
    assert beyond_numbers("at most 760 cm expected within 9 h (95 %)") == ""


def silence() -> str:
    station = CITY.stations[KATULAMPA]
    state = SILENT.start(station, CITY.kinds[station.kind])
    state.heard = NOW - 35 * MIN
    score = SILENT.tick(state, station, "main", NOW, 0)
    assert score is not None
    return score.reason


@pytest.mark.parametrize("language", ["id", "en"])
def test_a_silence_is_told_on_the_citys_clock(site: Site, language: str) -> None:
    reason = silence()
    site.board.put(alert(E, KATULAMPA, 1, hazard="data", cause="main"))
    site.board.timelines[E] = [transition(E, 1, "raised", 1, why={"detector": "silent", "reason": reason})]
    site.board.score_rows = [
        ScoreRecord(station=KATULAMPA, sensor="main", detector="silent", version="1", at=NOW, score=1.0,
                    reason=reason, shadow=False)
    ]  # fmt: skip
    paths = PATHS[language]
    eventually(lambda: site.client.get(f"/{language}/{paths['alert']}/{E}").status_code == 200)
    for path in (f"{paths['alert']}/{E}", f"{paths['station']}/{KATULAMPA}"):
        text = site.client.get(f"/{language}/{path}").text
        assert "(since 21:55 WIB)" in text
        assert not re.search(r"\d\d:\d\d UTC", text)


def test_no_detector_writes_an_instant_in_another_form() -> None:
    """The two that name instants are known here; another one has to write them as docs/models.md says."""
    assert reason_for.__module__ == "models.forecast_words"
    writers = {
        path.name: re.findall(r"%H[^\"')]*", path.read_text())
        for folder in ("models", "models/detectors")
        for path in (ROOT / folder).glob("*.py")
        if "%H" in path.read_text() and path.name != "cardtext.py"
    }
    assert writers == {"silent.py": ["%H:%M UTC"], "forecast_words.py": ["%H:%M} UTC"]}


def test_a_forecasts_score_says_no_time_twice(site: Site) -> None:
    site.board.score_rows = [
        ScoreRecord(station=MANGGARAI, sensor="main", detector="forecast", version="1", at=NOW, score=0.75,
                    reason="950 cm (Siaga 1) expected about 00:38 UTC, 67 %; Depok at 380 cm", shadow=False)
    ]  # fmt: skip
    text = site.client.get(f"/id/stasiun/{MANGGARAI}").text
    assert '<q lang="en">Depok at 380 cm</q>' in text
    assert "expected about" not in text
    assert "00:38" not in text
