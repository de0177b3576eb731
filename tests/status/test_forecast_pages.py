"""The forecast in the API and on the pages: what it says, when it is old, and what alerts of it look like."""

import re
from html import unescape

import pytest

from pantau.city import City
from pantau.forms import alert_properties, forecast_properties, forecast_stale_at
from pantau.outlook import Crossing, Outlook, OutlookStep
from status.areas import area_statuses
from status.pages.rows import PATHS
from status.pages.words import words_of
from tests.status.conftest import Site
from tests.status.sample import DEPOK, KATULAMPA, MANGGARAI, MIN, NOW, alert, load_city
from tests.status.test_stations import eventually

HOUR = 60 * MIN
G = "g" * 20


def outlook(age_min: float = 10, **more: object) -> Outlook:
    """Manggarai is expected at 850 cm three hours after the forecast was made."""
    at = NOW - round(age_min * MIN)
    fields: dict[str, object] = {
        "issued_at": at, "model": "travel_time", "version": "1", "value": 742.0,
        "steps": tuple(
            OutlookStep(at + hour * HOUR, 740.0 + 10 * hour, 742.0 + 36 * hour, 750.0 + 60 * hour)
            for hour in range(1, 10)
        ),
        "crossings": (
            Crossing(1, 750.0, 0.97, at + 13 * MIN), Crossing(2, 850.0, 0.72, at + 3 * HOUR), Crossing(3, 950.0, 0.2),
        ),
        "reason": "850 cm (Siaga 2) expected about 18:20 UTC, 72 %; Depok at 380 cm",
    }  # fmt: skip
    return Outlook(**{**fields, **more})  # type: ignore[arg-type]


def forecast_alert(city: City, severity: int = 2, **more: object) -> object:
    values: dict[str, object] = {
        "cause": "forecast", "forecast": True, "value": 742.0, "areas": tuple(city.warns.get(MANGGARAI, ())),
    }  # fmt: skip
    return alert(G, MANGGARAI, severity, **{**values, **more})


def test_one_station_tells_its_forecast_in_the_documented_form(site: Site) -> None:
    site.board.outlooks[MANGGARAI] = outlook()
    found = site.client.get(f"/api/v1/stations/{MANGGARAI}").json()["properties"]["forecast"]
    assert found.keys() == {
        "issued_at", "model", "version", "value", "unit", "steps", "crossings", "reason", "degraded", "stale",
    }  # fmt: skip
    assert (found["issued_at"], found["model"], found["version"]) == (
        "2014-01-29T15:20:00.000Z",
        "travel_time",
        "1",
    )
    assert found["steps"][2] == {
        "at": "2014-01-29T18:20:00.000Z", "lead_h": 3.0, "low": 770.0, "middle": 850.0, "high": 930.0,
    }  # fmt: skip
    assert found["crossings"][1] == {
        "severity": 2, "siaga": 2, "limit": 850.0, "probability": 0.72, "expected_at": "2014-01-29T18:20:00.000Z",
    }  # fmt: skip
    assert found["crossings"][2]["expected_at"] is None
    assert (found["degraded"], found["stale"]) == (None, False)


def test_a_station_without_a_forecast_has_null(site: Site) -> None:
    assert site.client.get(f"/api/v1/stations/{DEPOK}").json()["properties"]["forecast"] is None


@pytest.mark.parametrize(
    ("cadence_min", "age_min", "stale"),
    [(10, 30, False), (10, 31, True), (1, 30, False), (1, 31, True), (60, 120, False), (60, 121, True)],
)
def test_a_forecast_is_stale_after_three_cadences_or_two_hours(
    cadence_min: int, age_min: float, stale: bool
) -> None:
    from msgspec.structs import replace

    city = load_city()
    station = replace(city.stations[MANGGARAI], cadence_ms=cadence_min * MIN)
    made = outlook(age_min)
    assert forecast_properties(station, made, city, NOW)["stale"] is stale
    assert (forecast_stale_at(station, made) < NOW) is stale
    assert forecast_properties(station, made, city, NOW, slack_ms=2 * MIN)["stale"] is False


