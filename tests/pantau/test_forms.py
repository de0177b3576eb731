"""What everybody outside sees of a station and of an alert."""

import re
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pantau.city import City
from pantau.forms import (
    alert_properties,
    chosen_record,
    density_level,
    number_text,
    public_part,
    rfc3339,
    stale_at,
    station_properties,
)
from pantau.record import LatestRecord
from tests.status.sample import KATULAMPA, MIN, NOW, alert, latest, load_city

CITY: City = load_city()
STATION = CITY.stations[KATULAMPA]
KEYS = {
    "id", "name", "kind", "post", "river", "area", "value", "unit", "observed_at", "age_s", "flag", "flag_reason",
    "siaga", "severity", "label", "trend", "rate", "stale", "state",
}  # fmt: skip


def shown(*records: LatestRecord, **more: Any) -> dict[str, Any]:
    return station_properties(STATION, records, CITY, NOW, **more)


def test_a_station_has_exactly_the_properties_of_the_contract() -> None:
    assert set(shown(latest(KATULAMPA, 160))) == KEYS
    crowd = CITY.stations["crowd-monas"]
    properties = station_properties(crowd, [latest(crowd.id, 100, kind="crowd_count")], CITY, NOW)
    assert set(properties) == KEYS | {"density_per_m2", "level"}
    assert shown(exercise=True)["exercise"] is True


def test_an_ordinary_station_says_value_siaga_words_and_age() -> None:
    properties = shown(latest(KATULAMPA, 160, severity=2, rate=42.56))
    assert properties["value"] == 160
    assert properties["unit"] == "cm"
    assert (properties["severity"], properties["siaga"]) == (2, 2)
    assert properties["label"] == {"id": "Siaga", "en": "Warning"}
    assert properties["observed_at"] == "2014-01-29T15:25:00.000Z"
    assert properties["age_s"] == 300
    assert (properties["trend"], properties["rate"]) == ("rising", 42.6)
    assert (properties["state"], properties["stale"]) == ("ok", False)


def test_the_age_is_the_age_at_as_of_and_never_negative() -> None:
    assert shown(latest(KATULAMPA, 1, age_min=-1))["age_s"] == 0
    assert shown(latest(KATULAMPA, 1, age_min=2))["age_s"] == 120


def test_a_stale_value_stays_shown_but_has_no_siaga() -> None:
    cadence = STATION.cadence_ms / MIN
    current, stale = (
        shown(latest(KATULAMPA, 160, age_min=3 * cadence + late, severity=2)) for late in (0, 0.001)
    )
    assert (current["state"], current["siaga"]) == ("ok", 2)
    assert (stale["state"], stale["stale"], stale["siaga"], stale["severity"]) == ("stale", True, None, None)
    assert stale["value"] == 160
    assert stale["label"] is stale["trend"] is stale["rate"] is None


def test_a_station_that_never_reported_has_no_value() -> None:
    properties = shown()
    assert properties["state"] == "never_reported"
    assert properties["flag"] == 9
    assert (
        properties["value"]
        is properties["observed_at"]
        is properties["age_s"]
        is properties["severity"]
        is None
    )
    assert properties["stale"] is False


@pytest.mark.parametrize("records", [[], [latest(KATULAMPA, 1)], [latest(KATULAMPA, 1, age_min=500)]])
def test_out_of_service_wins_over_every_other_state(records: list[LatestRecord]) -> None:
    properties = shown(*records, out_of_service="")
    assert properties["state"] == "out_of_service"
    assert properties["severity"] is properties["siaga"] is properties["label"] is None


def test_a_pending_jump_from_normal_is_suspect_and_never_normal() -> None:
    properties = shown(latest(KATULAMPA, 210, tentative=3, severity=0, flag=3))
    assert (properties["state"], properties["siaga"], properties["severity"]) == ("suspect", None, None)


def test_a_pending_jump_above_a_confirmed_level_keeps_the_confirmed_one() -> None:
    properties = shown(latest(KATULAMPA, 210, tentative=3, severity=1))
    assert (properties["state"], properties["severity"], properties["siaga"]) == ("suspect", 1, 3)


def test_a_failed_value_has_no_severity() -> None:
    properties = shown(latest(KATULAMPA, 99_999, flag=4, reason="outside", severity=2))
    assert (properties["state"], properties["severity"], properties["flag_reason"]) == (
        "suspect",
        None,
        "outside",
    )
    assert properties["trend"] is None


def test_a_suspect_value_keeps_its_severity_and_says_so() -> None:
    properties = shown(latest(KATULAMPA, 160, flag=3, severity=2))
    assert (properties["state"], properties["severity"]) == ("suspect", 2)


def test_a_station_without_ladder_has_a_value_and_no_siaga() -> None:
    properties = shown(latest(KATULAMPA, 160, severity=None))
    assert (properties["state"], properties["siaga"], properties["label"]) == ("ok", None, None)


