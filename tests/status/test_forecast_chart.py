"""The forecast in a real Chromium: drawn with its band, turned old by time alone, read anew with the next reading."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.clock import ScaledClock
from pantau.city import City
from status.api import create_app
from status.pages.render import STATIC
from status.pages.words import words_of
from tests.fakes_board import BoardInMemory, HealthInMemory
from tests.status.sample import KATULAMPA, NOW, ROOT, latest, sample_board
from tests.status.server import serving
from tests.status.test_forecast_pages import outlook

pytestmark = pytest.mark.real
expect.set_options(timeout=20_000)

VENDOR = pytest.mark.skipif(
    not (STATIC / "vendor" / "uPlot.iife.min.js").exists(), reason="tools/vendor_js has not run"
)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
IN_BAND = """() => {
  const canvas = document.querySelector("#chart canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] > 15 && data[i + 3] < 60 && data[i + 2] > 100 && data[i] < 60) found += 1;
  }
  return found;
}"""


@pytest.fixture
def board(city: City) -> BoardInMemory:
    found = sample_board(city)
    found.outlooks[KATULAMPA] = outlook(value=159.0)
    return found


@pytest.fixture
def address(city: City, board: BoardInMemory) -> Iterator[str]:
    with serving(create_app(board, city, ScaledClock(NOW, 1.0), HealthInMemory(), exercise=False)) as url:
        yield f"{url}/en/station/{KATULAMPA}"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    found = context.new_page()
    complaints: list[str] = []
    found.on("pageerror", lambda error: complaints.append(str(error)))
    yield found
    context.close()
    assert complaints == []


@VENDOR
def test_the_chart_draws_the_band_and_names_its_lines(page: Page, address: str, board: BoardInMemory) -> None:
    page.goto(address)
    words = words_of("en")
    legend = page.locator("#chart .u-legend")
    for label in (words.forecast_expected, f"{words.forecast_band} 5 %", f"{words.forecast_band} 95 %"):
        expect(legend).to_contain_text(label)
    with_band = page.evaluate(IN_BAND)
    assert with_band > 3_000
    board.outlooks.clear()
    page.goto(f"{address}?again")  # the page itself may be kept for some seconds
    expect(legend).not_to_contain_text(words.forecast_expected)
    assert page.evaluate(IN_BAND) < with_band / 5  # the smooth edges of the lines


@VENDOR
def test_an_old_forecast_is_not_drawn(page: Page, address: str, board: BoardInMemory) -> None:
    board.outlooks[KATULAMPA] = outlook(45, value=159.0)
    page.goto(address)
    expect(page.locator("#chart canvas")).to_be_visible()
    expect(page.locator("#chart .u-legend")).not_to_contain_text(words_of("en").forecast_expected)
    expect(page.locator("#forecast .gone")).to_be_visible()


def test_a_page_left_open_turns_the_forecast_old_by_itself(browser: Browser, address: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.clock.install()
    page.goto(address)
    expect(page.locator("#forecast table")).to_be_visible()
    expect(page.locator("#forecast .gone")).to_be_hidden()
    page.clock.run_for(1_000)
    context.set_offline(True)
    page.clock.fast_forward(25 * 60_000)
    expect(page.locator("#forecast table")).to_be_hidden()
    expect(page.locator("#forecast .gone")).to_be_visible()
    context.close()


def test_a_new_reading_brings_the_new_forecast(page: Page, address: str, board: BoardInMemory) -> None:
    page.goto(address)
    expect(page.locator("#live")).to_have_text(words_of("en").client.live_on)
    issued = words_of("en").forecast_issued
    expect(page.locator("#forecast")).to_contain_text(issued.format(time="22:20 WIB"))
    board.outlooks[KATULAMPA] = outlook(0, value=170.0)
    board.put(latest(KATULAMPA, 170, age_min=0, severity=2))
    expect(page.locator("#forecast")).to_contain_text(issued.format(time="22:30 WIB"))


@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_and_nothing_is_scrolled_sideways(
    browser: Browser, address: str, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, bypass_csp=True)
    page = context.new_page()
    page.goto(address)
    expect(page.locator("#live")).to_have_text(words_of("en").client.live_on)
    places = [ROOT / "tests/vendor/axe.min.js", ROOT / "node_modules/axe-core/axe.min.js"]
    page.add_script_tag(path=str(next(place for place in places if place.exists())))
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    assert [
        f"{each['id']}: {[n['html'][:160] for n in each['nodes'][:3]]}" for each in found["violations"]
    ] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_without_javascript_the_table_stands(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    expect(page.locator("#forecast tbody tr")).to_have_count(9)
    assert re.search(r"\d+ to \d+", page.locator("#forecast tbody").inner_text())
    context.close()
