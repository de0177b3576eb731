"""DeepStream's full schema: one object a message, counted when the next frame begins."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decode import Batch, Decoder
from ingest.format import Message
from pantau.city import Binding
from pantau.reading import Origin
from tests.ingest.small_city import T0, small_city

OPTIONS: dict[str, Any] = {"sensors": {"cam-3": "monas", "cam-4": "monas/east"}}


def decoder(**options: Any) -> Decoder:
    return Decoder(small_city(Binding("ds/#", "deepstream", {**OPTIONS, **options})))


def detected(at: int, id: str, what: str = "person", sensor: str = "cam-3", **inner: Any) -> bytes:
    stamp = f"2026-01-02T03:{at // 60_000:02}:{at % 60_000 / 1000:06.3f}Z"
    return json.dumps(
        {"messageid": id, "@timestamp": stamp, "sensor": {"id": sensor}, "place": {"id": "7", "name": "north gate"},
         "analyticsModule": {"source": "PeopleNet", "version": "2.3"}, "object": {"id": "0", what: inner}}
    ).encode()  # fmt: skip


def fed(to: Decoder, *payloads: bytes, topic: str = "ds/a") -> Batch:
    return to.decode([Message(topic, payload, T0 + 3_600_000) for payload in payloads])


def counts(batch: Batch) -> list[tuple[str, int, float]]:
    return [(reading.sensor, reading.observed_at - T0, reading.value) for reading in batch.readings]


def test_a_frame_is_counted_when_the_next_one_begins() -> None:
    to = decoder()
    assert counts(fed(to, detected(0, "a"), detected(1000, "b"), detected(1000, "c"))) == []
    assert counts(fed(to, detected(2000, "d"))) == [("main", 1000, 2)]
    assert counts(fed(to, detected(3000, "e"))) == [("main", 2000, 1)]


def test_the_first_frame_after_a_start_is_left_out_for_its_beginning_may_be_missing() -> None:
    to = decoder()
    assert counts(fed(to, detected(0, "a"), detected(40, "b"), detected(80, "c"))) == [("main", 40, 1)]


def test_every_camera_has_its_own_frames_whatever_topic_they_come_on() -> None:
    to = decoder()
    fed(to, detected(0, "a"), detected(0, "b", sensor="cam-4"))
    fed(to, detected(40, "c"), detected(40, "d", sensor="cam-4"), topic="ds/b")
    batch = fed(to, detected(80, "e"), detected(90, "f", sensor="cam-4"))
    assert counts(batch) == [("main", 40, 1), ("east", 40, 1)]


def test_an_object_delivered_twice_counts_once() -> None:
    to = decoder()
    fed(to, detected(0, "a"), detected(40, "b"), detected(40, "b"), detected(40, "c"))
    assert counts(fed(to, detected(80, "d"))) == [("main", 40, 2)]


def test_a_frame_of_vehicles_only_counts_nobody() -> None:
    to = decoder()
    fed(to, detected(0, "a"), detected(40, "b", "vehicle"), detected(40, "c", "vehicle"))
    assert counts(fed(to, detected(80, "d"))) == [("main", 40, 0)]


def test_a_count_says_what_counted_and_how_sure() -> None:
    to = decoder()
    fed(to, detected(0, "a"), detected(40, "b", confidence=0.9), detected(40, "c", confidence=0.6),
        detected(40, "d", confidence=-0.1), detected(40, "e", "vehicle", confidence=0.1))  # fmt: skip
    (reading,) = fed(to, detected(80, "f")).readings
    assert reading.value == 3
    assert reading.origin == Origin("cam-3", "north gate", "PeopleNet 2.3", 0.75, 0.0)


def test_objects_stamped_one_by_one_belong_to_the_frame_of_the_first() -> None:
    to = decoder()
    fed(to, detected(0, "a"), detected(40, "b"), detected(43, "c"), detected(50, "d"))
    assert counts(fed(to, detected(80, "e"))) == [("main", 40, 3)]
    strict = decoder(frame_ms=0)
    fed(strict, detected(0, "a"))
    assert counts(fed(strict, detected(40, "b"), detected(41, "c"), detected(42, "d"))) == [
        ("main", 40, 1),
        ("main", 41, 1),
    ]


def test_an_object_of_a_frame_that_is_over_is_refused() -> None:
    to = decoder()
    fed(to, detected(0, "a"), detected(1000, "b"))
    assert [refused.code for refused in fed(to, detected(500, "c")).refused] == ["frame_over"]
    assert counts(fed(to, detected(2000, "d"))) == [("main", 1000, 1)]


def test_a_camera_whose_clock_is_set_back_is_counted_again() -> None:
    to = decoder()
    fed(to, detected(0, "a"), detected(600_000, "b"))
    assert counts(fed(to, detected(1000, "c"), detected(1040, "d"), detected(1080, "e"))) == [
        ("main", 1040, 1)
    ]


def test_a_type_beside_the_object_says_its_class_too() -> None:
    to = decoder(object=["Pedestrian"])
    payload = json.loads(detected(40, "b", "info"))
    payload["object"] |= {"type": "pedestrian", "confidence": 0.5}
    fed(to, detected(0, "a"), json.dumps(payload).encode())
    (reading,) = fed(to, detected(80, "c")).readings
    assert reading.value == 1
    assert reading.origin is not None
    assert reading.origin.confidence == 0.5


def test_a_frame_has_at_most_ten_thousand_objects() -> None:
    to = decoder()
    batch = fed(to, *(detected(0, f"{n}") for n in range(10_001)))
    assert [refused.code for refused in batch.refused] == ["too_many"]


def test_long_words_of_a_message_are_not_kept() -> None:
    to = decoder()
    assert [refused.code for refused in fed(to, detected(0, "a" * 101)).refused] == ["bad_frame"]
    payload = json.loads(detected(40, "b"))
    payload["place"]["name"] = payload["analyticsModule"]["source"] = "x" * 500_000
    fed(to, detected(0, "a"), json.dumps(payload).encode())
    (reading,) = fed(to, detected(80, "c")).readings
    assert reading.origin is not None
    assert (len(reading.origin.zone), len(reading.origin.model)) == (100, 104)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=8), st.data())
def test_frames_are_counted_right_whatever_is_delivered_twice(
    frames: list[tuple[int, bool]], data: st.DataObject
) -> None:
    to = decoder()
    sent, expected = [detected(0, "first")], []
    for n, (persons, vehicle) in enumerate(frames, 1):
        objects = [detected(n * 1000, f"{n}.{i}") for i in range(persons)]
        objects += [detected(n * 1000, f"{n}.v", "vehicle")] if vehicle or not persons else []
        again = data.draw(st.lists(st.sampled_from(objects), max_size=3))
        sent += data.draw(st.permutations(objects + again))
        expected.append(("main", n * 1000, float(persons)))
    assert counts(fed(to, *sent, detected(59_000, "last"))) == expected


@pytest.mark.parametrize("persons", [0, 1, 250])
def test_the_minimal_schema_counts_a_frame_at_once(persons: int) -> None:
    lines = [f"{n}|0|0|10|10|Person" for n in range(persons)] + ["9|0|0|10|10|Bag"]
    payload = {"@timestamp": "2026-01-02T03:00:00Z", "sensorId": "cam-3", "objects": lines}
    assert counts(fed(decoder(), json.dumps(payload).encode())) == [("main", 0, persons)]