@pytest.mark.parametrize("language", ["id", "en"])
def test_the_stations_page_has_band_limits_and_issue_time_without_any_script(
    site: Site, language: str
) -> None:
    site.board.outlooks[MANGGARAI] = outlook()
    path = {"id": "stasiun", "en": "station"}[language]
    text = site.client.get(f"/{language}/{path}/{MANGGARAI}").text
    part = text[text.index('id="forecast"') : text.index('id="chart-part"')]
    words = words_of(language)
    assert words.forecast_issued.format(time="22:20 WIB") in part
    assert part.count("<tr>") == 1 + 9
    assert words.forecast_span.format(low="770", high="930") in part
    assert "Siaga 2 · " + {"id": "Siaga", "en": "Warning"}[language] + " (850 cm)" in part
    late = {"id": "30 Jan 01:20 WIB", "en": "30 Jan 01:20 WIB"}[language]
    assert words.forecast_about.format(time=late, percent="72") in part
    assert words.forecast_likely.format(percent="20") in part
    assert words.forecast_travel in part
    assert words.forecast_caution in part
    assert 'class="old"' not in part
    assert '<q lang="en" title="' + words.language_note + '">Depok at 380 cm</q>' in part
    assert "UTC" not in part, "what the outlook says is said once, in the page's words"


@pytest.mark.parametrize("language", ["id", "en"])
def test_a_limit_that_will_hardly_be_reached_wears_no_alarms_colour(site: Site, language: str) -> None:
    path = f"/{language}/{PATHS[language]['station']}/{MANGGARAI}"
    words = words_of(language)

    def part(*probabilities: float) -> str:
        crossings = tuple(
            Crossing(severity, 650.0 + 100 * severity, probability)
            for severity, probability in enumerate(probabilities, 1)
        )
        site.board.outlooks[MANGGARAI] = outlook(crossings=crossings)
        text = site.client.get(path).text
        return text[text.index('id="forecast"') : text.index('id="chart-part"')]

    calm = part(0.0099, 0.001, 0.0)
    assert words.forecast_calm in calm
    assert "chip" not in calm
    assert words.forecast_likely.format(percent="0") not in calm
    some = part(0.01, 0.0099, 0.0)
    assert words.forecast_calm not in some
    assert words.forecast_likely.format(percent="1") in some
    assert re.findall(r"chip (s\d)", some) == ["s1"]
    none = part()
    assert words.forecast_calm not in none, "above the highest limit there is nothing calm to say"


def test_an_alerts_forecast_that_has_become_unlikely_is_not_called_possible(site: Site) -> None:
    site.board.outlooks[MANGGARAI] = outlook(crossings=(Crossing(2, 850.0, 0.002),))
    site.board.put(forecast_alert(site.city))  # type: ignore[arg-type]
    eventually(lambda: "diperkirakan Siaga 2" in site.client.get("/id").text)
    assert "kemungkinan 0 %" not in site.client.get("/id").text


def test_an_old_forecast_is_not_shown_as_current(site: Site) -> None:
    site.board.outlooks[MANGGARAI] = outlook(45)
    text = site.client.get(f"/en/station/{MANGGARAI}").text
    part = text[text.index('id="forecast"') : text.index('id="chart-part"')]
    assert 'class="old"' in part
    assert words_of("en").forecast_old in part
    assert words_of("en").forecast_issued.format(time="21:45 WIB") in part
    assert "<table" not in part
    assert "Siaga" not in part


def test_a_degraded_forecast_says_so(site: Site) -> None:
    site.board.outlooks[MANGGARAI] = outlook(degraded="its trained model cannot be used (see the log)")
    text = site.client.get(f"/en/station/{MANGGARAI}").text
    assert words_of("en").forecast_degraded in text
    assert "its trained model cannot be used" in text


def test_a_station_without_a_forecast_has_no_such_part(site: Site) -> None:
    assert 'id="forecast"' not in site.client.get(f"/en/station/{KATULAMPA}").text


def test_the_front_page_says_when_a_forecast_alert_is_expected(site: Site) -> None:
    site.board.outlooks[MANGGARAI] = outlook()
    site.board.put(forecast_alert(site.city))  # type: ignore[arg-type]
    about = words_of("id").forecast_about.format(time="30 Jan 01:20 WIB", percent="72")
    eventually(lambda: about in site.client.get("/id").text)
    text = site.client.get("/id").text
    assert "P.A. Manggarai 2 diperkirakan Siaga 2 (Siaga)</a>" in text
    assert "742 cm pada 22:00 WIB" in text, "the value has the time at which it was so"
    assert re.search(r'<tr[^>]*class="s0"[^>]*data-station="122"', text), "the gauge itself is normal"