def test_a_count_has_a_severity_but_no_siaga() -> None:
    crowd = CITY.stations["crowd-monas"]
    record = latest(crowd.id, 214_000, kind="crowd_count", severity=1, age_min=1)
    properties = station_properties(crowd, [record], CITY, NOW)
    assert (properties["severity"], properties["siaga"]) == (1, None)
    assert properties["density_per_m2"] == 3.567
    assert properties["level"] == "D"


@pytest.mark.parametrize(
    ("rate", "trend"), [(2.0, "steady"), (2.1, "rising"), (-2.0, "steady"), (-2.1, "falling"), (None, None)]
)
def test_trend_follows_what_the_kind_calls_steady(rate: float | None, trend: str | None) -> None:
    assert shown(latest(KATULAMPA, 1, rate=rate))["trend"] == trend


def test_the_value_is_that_of_main_else_of_the_first_by_name() -> None:
    main, radar, a = (
        latest(KATULAMPA, value, sensor=name) for value, name in ((1, "main"), (2, "radar"), (3, "a"))
    )
    assert shown(radar, a, main)["value"] == 1
    assert shown(radar, a)["value"] == 3


def test_a_dead_or_failed_main_gives_way_to_a_sensor_that_works() -> None:
    radar = latest(KATULAMPA, 210, sensor="radar", severity=3)
    for broken in (latest(KATULAMPA, 1, age_min=600), latest(KATULAMPA, 1, flag=4)):
        properties = shown(broken, radar)
        assert (properties["value"], properties["severity"], properties["state"]) == (210, 3, "ok")


def test_the_worst_sensor_decides_the_severity_and_stale_ones_do_not_speak() -> None:
    main = latest(KATULAMPA, 90, severity=1)
    worse = latest(KATULAMPA, 160, sensor="b", severity=2)
    assert shown(main, worse)["severity"] == 2
    assert shown(main, latest(KATULAMPA, 210, sensor="c", severity=3, age_min=600))["severity"] == 1
    assert shown(latest(KATULAMPA, 20), latest(KATULAMPA, 210, sensor="b", tentative=3))["severity"] is None


@given(
    value=st.floats(-1e6, 1e6),
    age=st.integers(-200 * MIN, 2000 * MIN),
    flag=st.sampled_from([1, 2, 3, 4]),
    severity=st.sampled_from([None, 0, 1, 2, 3]),
    tentative=st.integers(0, 3),
    rate=st.none() | st.floats(-1e4, 1e4),
)
def test_whatever_is_stale_pending_or_failed_is_never_normal(
    value: float, age: int, flag: int, severity: int | None, tentative: int, rate: float | None
) -> None:
    record = latest(KATULAMPA, value, flag=flag, severity=severity, tentative=tentative, rate=rate)
    record.observed_at = NOW - age
    properties = shown(record)
    msgspec.json.encode(properties)
    if properties["severity"] == 0:
        assert age <= 3 * STATION.cadence_ms
        assert tentative == 0
        assert flag != 4
    assert properties["siaga"] == (None if properties["severity"] is None else 4 - properties["severity"])
    assert properties["stale"] == (stale_at(STATION, record.observed_at) < NOW)


def test_no_record_is_chosen_of_none() -> None:
    assert chosen_record(STATION, [], NOW) is None


@given(st.integers(0, 253_402_300_799_999))
def test_rfc3339_keeps_every_millisecond(at: int) -> None:
    text = rfc3339(at)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert round(datetime.fromisoformat(text).timestamp() * 1000) == at


@pytest.mark.parametrize(
    ("density", "letter"),
    [(0, "A"), (0.83, "A"), (0.9, "B"), (1.5, "C"), (3.6, "D"), (5.3, "E"), (5.31, "F")],
)
def test_density_levels_are_fruins_for_standing_crowds(density: float, letter: str) -> None:
    assert density_level(density) == letter


@pytest.mark.parametrize(
    ("value", "decimals", "language", "text"),
    [
        (1234.56, 1, "en", "1,234.6"),
        (1234.56, 1, "id", "1.234,6"),
        (-44, 0, "id", "\N{MINUS SIGN}44"),
        (-0.2, 0, "en", "0"),
        (42.5, 0, "id", "43"),
        (-0.5, 0, "en", "\N{MINUS SIGN}1"),
        (1e300, 0, "en", "1e+300"),
    ],
)
def test_numbers_are_written_as_the_language_does(
    value: float, decimals: int, language: str, text: str
) -> None:
    assert number_text(value, decimals, language) == text


def test_an_alert_has_exactly_the_properties_of_the_contract() -> None:
    form = alert_properties(alert("x", KATULAMPA, 2, value=160.0, areas=("31.74.09.1002",)), CITY)
    assert set(form) == {
        "id", "hazard", "cause", "station", "area", "areas", "state", "confirmed", "forecast", "severity", "siaga",
        "value", "raised_at", "changed_at", "acknowledged_at", "closed_at", "headline", "exercise",
    }  # fmt: skip
    assert (form["station"], form["area"], form["areas"]) == (KATULAMPA, None, ["31.74.09.1002"])
    assert (form["severity"], form["siaga"], form["exercise"]) == (2, 2, False)


