"""The public page in a real Chromium when an exercise goes on at another speed, and while an alert stands."""

from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from app.clock import ScaledClock
from pantau.city import City
from pantau.reading import Reading
from status.api import create_app
from status.pages.words import words_of
from tests.fakes_board import BoardInMemory, HealthInMemory
from tests.status.sample import KATULAMPA, MANGGARAI, MIN, NOW, alert, latest, load_city, sample_board
from tests.status.server import serving

pytestmark = pytest.mark.real
expect.set_options(timeout=20_000)


class Exercise(NamedTuple):
    """A service on a scaled clock."""

    address: str
    board: BoardInMemory
    clock: ScaledClock


@pytest.fixture(scope="module")
def city() -> City:
    return load_city()


@pytest.fixture
def exercise(city: City) -> Iterator[Exercise]:
    board, clock = sample_board(city), ScaledClock(NOW, 1500.0)
    with serving(create_app(board, city, clock, HealthInMemory(), exercise=True)) as url:
        yield Exercise(url, board, clock)


def chips(page: Page) -> dict[str, str]:
    """What each gauge's row wears: a severity, stale, never, ..."""
    found = page.locator("#stations tr[data-station]").all()
    return {row.get_attribute("data-station") or "": row.get_attribute("class") or "" for row in found}


def states(exercise: Exercise) -> dict[str, str]:
    features = httpx.get(f"{exercise.address}/api/v1/stations").json()["features"]
    return {feature["id"]: feature["properties"]["state"] for feature in features}


def test_page_api_and_script_agree_on_what_is_stale_after_the_speed_has_dropped(
    browser: Browser, exercise: Exercise
) -> None:
    words = words_of("en").client
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{exercise.address}/en")
    expect(page.locator("#live")).to_have_text(words.live_on)
    exercise.clock.run_on(1.0)
    # Katulampa's value is 53 minutes old then: at 1,500 times the speed that was current.
    exercise.clock.start_ms = NOW + 48 * MIN
    row = page.locator(f'tr[data-station="{KATULAMPA}"]')
    expect(row).to_contain_text("53 min ago")
    expect(row).to_contain_text(words.chip_stale)
    assert states(exercise)[KATULAMPA] == "stale"
    exercise.board.put(latest(KATULAMPA, 161, age_min=-47, severity=2))
    expect(row).to_contain_text("Siaga 2")
    expect(row).to_contain_text("1 min ago")
    plain = browser.new_context(java_script_enabled=False)
    without = plain.new_page()
    without.goto(f"{exercise.address}/en")
    later = context.new_page()
    later.goto(f"{exercise.address}/en")
    expect(later.locator("#live")).to_have_text(words.live_on)
    assert chips(page) == chips(without) == chips(later)
    told = states(exercise)
    assert {name for name, chip in chips(page).items() if chip == "stale"} == {
        name for name in chips(page) if told[name] == "stale"
    }
    plain.close()
    context.close()


def test_a_card_follows_the_gauge_that_it_is_about(browser: Browser, city: City) -> None:
    board = sample_board(city)
    limit = next(each for each in city.ladder_at(KATULAMPA, NOW).limits[1:] if each is not None)  # type: ignore[union-attr]
    with serving(create_app(board, city, ScaledClock(NOW, 1.0), HealthInMemory(), exercise=False)) as address:
        board.put(alert("9" * 20, MANGGARAI, 2, cause="rise", value=742.0))
        page = browser.new_page()
        page.goto(f"{address}/en")
        expect(page.locator("#live")).to_have_text(words_of("en").client.live_on)
        card = page.locator("#alerts li", has=page.locator(f'[data-present="{MANGGARAI}"]'))
        expect(card).to_contain_text("742 cm at 22:00 WIB")
        expect(card.locator('[data-f="present"]')).to_have_text("")
        board.put(latest(MANGGARAI, 130, age_min=1))
        expect(card.locator('[data-f="present"]')).to_have_text("now 130 cm (22:29 WIB)")
        held = page.locator(f'#alerts [data-present="{KATULAMPA}"] [data-f="held"]')
        expect(held).to_be_hidden()
        board.put(latest(KATULAMPA, limit - 1, age_min=1, severity=2))
        expect(held).to_be_visible()
        page.close()


def test_a_gauge_that_is_live_again_says_no_more_that_its_clock_is_wrong(
    browser: Browser, city: City
) -> None:
    board = sample_board(city)
    board.put(latest(KATULAMPA, 160, age_min=200, severity=2))
    board.history.append(Reading(KATULAMPA, "water_level", 170.0, NOW + 15 * MIN, NOW, flag=4))
    with serving(create_app(board, city, ScaledClock(NOW, 1.0), HealthInMemory(), exercise=False)) as address:
        page = browser.new_page()
        page.goto(f"{address}/en/station/{KATULAMPA}")
        expect(page.locator("#live")).to_have_text(words_of("en").client.live_on)
        clock = page.locator('[data-f="clock"]')
        expect(clock).to_contain_text("about 15 min ahead")
        board.put(latest(KATULAMPA, 171, age_min=0, severity=2))
        expect(page.locator(f'tr[data-station="{KATULAMPA}"]')).to_contain_text("171")
        expect(clock).to_have_count(0)
        page.close()