def test_an_old_forecast_tells_no_time_on_the_front_page(site: Site) -> None:
    site.board.outlooks[MANGGARAI] = outlook(45)
    site.board.put(forecast_alert(site.city))  # type: ignore[arg-type]
    eventually(lambda: "diperkirakan Siaga 2" in site.client.get("/id").text)
    assert "01:20 WIB" not in site.client.get("/id").text


def test_a_forecast_alert_is_public_and_marked_in_the_api(site: Site) -> None:
    site.board.put(forecast_alert(site.city))  # type: ignore[arg-type]

    def told() -> list[dict[str, object]]:
        found = site.client.get("/api/v1/alerts").json()["alerts"]
        return [each for each in found if each["cause"] == "forecast"]

    eventually(lambda: bool(told()))
    [found] = told()
    assert (found["forecast"], found["siaga"], found["confirmed"]) == (True, 2, True)


@pytest.mark.parametrize("language", ["id", "en"])
def test_a_forecast_tells_people_to_prepare_and_not_to_leave(site: Site, language: str) -> None:
    city = site.city
    site.board.put(forecast_alert(city, 3))  # type: ignore[arg-type]
    forecast, there = city.forecast_advice[language][2], city.advice[language][3]
    path = f"/{language}/{PATHS[language]['alert']}/{G}"
    eventually(lambda: forecast in unescape(site.client.get(f"/{language}").text))
    assert forecast in unescape(site.client.get(path).text)
    assert there not in unescape(site.client.get(path).text)
    told = site.client.get(f"/api/v1/alerts/{G}").json()["advice"]
    assert told == {each: city.forecast_advice[each][2] for each in city.languages}


def test_an_ended_forecast_has_no_level_in_its_headline(site: Site) -> None:
    record = forecast_alert(site.city, 0, closed_at=NOW, worst=2, confirmed_severity=0)
    headline = alert_properties(record, site.city)["headline"]  # type: ignore[arg-type]
    assert headline == {
        "id": "P.A. Manggarai 2: prakiraan berakhir",
        "en": "P.A. Manggarai 2: forecast ended",
    }


def test_an_area_stands_as_it_is_observed_and_a_forecast_counts_only_where_nothing_is(site: Site) -> None:
    city = site.city
    code = city.warns[MANGGARAI][0]
    worse = forecast_alert(city, 3)
    level = alert("l" * 20, MANGGARAI, 1, value=755.0, areas=(code,))
    both = area_statuses(city, [worse, level], {})[code].form(city)  # type: ignore[list-item]
    assert (both["severity"], both["forecast"], both["alerts"]) == (1, False, ["l" * 20, G])
    alone = area_statuses(city, [worse], {})[code].form(city)  # type: ignore[list-item]
    assert (alone["severity"], alone["forecast"], alone["state"]) == (3, True, "warned")


def test_the_alerts_page_names_the_level_as_a_forecast(site: Site) -> None:
    from tests.status.sample import transition

    site.board.put(forecast_alert(site.city))  # type: ignore[arg-type]
    site.board.timelines[G] = [
        transition(G, 1, "raised", 2, value=742.0, why={"reason": "850 cm expected", "probability": 0.72,
                                                        "expected_at": "2014-01-29T18:20:00.000Z"})
    ]  # fmt: skip
    text = site.client.get(f"/en/alert/{G}").text
    assert "Forecast: Siaga 2" in text
    assert words_of("en").why.probability in text
    assert f"<dt>{words_of('en').why.expected_at}</dt><dd>30 Jan 01:20 WIB</dd>" in text


@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("ended", ["reached", "withdrawn", "silent"])
def test_how_a_forecast_ended_is_said_in_the_pages_language(site: Site, language: str, ended: str) -> None:
    from tests.status.sample import transition

    site.board.put(forecast_alert(site.city, 0, closed_at=NOW, worst=2, confirmed_severity=0))  # type: ignore[arg-type]
    why = {
        "reason": "withdrawn: 850 cm (Siaga 2) has 12 % only; Depok at 205 cm",
        "limit": 850.0,
        "ended": ended,
    }
    site.board.timelines[G] = [transition(G, 2, "closed", 0, why=why)]
    text = site.client.get(f"/{language}/{PATHS[language]['alert']}/{G}").text
    assert f"<dd>{words_of(language).forecast_ended[ended]}</dd>" in text
    assert ">Depok at 205 cm</dd>" in text
