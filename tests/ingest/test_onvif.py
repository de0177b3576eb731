"""ONVIF: however a camera writes the same count, the same reading comes out; what is negative is kept and flagged."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decode import Batch, Decoder
from ingest.format import Message
from ingest.formats.onvif import FORMAT
from pantau.city import Binding
from pantau.reading import Origin, Reading
from tests.ingest.small_city import T0, small_city

TOPIC = "site/cam-3/onvif-ej/RuleEngine/CountAggregation/OccupancyCounter/&1/Gate"
OPTIONS: dict[str, Any] = {"prefix": "site/cam-3", "rules": {"Gate": "monas", "2/Gate": "monas/north"}}


def told(payload: bytes, topic: str = TOPIC, **options: Any) -> Batch:
    binding = Binding("#", "onvif", {**OPTIONS, **options})
    return Decoder(small_city(binding)).decode([Message(topic, payload, T0 + 1_000)])


def written(items: dict[str, Any], form: str) -> Any:
    if form == "short":
        return items
    listed = [{"Name": name, "Value": value} for name, value in items.items()]
    return {"SimpleItem": listed[0] if form == "single" and len(listed) == 1 else listed}


NUMBER = st.sampled_from([str, int, float])


@given(
    count=st.integers(-1_000, 1_000_000),
    as_count=NUMBER,
    as_video=NUMBER,
    form=st.sampled_from(["short", "items", "single"]),
    zone=st.sampled_from(["03:00:00Z", "03:00:00.000Z", "10:00:00+07:00", "03:00:00.0000000Z"]),
)
def test_however_it_is_written_it_is_the_same_reading(
    count: int, as_count: type, as_video: type, form: str, zone: str
) -> None:
    payload = {
        "UtcTime": f"2026-01-02T{zone}",
        "Source": written({"VideoSource": as_video(1), "Rule": "Gate"}, form),
        "Data": written({"Count": as_count(count)}, form),
    }
    assert told(json.dumps(payload).encode()).readings == [
        Reading("monas", "crowd_count", float(count), T0, T0 + 1_000, origin=Origin("site/cam-3/1", "Gate"))
    ]


def test_a_negative_count_is_kept_and_is_outside_the_range_of_its_kind() -> None:
    payload = b'{"UtcTime": "2026-01-02T03:00:00Z", "Source": {"Rule": "Gate"}, "Data": {"Count": "-3"}}'
    (reading,) = told(payload).readings
    assert reading.value < small_city().kinds[reading.kind].low  # so quality control flags it FAIL


@pytest.mark.parametrize(
    "topic",
    [
        "onvif-ej/RuleEngine/CountAggregation/OccupancyCounter/&1/Gate",
        "site/cam-3/x/onvif-ej/RuleEngine/CountAggregation/OccupancyCounter/&1/Gate",
        "site/cam-3/onvif-ej/RuleEngine/CountAggregation/OccupancyCounterX/&1/Gate",
        "site/cam-3/onvif-ej/RuleEngine",
        "site/cam-3/other",
    ],
)
def test_what_is_not_this_cameras_occupancy_is_ignored(topic: str) -> None:
    payload = b'{"UtcTime": "2026-01-02T03:00:00Z", "Source": {"Rule": "Gate"}, "Data": {"Count": 3}}'
    assert told(payload, topic).ignored == 1


def test_a_camera_without_a_prefix_is_heard() -> None:
    payload = b'{"UtcTime": "2026-01-02T03:00:00Z", "Source": {"Rule": "Gate"}, "Data": {"Count": 3}}'
    topic = "onvif-ej/RuleEngine/CountAggregation/OccupancyCounter/&1/Gate"
    (reading,) = told(payload, topic, prefix="").readings
    assert reading.origin == Origin("1", "Gate")


def test_all_mistakes_in_options_are_told() -> None:
    problems = FORMAT.problems(small_city(), {"prefix": "cam/#", "rules": {"Gate": "116"}, "rule": "Gate"})
    assert [text.removeprefix("format onvif") for text in problems] == [
        " has no option 'rule': use prefix, rules",
        ": prefix is needed: what stands before /onvif-ej/ in this camera's topics, found 'cam/#'",
        ": rules: 'Gate' names station '116' of kind water_level, not crowd_count",
    ]
