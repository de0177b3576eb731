"""The pages as the server writes them; tests/real/test_pages.py looks at them with a browser."""

import re
from html.parser import HTMLParser

import pytest

from app.clock import ScaledClock
from pantau.city import City
from pantau.reading import Reading
from status.api import create_app
from status.pages.words import words_of
from tests.fakes_board import HealthInMemory
from tests.status.client import running
from tests.status.conftest import Site
from tests.status.sample import (
    DEPOK,
    KATULAMPA,
    MANGGARAI,
    MIN,
    NOW,
    alert,
    latest,
    sample_board,
    transition,
)
from tests.status.test_stations import eventually
from tests.status.test_words import FILES, flat

B, C, D = "b" * 20, "c" * 20, "d" * 20
PAGES = {
    "id": [
        "/id",
        "/id/peringatan",
        f"/id/peringatan/{B}",
        f"/id/stasiun/{KATULAMPA}",
        "/id/stasiun/crowd-monas",
    ],
    "en": ["/en", "/en/alert", f"/en/alert/{B}", f"/en/station/{KATULAMPA}", "/en/station/crowd-monas"],
}
ALL = [*PAGES["id"], *PAGES["en"], "/id/stasiun/nowhere", "/en/alert/nothing"]
NAMES = {"en": "Bahasa Indonesia", "id": "English"}


