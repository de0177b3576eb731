"""The public page in a real Chromium: without JavaScript, live, offline, accessible, light."""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from app.clock import ScaledClock
from pantau.city import City
from status.api import create_app
from status.pages.render import STATIC
from status.pages.words import words_of
from tests.fakes_board import BoardInMemory, HealthInMemory
from tests.status.sample import DEPOK, KATULAMPA, MANGGARAI, NOW, ROOT, alert, latest, load_city, sample_board
from tests.status.server import serving

pytestmark = pytest.mark.real

expect.set_options(timeout=20_000)  # a busy machine renders late; what never comes still fails

B = "b" * 20
PATHS = [
    "/id", "/en", "/id/peringatan", f"/en/alert/{B}", f"/id/stasiun/{KATULAMPA}", f"/en/station/{KATULAMPA}",
    "/id/stasiun/nowhere",
]  # fmt: skip
FIRST_VIEW_BYTES = 100_000
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def city() -> City:
    return load_city()


@pytest.fixture
def board(city: City) -> BoardInMemory:
    return sample_board(city)


@pytest.fixture
def address(city: City, board: BoardInMemory) -> Iterator[str]:
    with serving(create_app(board, city, ScaledClock(NOW, 1.0), HealthInMemory(), exercise=True)) as url:
        yield url


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    found = context.new_page()
    complaints: list[str] = []
    found.on("pageerror", lambda error: complaints.append(str(error)))
    found.on(
        "console",
        lambda message: complaints.append(message.text) if "Content Security" in message.text else None,
    )
    yield found
    context.close()
    assert complaints == []


def row(page: Page, station: str) -> Any:
    return page.locator(f'tr[data-station="{station}"]')


def connected(page: Page, language: str = "id") -> None:
    expect(page.locator("#live")).to_have_text(words_of(language).client.live_on)


