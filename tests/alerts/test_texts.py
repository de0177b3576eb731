"""The texts of notices, as people get them: golden cases in tests/cases/alerts, and what holds for every text."""

import tomllib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.facts import facts_of, zone_name
from alerts.news import Change, News, news_for
from alerts.text import EXERCISE, MAX_AREAS, SHORT, Facts, Text, fit, gsm, text_for
from pantau.event import Transition
from pantau.record import LatestRecord
from pantau.registry import find
from tests.alerts.town import TOWN, Life, fresh_engine, key_of, newest

CASES = sorted((Path(__file__).parents[1] / "cases" / "alerts").glob("*.toml"))
TEXTS: dict[str, Text] = find("alerts.texts", "TEXT", Text, "language")
GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)  # 3GPP TS 23.038, the basic table
WORDS = {
    "id": {"pukul", "naik", "turun", "Kelurahan", "sebelumnya", "Darurat", "hulu", "orang"},
    "en": {"has", "risen", "fallen", "hours", "Areas", "Emergency", "upstream", "people", "at"},
}


def facts_in(language: str, case: dict[str, Any]) -> Facts:
    change = change_of(case)
    audience = str(case["audience"])
    news = news_for(change, audience)
    assert news is not None
    latest = {station: newest(station, **fields) for station, fields in dict(case.get("latest", {})).items()}
    return facts_of(news, change, audience, language, TOWN, latest, exercise=bool(case.get("exercise")))


def change_of(case: dict[str, Any]) -> Change:
    """The last change of the life that a case tells."""
    life = Life(fresh_engine(), key_of(**case["alert"]))
    for step in case["steps"]:
        if "does" in step:
            life.does(step["does"])
        elif "notes" in step:
            life.notes(step["notes"])
        else:
            given: dict[str, Any] = {name: None if value == "none" else value for name, value in step.items()}
            life.says(**given)
    life.engine.dispose()
    return life.changes[-1]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize("language", sorted(TEXTS))
def test_a_notice_reads_as_reviewed(path: Path, language: str) -> None:
    case = tomllib.loads(path.read_text(encoding="utf-8"))
    facts, text, want = facts_in(language, case), TEXTS[language], case["want"][language]
    got = {"title": text.title(facts), "text": text.text(facts), "short": text.short(facts)}
    assert got == want


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case_says_no_word_of_the_other_language(path: Path) -> None:
    wants = tomllib.loads(path.read_text(encoding="utf-8"))["want"]
    for language, want in wants.items():
        # The exercise mark is in both languages on purpose; "Siaga" is the scale's name in both.
        words = set(" ".join(want.values()).replace(EXERCISE, "").replace(".", " ").replace(",", " ").split())
        others = set().union(*(theirs for other, theirs in WORDS.items() if other != language))
        assert not words & others


def facts_strategy() -> st.SearchStrategy[Facts]:
    at = datetime(2014, 1, 29, 22, 10, tzinfo=ZoneInfo("Asia/Jakarta"))
    name = st.text(min_size=1, max_size=80)
    return st.builds(
        Facts, news=st.sampled_from(News), exercise=st.booleans(),
        hazard=st.sampled_from(["flood", "tidal", "inundation", "density", "data", "system"]),
        cause=st.sampled_from(["level", "rise", "forecast", "anomaly", "main"]), place=name, river=name, kind=name,
        unit=st.sampled_from(["cm", "persons", "mm"]), decimals=st.integers(0, 1),
        value=st.none() | st.floats(-1e5, 1e6), density=st.none() | st.floats(0, 20), before=st.integers(0, 3),
        after=st.integers(0, 3), word_before=name, word=name, siaga=st.booleans(),
        rate=st.none() | st.floats(-1e4, 1e4), trend=st.sampled_from([None, "rising", "falling", "steady"]),
        at=st.just(at), zone=st.just("WIB"), areas=st.lists(name, max_size=30).map(tuple),
        detector=st.sampled_from(["", "silent", "flatline"]), heard_at=st.none() | st.just(at), advice=st.text(),
        emergency=st.sampled_from(["", "112"]),
    )  # fmt: skip


@given(facts=facts_strategy(), language=st.sampled_from(sorted(TEXTS)))
def test_whatever_happens_a_short_text_fits_one_message(facts: Facts, language: str) -> None:
    short = TEXTS[language].short(facts)
    assert 0 < len(short) <= SHORT
    assert set(short) <= GSM


@given(facts=facts_strategy(), language=st.sampled_from(sorted(TEXTS)))
def test_everything_of_an_exercise_says_so_and_nothing_else_does(facts: Facts, language: str) -> None:
    text = TEXTS[language]
    for words in (text.title(facts), text.text(facts), text.short(facts)):
        assert words.startswith(("[LATIHAN / EXERCISE]", "LATIHAN/EXERCISE")) == facts.exercise