@pytest.mark.parametrize(
    ("more", "indonesian", "english"),
    [
        ({}, "{} Siaga 2 (Siaga): 160 cm", "{} Siaga 2 (Warning): 160 cm"),
        ({"confirmed": False}, "{} Siaga 2 (Siaga): 160 cm (belum terkonfirmasi)",
         "{} Siaga 2 (Warning): 160 cm (unconfirmed)"),
        ({"cause": "forecast"}, "{} diperkirakan Siaga 2 (Siaga), kini 160 cm",
         "{} forecast Siaga 2 (Warning), now 160 cm"),
        ({"hazard": "data", "cause": "drift"}, "{}: data tidak lagi seperti yang dipelajari model",
         "{}: data no longer like what its model has learnt"),
        ({"hazard": "data", "cause": "neighbour", "severity": 0}, "{}: cocok lagi dengan pos tetangga",
         "{}: fits its neighbours again"),
        ({"hazard": "data", "cause": "rise"}, "{}: gangguan data (sensor rise)", "{}: data fault (sensor rise)"),
        ({"cause": "forecast", "severity": 0}, "{}: prakiraan berakhir", "{}: forecast ended"),
        ({"cause": "rise"}, "{} naik cepat: Siaga, 160 cm", "{} rising fast: Warning, 160 cm"),
        ({"hazard": "data", "cause": "main"}, "{}: gangguan data (sensor main)", "{}: data fault (sensor main)"),
        ({"severity": 0, "worst": 2}, "{} Siaga 2 (Siaga): peringatan berakhir", "{} Siaga 2 (Warning): alert ended"),
        ({"severity": 0, "worst": 0, "confirmed": False}, "{}: peringatan berakhir (tidak pernah terkonfirmasi)",
         "{}: alert ended (never confirmed)"),
        ({"severity": 0, "worst": 0}, "{}: peringatan berakhir", "{}: alert ended"),
        ({"severity": 0, "worst": 1, "cause": "rise"}, "{} naik cepat: Waspada, peringatan berakhir",
         "{} rising fast: Watch, alert ended"),
        ({"severity": 0, "worst": 0, "cause": "rise", "confirmed": False},
         "{} naik cepat: peringatan berakhir (tidak pernah terkonfirmasi)",
         "{} rising fast: alert ended (never confirmed)"),
        ({"severity": 0, "worst": 3, "cause": "forecast"}, "{}: prakiraan berakhir", "{}: forecast ended"),
        ({"severity": 0, "hazard": "data", "cause": "main"}, "{}: data pulih (sensor main)",
         "{}: data back (sensor main)"),
    ],
)  # fmt: skip
def test_headlines(more: dict[str, Any], indonesian: str, english: str) -> None:
    rest = {key: value for key, value in more.items() if key != "severity"}
    record = alert("x", KATULAMPA, more.get("severity", 2), value=160.0, **rest)
    headline = alert_properties(record, CITY)["headline"]
    assert headline == {"id": indonesian.format(STATION.name), "en": english.format(STATION.name)}


def test_only_levels_of_water_have_a_siaga() -> None:
    crowd = alert("x", "crowd-monas", 2, hazard="density", value=5200.0)
    assert alert_properties(crowd, CITY)["siaga"] is None
    assert alert_properties(crowd, CITY)["headline"]["id"].endswith(": Siaga, jumlah orang 5.200")
    assert alert_properties(alert("x", KATULAMPA, 1, cause="rise"), CITY)["siaga"] is None
    system = alert("x", "", 1, hazard="system", scope="system:influxdb", cause="")
    assert alert_properties(system, CITY)["station"] is None
    assert alert_properties(system, CITY)["headline"]["en"] == "System: influxdb impaired"


def test_an_alert_about_an_area_names_its_code() -> None:
    form = alert_properties(
        alert("x", "", 1, scope="31.74.09.1002", hazard="inundation", cause="report"), CITY
    )
    assert (form["area"], form["station"], form["siaga"]) == ("31.74.09.1002", None, None)
    assert form["headline"]["id"].startswith(CITY.areas["31.74.09.1002"].name)


def test_the_public_sees_only_what_was_confirmed() -> None:
    pending = alert("x", KATULAMPA, 3, confirmed=False, confirmed_severity=0, worst=0)
    assert public_part(pending) is None
    raised_again = public_part(alert("x", KATULAMPA, 3, confirmed=False, confirmed_severity=1, worst=1))
    assert raised_again is not None
    assert (raised_again.severity, raised_again.confirmed) == (1, True)
    assert public_part(alert("x", KATULAMPA, 0, closed_at=NOW, worst=0)) is None
    assert public_part(alert("x", KATULAMPA, 0, closed_at=NOW, worst=2)) is not None
