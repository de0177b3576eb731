"""Frigate over several messages: who is where by its events, what is repeated or late, and when it is away."""

import json
from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.decode import Batch, Decoder
from ingest.format import Message
from ingest.formats.frigate import FORMAT
from ingest.sightings import MOST_OBJECTS, Sighting, Sightings
from pantau.city import Binding
from pantau.reading import Origin
from tests.ingest.small_city import T0, small_city

ZONES = {"alun": "monas", "gate": "monas/gate"}


def decoder(**options: Any) -> Decoder:
    return Decoder(small_city(Binding("frigate/#", "frigate", {"zones": ZONES, **options})))


def events(**options: Any) -> Decoder:
    return decoder(source="events", **{"learn_s": 0, **options})


def event(name: str, at: int, *zones: str, kind: str = "update", **more: Any) -> bytes:
    after = {
        "id": name,
        "camera": "cam",
        "label": "person",
        "frame_time": at / 1000,
        "end_time": at / 1000 if kind == "end" else None,
        "score": 0.8,
        "current_zones": list(zones),
    }
    return json.dumps({"type": kind, "before": {}, "after": {**after, **more}}).encode()


def told(
    one: Decoder, payload: bytes, at: int, *, retain: bool = False, topic: str = "frigate/events"
) -> Batch:
    return one.decode([Message(topic, payload, at, retain)])


def counts(batch: Batch) -> list[tuple[str, float]]:
    return [(reading.sensor, reading.value) for reading in batch.readings]


def test_people_are_counted_where_they_are() -> None:
    one = events()
    assert counts(told(one, event("a", T0, "alun"), T0)) == [("main", 1.0)]
    assert counts(told(one, event("b", T0 + 1_000, "alun", "gate"), T0)) == [("main", 2.0), ("gate", 1.0)]
    assert counts(told(one, event("a", T0 + 2_000, "gate"), T0)) == [("main", 1.0), ("gate", 2.0)]
    assert counts(told(one, event("b", T0 + 3_000, "gate", kind="end"), T0)) == [("main", 0.0), ("gate", 1.0)]


def test_a_count_has_the_cameras_time_and_the_mean_score() -> None:
    one = events()
    told(one, event("a", T0, "alun", score=0.6), T0 + 500)
    (reading,) = told(one, event("b", T0 + 1_000, "alun", score=0.9), T0 + 1_500).readings
    assert (reading.observed_at, reading.received_at, reading.time_source) == (
        T0 + 1_000,
        T0 + 1_500,
        "device",
    )
    assert reading.origin == Origin("cam", "alun", "frigate", 0.75)


def test_two_who_come_in_one_frame_are_two_readings_with_two_times() -> None:
    one = events()
    first = told(one, event("a", T0, "alun"), T0).readings
    second = told(one, event("b", T0, "alun"), T0).readings
    assert [(reading.value, reading.observed_at) for reading in first + second] == [(1.0, T0), (2.0, T0 + 1)]


def test_a_clock_that_was_ahead_does_not_drag_later_counts_along() -> None:
    one = events()
    told(one, event("a", T0 + 3_600_000, "alun"), T0)
    (reading,) = told(one, event("b", T0 + 1_000, "alun"), T0 + 1_000).readings
    assert reading.observed_at == T0 + 1_000


def test_an_event_that_is_delivered_again_or_late_gives_nothing() -> None:
    one = events()
    told(one, event("a", T0, "alun"), T0)
    told(one, event("a", T0 + 1_000, "gate"), T0)
    for payload in (event("a", T0 + 1_000, "gate"), event("a", T0, "alun")):
        assert told(one, payload, T0).ignored == 1
    told(one, event("a", T0 + 2_000, "gate", kind="end"), T0)
    assert told(one, event("a", T0 + 1_000, "gate"), T0).ignored == 1
    assert counts(told(one, event("b", T0 + 3_000, "gate"), T0)) == [("gate", 1.0)]


def test_who_is_not_heard_of_for_long_is_gone() -> None:
    one = events(forget_s=60)
    told(one, event("a", T0, "alun"), T0)
    told(one, event("b", T0 + 30_000, "alun"), T0 + 30_000)
    assert counts(told(one, event("c", T0 + 61_000, "alun"), T0 + 61_000)) == [("main", 2.0)]


def test_nothing_is_told_until_everybody_has_been_heard_of() -> None:
    one = events(learn_s=90)
    assert told(one, event("a", T0, "alun"), T0).ignored == 1
    assert told(one, event("b", T0 + 60_000, "alun"), T0 + 60_000).ignored == 1
    assert counts(told(one, event("c", T0 + 90_000, "alun"), T0 + 90_000)) == [("main", 3.0)]


def test_stationary_people_are_people_unless_the_operator_says_otherwise() -> None:
    still = event("a", T0, "alun", stationary=True)
    assert counts(told(events(), still, T0)) == [("main", 1.0)]
    one = events(without=["stationary", "false_positive"])
    assert told(one, still, T0).ignored == 1
    told(one, event("a", T0 + 1_000, "alun"), T0)
    assert counts(told(one, event("a", T0 + 2_000, "alun", stationary=True), T0)) == [("main", 0.0)]


