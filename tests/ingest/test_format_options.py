"""What a binding's options may say, format by format: mistakes are told at start, each in one line."""

import json
from typing import Any

import pytest

from ingest.decode import Decoder, all_formats
from ingest.format import Message
from ingest.targets import Target, mapping_problems, target, target_problem
from ingest.units import converted
from pantau.city import Binding
from pantau.errors import ConfigError, RefusedMessage
from tests.ingest.small_city import T0, small_city

CITY = small_city()
GOOD: dict[str, list[dict[str, Any]]] = {
    "senml": [
        {"names": {"urn:a": "116", "*:b": "hujan/second"}},
        {"names": {"*": "{station}/x"}, "topic": "senml/{station}/+"},
    ],
    "tts": [
        {"devices": {"a": "116"}, "value": "x", "unit": "mm", "time": "t.u", "ports": [1, 2]},
        {"devices": {"a": {"x.y": "116", "z": "hujan"}}, "unit": {"x.y": "mm"}},
    ],
    "posko_banjir": [{"posts": {"116": "116", "XY": "rob-1/new"}, "timezone": "Asia/Makassar"}],
    "deepstream": [
        {"sensors": {"c": "monas"}},
        {"sensors": {"c": "monas"}, "object": ["a", "b"], "frame_ms": 0},
    ],
}
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("senml", {"names": {}}, "is needed"),
    ("senml", {"names": ["116"]}, "is needed"),
    ("senml", {"names": {"a": "117"}}, "names station '117', which is not in stations.csv"),
    ("senml", {"names": {"a": 116}}, "found 116"),
    ("senml", {"names": {"a": "116/"}}, "1 to 100 printable characters"),
    ("senml", {"names": {"a": "116/\n"}}, "1 to 100 printable characters"),
    ("senml", {"names": {"a*": "116"}}, "only stand at the beginning"),
    ("senml", {"names": {"a": "{station}"}}, "needs topic"),
    ("senml", {"names": {"a": "116"}, "topic": "senml/+"}, "expected one level {station}"),
    ("senml", {"names": {"a": "116"}, "topic": 1}, "expected one level {station}"),
    ("tts", {"devices": {}}, "devices is needed"),
    ("tts", {"devices": {"a": "116"}}, "value"),
    ("tts", {"devices": {"a": "117"}, "value": "x"}, "not in stations.csv"),
    ("tts", {"devices": {"a": {}}}, "is needed"),
    ("tts", {"devices": {"a": {"x..y": "116"}}}, "no key of a decoded payload"),
    ("tts", {"devices": {"a": {"x": "117"}}}, "not in stations.csv"),
    ("tts", {"devices": {"a": "116"}, "value": ""}, "expected a key"),
    ("tts", {"devices": {"a": "116"}, "value": "x", "time": 3}, "expected a key"),
    (
        "tts",
        {"devices": {"a": "116"}, "value": "x", "unit": "inch"},
        "unit 'inch' of 'x': expected cm, mm, m",
    ),
    ("tts", {"devices": {"a": "116"}, "value": "x", "ports": 2}, "expected a list of numbers"),
    ("tts", {"devices": {"a": "116"}, "value": "x", "ports": []}, "expected a list of numbers"),
    ("posko_banjir", {}, "is needed"),
    ("posko_banjir", {"posts": {"1": "hujan"}}, "of kind rain, not water_level"),
    ("posko_banjir", {"posts": {"1": "116", "2": "116/new"}}, "each has its own zero"),
    ("posko_banjir", {"posts": {"1": "116"}, "timezone": "Mars/Base"}, "expected a name such as"),
    ("posko_banjir", {"posts": {"1": "116"}, "timezone": ""}, "expected a name such as"),
    ("posko_banjir", {"posts": {"1": "116"}, "timezone": "/etc"}, "expected a name such as"),
    ("deepstream", {}, "is needed"),
    ("deepstream", {"sensors": {"c": "116"}}, "of kind water_level, not crowd_count"),
    ("deepstream", {"sensors": {"c": "monas"}, "object": []}, "expected a class"),
    ("deepstream", {"sensors": {"c": "monas"}, "object": 3}, "expected a class"),
    ("deepstream", {"sensors": {"c": "monas"}, "frame_ms": -1}, "0 to 1000"),
]


@pytest.mark.parametrize(("name", "options"), [(name, options) for name in GOOD for options in GOOD[name]])
def test_good_options_are_taken(name: str, options: dict[str, Any]) -> None:
    assert all_formats()[name].problems(CITY, options) == []
    Decoder(small_city(Binding("x/#", name, options)))


@pytest.mark.parametrize(("name", "options", "text"), BAD)
def test_bad_options_are_told_at_start(name: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as told:
        Decoder(small_city(Binding("x/#", name, options)))
    assert any(text in problem for problem in told.value.problems)
    assert all("\n" not in problem for problem in told.value.problems)


def test_several_mistakes_are_told_together() -> None:
    problems = all_formats()["deepstream"].problems(CITY, {"sensor": 1, "frame_ms": "x", "object": ""})
    assert len(problems) == 4


def test_a_target_without_a_sensor_is_the_main_one() -> None:
    kind = CITY.kinds["water_level"]
    assert target(CITY, "116") == Target("116", "main", kind)
    assert target(CITY, "116/old/1") == Target("116", "old/1", kind)
    with pytest.raises(RefusedMessage, match="unknown_station"):
        target(CITY, "117")


def test_a_target_of_another_kind_is_a_problem_only_when_the_kind_matters() -> None:
    assert target_problem(CITY, "hujan") is None
    assert target_problem(CITY, "hujan", "rain") is None
    assert "of kind rain" in (target_problem(CITY, "hujan", "water_level") or "")
    assert mapping_problems(CITY, "x", {"a": "hujan", "b": "?"}, "rain") == [
        "x: 'b' names station '?', which is not in stations.csv"
    ]


def test_a_limit_lies_exactly_where_the_converted_value_does() -> None:
    kind = CITY.kinds["water_level"]
    assert converted(2.01, "m", kind) == 201.0
    assert converted(-1650, "mm", kind) == -165.0
    with pytest.raises(RefusedMessage, match="wrong_unit"):
        converted(1, "inch", kind)
    with pytest.raises(RefusedMessage, match="bad_value"):
        converted(1e307, "m", kind)


@pytest.mark.parametrize("topic", ["senml/116", "senml/116/up/more", "other/116/up"])
def test_a_topic_that_does_not_fit_the_template_is_refused(topic: str) -> None:
    options = {"names": {"*": "{station}"}, "topic": "senml/{station}/+"}
    batch = Decoder(small_city(Binding("#", "senml", options))).decode([Message(topic, b"[]", T0)])
    assert [refused.code for refused in batch.refused] == ["bad_topic"]


def test_the_longest_ending_decides_and_an_exact_name_before_it() -> None:
    options = {"names": {"*level": "116/any", "*:level": "116/colon", "urn:level": "116/exact"}}
    decoder = Decoder(small_city(Binding("s", "senml", options)))
    pack = [{"n": name, "v": 1} for name in ("urn:level", "x:level", "xlevel", "level")]
    batch = decoder.decode([Message("s", json.dumps(pack).encode(), T0)])
    assert [reading.sensor for reading in batch.readings] == ["exact", "colon", "any", "any"]