def test_every_news_has_words_in_every_language() -> None:
    for text in TEXTS.values():
        for news in News:
            facts = msgspec.structs.replace(facts_in("id", raise_case()), news=news)
            assert "Bendung Hulu" in text.title(facts)
            assert "Bendung Hulu" in text.text(facts)


def raise_case() -> dict[str, Any]:
    return {"alert": {"station": "hulu"}, "steps": [{"confirmed": 2}], "audience": "public"}


def test_long_lists_of_areas_are_cut_and_counted() -> None:
    facts = msgspec.structs.replace(
        facts_in("id", raise_case()), areas=tuple(f"K{n}" for n in range(MAX_AREAS + 3))
    )
    assert f"K{MAX_AREAS - 1} dan 3 lainnya." in TEXTS["id"].text(facts)
    assert f"K{MAX_AREAS - 1} and 3 others." in TEXTS["en"].text(facts)


def test_a_stale_post_upstream_is_not_said_to_be_high() -> None:
    change = lowered()
    fresh = newest("hulu", 210.0, change.transition.at, severity=2)
    old = msgspec.structs.replace(fresh, observed_at=fresh.observed_at - 31 * 60_000)
    assert "masih Siaga 2" in told(change, {"hulu": fresh})
    assert "masih" not in told(change, {"hulu": old})


def test_posts_far_upstream_count_too() -> None:
    change = lowered("hilir")
    assert "Bendung Hulu masih Siaga 1" in told(
        change, {"hulu": newest("hulu", 300.0, change.transition.at, severity=3)}
    )


def lowered(station: str = "tengah") -> Change:
    life = Life(fresh_engine(), key_of(station))
    life.says(2)
    change = life.says(1)[0]
    life.engine.dispose()
    return change


def told(change: Change, latest: dict[str, LatestRecord]) -> str:
    facts = facts_of(News.LOWERED, change, "public", "id", TOWN, latest, exercise=False)
    return TEXTS["id"].text(facts)


def test_the_trend_of_another_instant_is_not_told() -> None:
    change = change_of(raise_case())
    for at, expected in ((change.transition.at, "rising"), (change.transition.at - 1, None)):
        latest = {"hulu": newest("hulu", 200.0, at, rate=55.0)}
        facts = facts_of(News.RAISED, change, "public", "id", TOWN, latest, exercise=False)
        assert facts.trend == expected


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (ZoneInfo("Asia/Jakarta"), "WIB"), (ZoneInfo("Asia/Makassar"), "WITA"), (ZoneInfo("Asia/Jayapura"), "WIT"),
        (ZoneInfo("Asia/Kolkata"), "UTC+05:30"), (ZoneInfo("America/Caracas"), "UTC-04:00"),
        (timezone(timedelta(0)), "UTC+00:00"),
    ],
)  # fmt: skip
def test_times_name_their_zone(zone: ZoneInfo, expected: str) -> None:
    assert zone_name(datetime(2026, 1, 2, tzinfo=zone)) == expected


def test_a_language_nobody_wrote_falls_back_to_the_citys_first() -> None:
    assert text_for("jv", TOWN) is TEXTS["id"]
    assert text_for("jv", msgspec.structs.replace(TOWN, languages=("xx", "en"))) is TEXTS["en"]
    assert text_for("jv", msgspec.structs.replace(TOWN, languages=("xx",))) in TEXTS.values()


def test_signs_without_a_place_in_a_text_message_are_replaced() -> None:
    assert gsm("\N{MINUS SIGN}165 cm [x] ~ m² é") == "-165 cm (x) - m2 e"


def test_a_short_text_drops_what_does_not_fit_and_keeps_what_does() -> None:
    assert fit("must", ["a" * 200, "fits", ""]) == "must fits"
    assert len(fit("m" * 200, ["x"])) == SHORT


def test_a_word_of_an_alert_without_station_is_its_area_or_peer() -> None:
    base = change_of({"alert": {"station": "hulu"}, "steps": [{"confirmed": 2}]})
    for scope, place in (("99.01.01.1003", "Kampung C"), ("system:influxdb", "influxdb")):
        record = msgspec.structs.replace(base.record, station="", scope=scope)
        change = Change(transition_of(base, scope), record)
        assert facts_of(News.RAISED, change, "operators", "id", TOWN, {}, exercise=False).place == place


def transition_of(change: Change, scope: str) -> Transition:
    return msgspec.structs.replace(change.transition, station="", scope=scope)
