"""An alert's card says when its value was measured, and what is there now."""

import re
from html import unescape

import pytest

from pantau.record import TransitionRecord
from status.pages.home import Known, alert_items
from status.pages.value import Told, told_of
from status.pages.words import words_of
from tests.status.conftest import Site
from tests.status.sample import KATULAMPA, MANGGARAI, MIN, NOW, alert, latest, transition
from tests.status.test_stations import eventually

V = "9" * 20


def card(site: Site, path: str) -> str:
    """What the card of the alert says, without tags and without what is hidden."""
    html = site.client.get(path).text
    found = next((part for part in html.split('<li class="alert') if V in part), "")
    shown = re.sub(r"<span[^>]* hidden>.*?</span>", "", found.split("</li>")[0])
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", shown)))


def rise(site: Site, **more: object) -> None:
    """Manggarai rose fast, to 760 cm, at 21:50; the alert was acknowledged at 22:10."""
    values: dict[str, object] = {"cause": "rise", "value": 760.0, "n": 2, "changed_at": NOW - 20 * MIN}
    site.board.put(alert(V, MANGGARAI, 2, **{**values, **more}))
    site.board.timelines[V] = [
        transition(V, 1, "raised", 2, value=760.0),
        transition(V, 3, "acknowledged", 2, by="Sari"),
    ]


@pytest.mark.parametrize(
    ("path", "then", "now"),
    [
        ("/id", "760 cm pada 21:50 WIB", "kini 130 cm (22:28 WIB)"),
        ("/en", "760 cm at 21:50 WIB", "now 130 cm (22:28 WIB)"),
        (f"/en/station/{MANGGARAI}", "760 cm at 21:50 WIB", "now 130 cm (22:28 WIB)"),
        ("/en/alert", "760 cm at 21:50 WIB", "now 130 cm (22:28 WIB)"),
    ],
)
def test_a_value_has_its_time_and_the_present_one_stands_beside_it(
    site: Site, path: str, then: str, now: str
) -> None:
    site.board.put(latest(MANGGARAI, 130, age_min=2))
    rise(site)
    eventually(lambda: now in card(site, path))
    text = card(site, path)
    assert then in text
    headline = words_of(path[1:3]).why_link
    assert "760 cm" not in text.split(headline)[1], "the headline has no value of its own"
    assert text.count("760") == 1


def test_the_alerts_own_page_says_the_same(site: Site) -> None:
    site.board.put(latest(MANGGARAI, 130, age_min=2))
    rise(site)
    eventually(lambda: "130 cm" in site.client.get(f"/en/alert/{V}").text)
    text = site.client.get(f"/en/alert/{V}").text
    assert "760 cm at 21:50 WIB" in text
    assert "now 130 cm (22:28 WIB)" in text
    assert "760" not in re.findall("<h1>.*</h1>", text)[0]


def test_the_same_value_is_not_told_twice(site: Site) -> None:
    site.board.put(latest(MANGGARAI, 760.2, age_min=2))
    rise(site)
    eventually(lambda: "760 cm at" in card(site, "/en"))
    assert "now" not in card(site, "/en")


@pytest.mark.parametrize(
    "record",
    [
        latest(MANGGARAI, 130, age_min=200),
        latest(MANGGARAI, 99_999, age_min=2, flag=4, severity=None),
        latest(MANGGARAI, 990, age_min=2, tentative=3, flag=3),
    ],
    ids=["stale", "wrong", "a jump"],
)
def test_what_is_not_known_now_is_not_told_as_the_present(site: Site, record: object) -> None:
    site.board.put(record)  # type: ignore[arg-type]
    rise(site)
    eventually(lambda: "760 cm at 21:50 WIB" in card(site, "/en"))
    assert "now" not in card(site, "/en")


def test_a_withdrawn_alert_has_no_value_and_says_that_it_was_wrong(site: Site) -> None:
    site.board.put(
        alert(
            V, MANGGARAI, 0, value=99_999.0, worst=3, confirmed_severity=0, state="normal", closed_at=NOW, n=2
        )
    )
    site.board.timelines[V] = [
        transition(V, 1, "raised", 3, value=99_999.0),
        transition(V, 2, "withdrawn", 0, value=99_999.0, by="Sari"),
    ]
    words = words_of("en")
    eventually(lambda: words.what["withdrawn"] in card(site, "/en/alert"))
    assert "99,999" not in card(site, "/en/alert")
    page = site.client.get(f"/en/alert/{V}").text
    assert f"<dd>{words.what['withdrawn']}</dd>" in page
    assert "99,999" not in page.split("<table")[0]