def test_without_javascript_the_table_says_everything(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/id")
    expect(row(page, KATULAMPA)).to_contain_text("Siaga 2 · Siaga")
    expect(row(page, KATULAMPA)).to_contain_text("160 cm")
    expect(page.locator("#alerts")).to_contain_text("Siaga 1 (Awas)")
    expect(page.locator("#alerts")).to_contain_text("380 cm pada 22:00 WIB")
    expect(page.locator("#live")).to_have_text(words_of("id").live_off)
    page.goto(f"{address}/en/station/{KATULAMPA}")
    expect(page.locator("table.plain tbody tr")).to_have_count(24)
    expect(page.locator("#chart-part")).to_be_hidden()
    context.close()


def test_an_exercise_says_so_on_top_of_every_page(page: Page, address: str) -> None:
    for path in PATHS:
        page.goto(address + path)
        expect(page.locator(".exercise")).to_contain_text("LATIHAN / EXERCISE")
        box = page.locator(".exercise").bounding_box()
        assert box
        assert box["y"] == 0


def test_a_new_reading_appears_by_itself(page: Page, address: str, board: BoardInMemory) -> None:
    page.goto(f"{address}/id")
    connected(page)
    board.put(latest(MANGGARAI, 955, age_min=0, severity=3, rate=200.0))
    expect(row(page, MANGGARAI)).to_contain_text("Siaga 1 · Awas")
    expect(row(page, MANGGARAI)).to_contain_text("955 cm")
    expect(page.locator("#summary li.s3 b")).to_have_text("2")


def test_a_new_alert_appears_by_itself_and_is_announced(
    page: Page, address: str, board: BoardInMemory
) -> None:
    page.goto(f"{address}/en")
    connected(page, "en")
    board.put(alert("n" * 20, MANGGARAI, 3, value=955.0))
    expect(page.locator("#alerts[aria-live=polite]")).to_contain_text("955 cm at 22:00 WIB")


def test_a_station_that_reports_for_the_first_time_joins_its_river(
    page: Page, address: str, board: BoardInMemory, city: City
) -> None:
    page.goto(f"{address}/id")
    connected(page)
    silent = next(
        s for s in city.stations.values() if s.river == "Ciliwung" and (s.id, "main") not in board.latest
    )
    expect(row(page, silent.id)).to_be_hidden()
    board.put(latest(silent.id, 33, age_min=0))
    expect(row(page, silent.id)).to_be_visible()
    expect(row(page, silent.id)).to_contain_text("33 cm")


def test_a_page_left_open_offline_turns_stale_by_itself(browser: Browser, address: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.clock.install()
    page.goto(f"{address}/id")
    expect(row(page, KATULAMPA)).to_contain_text("Siaga 2")
    page.clock.run_for(1_000)
    context.set_offline(True)
    page.clock.fast_forward(10 * 60_000)
    expect(row(page, KATULAMPA)).to_contain_text("15 menit lalu")
    expect(row(page, KATULAMPA)).to_contain_text("Siaga 2")
    page.clock.fast_forward(16 * 60_000)
    words = words_of("id").client
    expect(row(page, KATULAMPA)).to_contain_text(words.chip_stale)
    expect(row(page, KATULAMPA)).to_contain_text(words.note_stale)
    expect(row(page, KATULAMPA)).to_contain_text("160 cm")
    expect(row(page, KATULAMPA)).not_to_contain_text("Siaga 2")
    expect(page.locator("#live")).to_have_text(words.live_off)
    assert page.locator("tr.s0, tr.s1, tr.s2, tr.s3").count() == 0, "nothing is normal when nothing is known"
    context.close()


@pytest.mark.parametrize("language", ["id", "en"])
def test_the_browser_repaints_rows_in_the_servers_own_words(
    browser: Browser, address: str, language: str
) -> None:
    def rows(scripts: bool) -> dict[str, str]:
        context = browser.new_context(java_script_enabled=scripts)
        page = context.new_page()
        page.goto(f"{address}/{language}")
        if scripts:
            connected(page, language)
        texts = {
            station.get_attribute("data-station") or "": re.sub(
                r"\s+", " ", station.text_content() or ""
            ).strip()
            for station in page.locator("tr[data-station]").all()
        }
        context.close()
        return texts

    server, client = rows(scripts=False), rows(scripts=True)
    assert client == server
    assert len(server) == 76


def test_a_map_shows_every_located_station_and_the_rivers(page: Page, address: str, city: City) -> None:
    page.goto(f"{address}/id")
    located = sum(1 for station in city.stations.values() if station.lat is not None)
    expect(page.locator("#map .leaflet-marker-icon")).to_have_count(located)
    expect(page.locator("#map path.river")).to_have_count(len(city.rivers["features"]))
    marker = page.locator('#map .leaflet-marker-icon[title*="Katulampa"]')
    marker.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/id/stasiun/{KATULAMPA}")


def test_a_station_has_a_chart_for_each_range_that_grows_with_the_river(
    page: Page, address: str, board: BoardInMemory
) -> None:
    page.goto(f"{address}/id/stasiun/{KATULAMPA}")
    expect(page.locator("#chart canvas")).to_be_visible()
    expect(page.locator("#chart-note")).to_have_text("")
    with page.expect_request(re.compile(r"readings.*every=PT1H")):
        page.get_by_role("button", name="7 hari").click()
    expect(page.get_by_role("button", name="7 hari")).to_have_attribute("aria-pressed", "true")
    with page.expect_request(re.compile("readings")):
        board.put(latest(KATULAMPA, 170, age_min=0, severity=2))


def test_the_page_works_without_the_browser_libraries(browser: Browser, address: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route(re.compile(r"/static/vendor/"), lambda route: route.abort())
    page.goto(f"{address}/id")
    connected(page)
    expect(row(page, KATULAMPA)).to_contain_text("160 cm")
    expect(page.locator("#map-part")).to_be_hidden()
    page.goto(f"{address}/id/stasiun/{KATULAMPA}")
    expect(page.locator("#chart-part")).to_be_hidden()
    context.close()


@pytest.mark.parametrize(
    ("path", "width"), [*((path, 360) for path in PATHS), ("/id", 1280), (PATHS[5], 1280)]
)
def test_axe_finds_nothing(browser: Browser, address: str, path: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, bypass_csp=True)
    page = context.new_page()
    page.goto(address + path)
    if page.locator("#live").count():
        connected(page, path[1:3])
    for part in page.locator("details").all():
        part.evaluate("part => part.open = true")
    page.add_script_tag(path=_axe())
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    told = [
        f"{each['id']}: {each['help']}: {[node['html'][:160] for node in each['nodes'][:3]]}"
        for each in found["violations"]
    ]
    assert told == []
    context.close()


def _axe() -> str:
    places = [ROOT / "tests/vendor/axe.min.js", ROOT / "node_modules/axe-core/axe.min.js"]
    found = next((place for place in places if place.exists()), None)
    assert found, "tools/vendor_js puts axe-core there"
    return str(found)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_has_to_be_scrolled_sideways_on_a_small_phone(
    browser: Browser, address: str, path: str
) -> None:
    context = browser.new_context(viewport={"width": 320, "height": 700})
    page = context.new_page()
    page.goto(address + path)
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    context.close()


def test_everything_is_reached_by_keyboard_and_the_skip_link_comes_first(page: Page, address: str) -> None:
    page.goto(f"{address}/id")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_each_status_differs_in_shape_not_in_colour_alone(page: Page, address: str) -> None:
    page.goto(f"{address}/id")
    names = ["s0", "s1", "s2", "s3", "awaiting", "stale", "out", "never", "unusable", "nolimits"]
    shapes = [page.locator(f".sprite #{name}").evaluate("symbol => symbol.innerHTML") for name in names]
    assert len(set(shapes)) == len(names)
    for name in names:
        chip = page.locator(f".legend .chip.{name}")
        expect(chip.locator("use")).to_have_attribute("href", f"#{name}")
        assert (chip.text_content() or "").strip()


@pytest.mark.skipif(not (STATIC / "vendor" / "leaflet.js").exists(), reason="tools/vendor_js has not run")
@pytest.mark.parametrize("path", ["/id", "/en"])
def test_the_first_view_weighs_less_than_a_hundred_kilobytes(
    browser: Browser, address: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    context = browser.new_context()
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    addresses: dict[str, str] = {}
    sizes: dict[str, int] = {}

    def received(event: dict[str, Any]) -> None:
        addresses[event["requestId"]] = event["response"]["url"]

    def finished(event: dict[str, Any]) -> None:
        sizes[event["requestId"]] = int(event["encodedDataLength"])

    session.on("Network.responseReceived", received)
    session.on("Network.loadingFinished", finished)
    page.goto(address + path)
    connected(page, path[1:3])
    page.wait_for_timeout(500)
    total = sum(sizes.values())
    parts = {
        addresses.get(key, "?").removeprefix(address).partition("?")[0]: size for key, size in sizes.items()
    }
    with capsys.disabled():
        sys.stdout.write(f"\nfirst view of {path}: {total} bytes {json.dumps(parts)}\n")
    assert 0 < total < FIRST_VIEW_BYTES
    assert any("leaflet.js" in part for part in parts)
    context.close()


def test_a_closed_alert_leaves_the_page(page: Page, address: str, board: BoardInMemory) -> None:
    page.goto(f"{address}/id")
    connected(page)
    expect(page.locator("#alerts")).to_contain_text("Siaga 1 (Awas)")
    board.put(alert("a" * 20, DEPOK, 0, closed_at=NOW, worst=3, confirmed_severity=0))
    expect(page.locator("#alerts")).not_to_contain_text("Siaga 1 (Awas)")