def test_a_false_positive_counts_only_when_it_is_wanted() -> None:
    ghost = event("a", T0, "alun", false_positive=True)
    assert told(events(), ghost, T0).ignored == 1
    assert counts(told(events(without=[]), ghost, T0)) == [("main", 1.0)]


def test_frigate_that_goes_away_is_the_silence_of_all_its_zones() -> None:
    batch = told(decoder(), b"offline", T0, topic="frigate/available")
    assert [(gone.station, gone.sensor, gone.at) for gone in batch.gone] == [
        ("monas", "main", T0),
        ("monas", "gate", T0),
    ]
    assert told(decoder(), b"online", T0, topic="frigate/available").ignored == 1


def test_a_camera_that_goes_away_is_the_silence_of_what_it_sees() -> None:
    one = decoder(cameras={"east": ["alun"]})
    for word in (b"offline", b"disabled"):
        batch = told(one, word, T0, topic="frigate/east/status/detect")
        assert [(gone.station, gone.sensor) for gone in batch.gone] == [("monas", "main")]
        assert word.decode() in batch.gone[0].reason
    assert told(one, b"offline", T0, topic="frigate/west/status/detect").ignored == 1
    assert told(one, b"offline", T0, topic="frigate/gate/status/detect").gone[0].sensor == "gate"


def test_a_frigate_that_starts_again_follows_nobody_but_one_the_broker_remembers_does() -> None:
    for retain, expected in ((True, 2.0), (False, 1.0)):
        one = events()
        told(one, event("a", T0, "alun"), T0)
        told(one, b"online", T0, topic="frigate/available", retain=retain)
        assert counts(told(one, event("b", T0 + 1_000, "alun"), T0)) == [("main", expected)]


def test_bare_counts_stay_what_they_were_and_say_where_they_were_made() -> None:
    (reading,) = told(decoder(), b"3", T0, topic="frigate/alun/person").readings
    assert (reading.value, reading.time_source, reading.origin) == (
        3.0,
        "received",
        Origin(zone="alun", model="frigate"),
    )
    assert told(decoder(), event("a", T0, "alun"), T0).ignored == 1


def test_objects_without_end_fill_no_memory() -> None:
    sightings = Sightings(300_000, 0)
    for n in range(MOST_OBJECTS + 500):
        sightings.note(str(n), Sighting(frozenset({"alun"}), T0 + n, T0, 0.5))
    assert sightings.count("alun", T0, T0)[0] == len(sightings._objects) == MOST_OBJECTS


def test_all_mistakes_in_options_are_told() -> None:
    problems = FORMAT.problems(
        small_city(),
        {
            "zones": ZONES,
            "object": "",
            "cameras": {"east": ["nowhere"]},
            "source": "video",
            "without": ["rain"],
            "forget_s": -1,
            "learn_s": True,
        },
    )
    assert [text.removeprefix("format frigate: ") for text in problems] == [
        "object must be a word, found ''",
        "cameras: 'east' names zone 'nowhere', which is not in zones",
        "source must be one of counts, events, found 'video'",
        "without must be a list of false_positive, stationary, found ['rain']",
        "forget_s must be 0 to 864000 seconds, found -1",
        "learn_s must be 0 to 864000 seconds, found True",
    ]
    assert FORMAT.problems(small_city(), {"zones": ZONES, "cameras": 3})[0].endswith("found 3")


@settings(max_examples=200)
@given(data=st.data())
def test_any_life_of_a_square_gives_the_count_of_those_who_are_there(data: st.DataObject) -> None:
    """Each person's newest news counts, however often and late the older ones come again."""
    one = events()
    sent: list[tuple[str, int, tuple[str, ...], bool, bytes]] = []
    newest: dict[str, tuple[int, tuple[str, ...]]] = {}
    ended: set[str] = set()
    last: dict[str, int] = defaultdict(int)
    for step in range(data.draw(st.integers(1, 40))):
        again = data.draw(st.booleans())
        if sent and again:
            name, at, zones, end, payload = data.draw(st.sampled_from(sent))
        else:
            alive = sorted({"a", "b", "c", "d"} - ended)
            if not alive:
                break
            name = data.draw(st.sampled_from(alive))
            at = T0 + step * 100
            zones = tuple(data.draw(st.sets(st.sampled_from(["alun", "gate", "street"]))))
            end = data.draw(st.integers(0, 9)) == 0
            payload = event(name, at, *zones, kind="end" if end else "update")
            sent.append((name, at, zones, end, payload))
            ended |= {name} if end else set()
        news = at > newest.get(name, (0, ()))[0]
        if news:
            newest[name] = (at, () if end else zones)
        batch = told(one, payload, T0)
        assert news or not batch.readings
        for reading in batch.readings:
            zone = "gate" if reading.sensor == "gate" else "alun"
            assert reading.value == sum(zone in there for _, there in newest.values())
            assert reading.observed_at > last[zone]
            last[zone] = reading.observed_at