def test_nothing_is_worked_out_for_an_alert_that_is_not_shown(site: Site) -> None:
    asked: list[str] = []

    class Asked(dict[str, dict[str, object]]):
        def get(self, name: str, default: object = None) -> object:  # type: ignore[override]
            asked.append(name)
            return default

    hidden = alert("8" * 20, KATULAMPA, 2, value=160.0, confirmed=False, confirmed_severity=0, worst=0)
    shown = alert(V, MANGGARAI, 2, value=760.0)
    known = Known(properties=Asked())
    items = alert_items(site.city, [hidden, shown], "en", NOW, exercise=False, known=known)
    assert [item.id for item in items] == [V]
    assert asked == [MANGGARAI]


def test_a_pending_raise_does_not_say_below_which_limit_it_would_be(site: Site) -> None:
    site.board.put(latest(KATULAMPA, 160, age_min=2, severity=1, tentative=3, flag=3))
    site.board.put(alert(V, KATULAMPA, 3, value=260.0, confirmed=False, confirmed_severity=1, worst=1, n=2))
    site.board.timelines[V] = [
        transition(V, 1, "raised", 1, value=90.0),
        transition(V, 2, "raised", 3, value=260.0, confirmed=False),
    ]
    eventually(lambda: "90 cm at" in card(site, "/en"))
    assert "Below the limit" not in card(site, "/en")


def test_what_was_withdrawn_or_never_confirmed_tells_no_value() -> None:
    record = alert(V, MANGGARAI, 2, value=300.0, n=3)
    raised = transition(V, 1, "raised", 1, value=100.0)
    jump = transition(V, 2, "raised", 2, value=300.0, confirmed=False)
    taken_back = transition(V, 3, "withdrawn", 1, value=300.0)
    assert told_of(record, [raised, jump]) == Told(100.0, raised.at)
    assert told_of(record, [raised, jump, taken_back]) == Told(None, record.changed_at)
    assert told_of(record, []) == Told(None, record.changed_at), (
        "after an acknowledgement nobody knows when it was"
    )
    first = alert(V, MANGGARAI, 2, value=300.0, n=1)
    assert told_of(first, []) == Told(300.0, first.changed_at)


@pytest.mark.parametrize("language", ["id", "en"])
def test_an_alert_that_stands_below_its_limit_says_why(site: Site, language: str) -> None:
    ladder = site.city.ladder_at(KATULAMPA, NOW)
    assert ladder is not None
    limit = ladder.limits[1]
    assert limit is not None
    assert ladder.hold_ms
    words, unit = words_of(language), "cm"
    held = words.held.format(
        limit=f"{limit:.0f} {unit}",
        edge=f"{limit - ladder.deadband:.0f} {unit}",
        minutes=f"{ladder.hold_ms / MIN:.0f}",
    )
    site.board.put(alert(V, KATULAMPA, 2, value=160.0))
    eventually(lambda: "160 cm" in card(site, f"/{language}"))
    assert held not in card(site, f"/{language}"), "160 cm is above it"
    site.board.put(latest(KATULAMPA, limit - 1, age_min=1, severity=2))
    eventually(lambda: held in card(site, f"/{language}"))


def test_a_timeline_is_read_again_only_after_a_transition(site: Site) -> None:
    rise(site)
    eventually(lambda: "760 cm at 21:50 WIB" in card(site, "/en/alert"))
    asked: list[str] = []
    timeline = site.board.timeline

    def asks(id: str) -> list[TransitionRecord]:
        asked.append(id)
        return timeline(id)

    site.board.timeline = asks  # type: ignore[method-assign]
    assert "760 cm" in card(site, "/en/alert")
    assert asked == []
    rise(site, n=3)
    site.board.timelines[V].append(transition(V, 4, "lowered", 1, value=744.0))
    eventually(lambda: "744 cm at 22:20 WIB" in card(site, "/en/alert"))
    assert asked == [V]