class Text(HTMLParser):
    """What a person reads: no scripts, nothing marked as another language."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "use", "path", "circle", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.skipped: list[bool] = [False]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            foreign = tag in {"script", "style"} or (tag != "html" and "lang" in dict(attrs))
            self.skipped.append(self.skipped[-1] or foreign)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            self.skipped.pop()

    def handle_data(self, data: str) -> None:
        if not self.skipped[-1]:
            self.words.append(data)


def text_of(html: str) -> str:
    parser = Text()
    parser.feed(html)
    return re.sub(r"\s+", " ", " ".join(parser.words))


def row_of(html: str, station: str) -> str:
    found = re.search(rf'<tr role="row"[^>]*data-station="{station}".*?</tr>', html, re.DOTALL)
    assert found, station
    return text_of(found[0])


def test_the_root_leads_to_the_indonesian_page(site: Site) -> None:
    answer = site.client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/id")


@pytest.mark.parametrize("path", [*PAGES["id"], *PAGES["en"]])
def test_every_page_is_html_in_its_language_with_a_way_to_the_other(site: Site, path: str) -> None:
    answer = site.client.get(path)
    assert answer.status_code == 200
    language = path[1:3]
    assert f'<html lang="{language}">' in answer.text
    other = re.search(r'<a href="([^"]*)" lang="\w\w" hreflang', answer.text)
    assert other
    assert site.client.get(other[1]).status_code == 200
    back = re.search(r'<a href="([^"]*)" lang="\w\w" hreflang', site.client.get(other[1]).text)
    assert back
    assert back[1] == path


@pytest.mark.parametrize("path", ALL)
def test_no_page_shows_a_word_of_the_other_language(site: Site, path: str) -> None:
    language = path[1:3]
    text = text_of(site.client.get(path).text).casefold()
    own, foreign = (flat(FILES[name]) for name in (language, "en" if language == "id" else "id"))
    for key, word in foreign.items():
        for part in re.split(r"\{\w+\}", word):
            sure = part.strip().casefold()
            if (
                len(sure) < 5
                or sure in {w.casefold() for w in own.values()}
                or any(sure in w.casefold() for w in own.values())
            ):
                continue
            assert not re.search(rf"\b{re.escape(sure)}\b", text), (key, sure)


@pytest.mark.parametrize("path", ALL)
def test_every_page_of_an_exercise_says_so_in_both_languages(exercise: Site, site: Site, path: str) -> None:
    html = exercise.client.get(path).text
    assert '<strong lang="id">LATIHAN</strong> / <strong lang="en">EXERCISE</strong>' in html
    assert "LATIHAN / EXERCISE</title>" in html
    assert "LATIHAN" not in site.client.get(path).text


@pytest.mark.parametrize("path", ALL)
def test_every_page_carries_the_disclaimer_the_emergency_number_and_the_zone(site: Site, path: str) -> None:
    words = words_of(path[1:3])
    text = text_of(site.client.get(path).text)
    assert words.footer_provisional in text
    assert words.emergency.format(number="112") in text
    assert "WIB (UTC+07:00)" in text


@pytest.mark.parametrize("path", ALL)
def test_nothing_on_a_page_comes_from_elsewhere_or_is_inline_code(site: Site, path: str) -> None:
    html = site.client.get(path).text
    for address in re.findall(r'\s(?:src|href)="([^"]*)"', html):
        assert address.startswith(("/", "#")), address
    assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", html)
    assert all("src=" in tag or "application/json" in tag for tag in re.findall(r"<script[^>]*>", html))


def test_what_does_not_exist_is_a_page_of_its_own(site: Site) -> None:
    for path in ("/id/stasiun/nowhere", "/en/alert/nothing"):
        answer = site.client.get(path)
        assert answer.status_code == 404
        assert words_of(path[1:3]).not_found in answer.text


def test_each_state_has_its_words_and_says_what_to_do(site: Site) -> None:
    snapshot = site.client.get("/api/v1/stations").json()["features"]
    html = site.client.get("/id").text
    words = words_of("id").client
    seen = set()
    for feature in snapshot:
        properties = feature["properties"]
        row = row_of(html, feature["id"])
        chip = {"never_reported": "never", "stale": "stale", "out_of_service": "out"}.get(properties["state"])
        if chip is None and properties["severity"] is None:
            chip = "unusable" if properties["flag"] == 4 else "awaiting"
        if chip:
            assert words[f"chip_{chip}"] in row
            assert words[f"note_{chip}"] in row
            assert "112" in row
            seen.add(chip)
    assert seen == {"never", "stale", "out", "awaiting", "unusable"}


def test_a_broken_gauge_names_the_nearest_working_one_on_its_river(site: Site) -> None:
    html = site.client.get("/id").text
    stale = next(
        feature["properties"]
        for feature in site.client.get("/api/v1/stations").json()["features"]
        if feature["properties"]["state"] == "stale"
    )
    row = row_of(html, stale["id"])
    near = re.search(r"Lihat (.*?)\.", row)
    assert near
    assert any(
        station.river == stale["river"] for station in site.city.stations.values() if near[1] in station.name
    )


def test_a_row_says_siaga_word_value_unit_trend_time_zone_and_age(site: Site) -> None:
    row = row_of(site.client.get("/id").text, KATULAMPA)
    assert "Siaga 2 · Siaga" in row
    assert "160 cm" in row
    assert "\N{UPWARDS ARROW} naik 43 cm/jam" in row
    assert "22:25 WIB 5 menit lalu" in row
    english = row_of(site.client.get("/en").text, KATULAMPA)
    assert "Siaga 2 · Warning" in english
    assert "rising" in english
    assert "5 min ago" in english


def test_a_negative_level_is_shown_as_it_is(site: Site) -> None:
    assert "\N{MINUS SIGN}44 cm" in text_of(site.client.get("/id").text)


def test_a_value_of_another_day_says_which(site: Site) -> None:
    site.board.put(latest(KATULAMPA, 1, age_min=60 * 30))
    eventually(lambda: "28 Jan 16:30 WIB" in row_of(site.client.get("/id").text, KATULAMPA))


def test_confirmed_alerts_stand_on_top_the_worst_first_with_advice(site: Site) -> None:
    text = text_of(site.client.get("/en").text)
    names = [site.city.stations[id].name for id in (DEPOK, KATULAMPA, "crowd-monas")]  # noqa: A001
    places = [
        text.index(f"{name} Siaga") if "Monas" not in name else text.index(f"{name}: Watch") for name in names
    ]
    assert places == sorted(places)
    assert site.city.advice["en"][3] in text
    assert site.city.crowd_advice["en"][1] in text


def test_an_unconfirmed_alert_is_nowhere_but_in_its_stations_state(site: Site) -> None:
    pending = site.board.by_id[C]
    for path in (*PAGES["id"], *PAGES["en"]):
        html = site.client.get(path).text
        assert C not in html
        assert "unconfirmed" not in text_of(html)
    assert site.client.get(f"/id/peringatan/{C}").status_code == 404
    assert "Menunggu konfirmasi" in row_of(site.client.get("/id").text, pending.station)


def test_a_pending_raise_shows_the_level_that_was_confirmed_before(site: Site) -> None:
    raised = alert("p" * 20, MANGGARAI, 3, confirmed=False, confirmed_severity=1, worst=1, value=960.0)
    site.board.put(raised)
    eventually(lambda: "p" * 20 in site.client.get("/id").text)
    assert "Siaga 3 (Waspada)" in text_of(site.client.get("/id/peringatan/" + "p" * 20).text)


def test_without_alerts_the_page_does_not_say_that_all_is_well(site: Site) -> None:
    for record in list(site.board.by_id.values()):
        record.closed_at = NOW
        site.board.put(record)
    words = words_of("id")
    eventually(lambda: words.alerts_none in text_of(site.client.get("/id").text))
    assert words.alerts_none_note in text_of(site.client.get("/id").text)


def test_why_names_limits_quality_and_the_operator_only_as_such(site: Site) -> None:
    text = text_of(site.client.get(f"/id/peringatan/{B}").text)
    assert "80 · 150 · 200" in text
    assert "Mutu pembacaan baik" in text
    assert "petugas" in text
    assert "Sari" not in text


def test_why_of_a_detector_names_it_and_its_version(site: Site) -> None:
    why = {"detector": "rate_of_rise", "version": "3", "score": 0.9, "reason": "52 cm in 10 min"}
    step = site.board.timelines[B][0]
    step.why = why
    site.board.timelines[B] = [step]
    html = site.client.get(f"/id/peringatan/{B}").text
    assert "rate_of_rise" in text_of(html)
    assert '<dd lang="en">52 cm in 10 min</dd>' in html


def test_a_station_shows_limits_neighbours_readings_and_scores_on_trial(site: Site) -> None:
    text = text_of(site.client.get(f"/id/stasiun/{KATULAMPA}").text)
    assert "mulai 150 cm" in text
    assert re.search(r"P\.S\. Depok 2 \( ?3\N{EN DASH}3,5 jam", text)
    assert "22:20 WIB 159 baik" in text
    assert "isolation_forest : 0,71 uji coba" in text


def test_a_reading_that_was_doubted_says_why(site: Site) -> None:
    site.board.history.append(
        Reading(KATULAMPA, "water_level", 300, NOW - 6 * MIN, NOW, flag=3, reason="jump of +140 cm in 4 min")
    )
    html = site.client.get(f"/id/stasiun/{KATULAMPA}").text
    assert "meragukan" in html
    assert "jump of +140 cm in 4 min</q>" in html


def test_a_crowd_shows_density_and_fruins_level(site: Site) -> None:
    row = row_of(site.client.get("/id").text, "crowd-monas")
    assert "214.000 orang" in row
    assert "3,57 orang/m² · tingkat D" in row


def test_names_are_escaped(site: Site) -> None:
    site.board.take_out(DEPOK, "<script>alert(1)</script>")
    eventually(lambda: "&lt;script&gt;" in site.client.get(f"/id/stasiun/{DEPOK}").text)
    assert "<script>alert" not in site.client.get(f"/id/stasiun/{DEPOK}").text


def test_static_files_may_be_kept_for_ever_and_change_their_address_with_their_content(site: Site) -> None:
    html = site.client.get("/id").text
    css = re.search(r'href="(/static/pantau\.css\?v=\w+)"', html)
    assert css
    assert "immutable" in site.client.get(css[1]).headers["cache-control"]
    assert "immutable" not in site.client.get("/static/pantau.css").headers["cache-control"]
    assert site.client.get("/static/rivers.geojson").json()["type"] == "FeatureCollection"


def test_a_page_runs_at_the_clocks_own_speed_however_long_the_service_has_waited(city: City) -> None:
    clock = ScaledClock(NOW, 1500.0)
    app = create_app(sample_board(city), city, clock, HealthInMemory(), exercise=True)
    clock.anchor_ms -= 3_600_000  # as if it had been set anew after the start
    with running(app) as client:
        page = client.get("/id").text
    assert 'data-speed="1500.0"' in page
    assert 'data-slack="2250000"' in page


def test_an_alert_closed_by_an_operator_is_not_called_normal(site: Site) -> None:
    closed = alert("d" * 20, MANGGARAI, 0, value=788.0, worst=1, closed_at=NOW, state="normal", n=2)
    steps = [
        transition(closed.id, 1, "raised", 1, value=760.0),
        transition(closed.id, 2, "closed", 0, value=788.0, by="sari"),
    ]
    site.board.put(closed)
    site.board.timelines[closed.id] = steps
    page = text_of(site.client.get(f"/en/alert/{closed.id}").text)
    assert "closed by an operator although the condition may still hold" in page
    assert "Siaga 4" not in page
    assert "Siaga 3 (Watch)" in page


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "Pantau has heard no gauge since"), ("id", "Pantau tidak menerima data sejak")],
)
def test_a_broker_that_is_gone_is_told_at_the_top_of_every_page_and_no_longer_when_it_is_back(
    site: Site, language: str, said: str
) -> None:
    def banner(path: str) -> str:
        page = site.client.get(path).text
        return page.split('<div id="outage" role="alert">')[1].split("</div>")[0]

    assert not any(banner(path) for path in PAGES[language])
    heard_at = max(record.received_at for record in site.board.latest.values())
    gone = alert(D, "system:mqtt", 1, hazard="system", cause="mqtt", areas=[])
    site.board.put(gone)
    expected = f"{said} {site.city.local(heard_at):%H:%M}"
    eventually(lambda: all(expected in banner(path) for path in PAGES[language]))
    gone.closed_at = NOW
    site.board.put(gone)
    eventually(lambda: not any(banner(path) for path in PAGES[language]))


def test_another_peer_that_is_gone_is_no_silence(site: Site) -> None:
    site.board.put(alert(D, "system:influxdb", 1, hazard="system", cause="influxdb", areas=[]))
    eventually(lambda: "influxdb" in site.client.get("/en/alert").text)
    assert 'class="outage"' not in site.client.get("/en/alert").text
