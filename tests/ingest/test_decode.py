"""What the decoder does beside the formats: bindings, broken formats, bounded memory, counts."""

import json
from typing import Any

import pytest
from prometheus_client import REGISTRY

from ingest.decode import Decoder, all_formats
from ingest.format import IGNORED, Ask, Decoded, Gone, Message, Opened, Reader
from pantau.city import Binding
from pantau.errors import ConfigError
from pantau.reading import Reading
from tests.ingest.small_city import T0, small_city

GOOD = json.dumps({"observed_at": T0, "value": 5}).encode()


class Scripted:
    """A format that does what a test wants."""

    name = "scripted"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def open(self, city: object, options: dict[str, Any]) -> Opened:
        return lambda _topic: self._reader

    def problems(self, city: object, options: dict[str, Any]) -> list[str]:
        return []


def decoder(reader: Reader, topic: str = "x/#") -> Decoder:
    return Decoder(small_city(Binding(topic, "scripted")), {**all_formats(), "scripted": Scripted(reader)})


def message(topic: str, payload: bytes = GOOD, **more: bool) -> Message:
    return Message(topic, payload, T0, **more)


def total(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def raising(error: BaseException) -> Reader:
    def read(_message: Message) -> Decoded:
        raise error

    return read


@pytest.mark.parametrize(
    "error", [ValueError("bad\nluck \ud800"), KeyError(3), RecursionError(), ZeroDivisionError()]
)
def test_a_format_that_raises_is_refused_with_its_error_and_the_others_go_on(error: Exception) -> None:
    batch = decoder(raising(error)).decode([message("x/1"), message("pantau/v1/contoh/rain/hujan")])
    assert [refused.code for refused in batch.refused] == ["format_error"]
    assert type(error).__name__ in batch.refused[0].reason
    assert batch.refused[0].reason.isprintable()
    assert [reading.station for reading in batch.readings] == ["hujan"]


@pytest.mark.parametrize("answer", [None, 3, ([], []), Decoded([None])])  # type: ignore[list-item]
def test_a_format_that_answers_nonsense_is_refused(answer: object) -> None:
    batch = decoder(lambda _message: answer).decode([message("x/1")])  # type: ignore[arg-type,return-value]
    assert [refused.code for refused in batch.refused] == ["format_error"]


@pytest.mark.parametrize(
    "impossible",
    [
        Reading("nowhere", "rain", 1.0, T0, T0),
        Reading("116", "rain", 1.0, T0, T0),
        Reading("hujan", "rain", float("nan"), T0, T0),
        Reading("hujan", "rain", float("inf"), T0, T0),
        Reading("hujan", "rain", "1", T0, T0),  # type: ignore[arg-type]
    ],
)
def test_an_impossible_reading_of_a_format_goes_no_further(impossible: Reading) -> None:
    batch = decoder(lambda _message: Decoded([impossible])).decode([message("x/1")])
    assert batch.readings == []
    assert [refused.code for refused in batch.refused] == ["format_error"]


def test_a_refused_message_is_handed_on_whole() -> None:
    sent = message("pantau/v1/contoh/rain/hujan", b"rubbish", retain=True)
    (refused,) = Decoder(small_city()).decode([sent]).refused
    assert refused.message is sent


def test_ignored_messages_are_counted_and_nothing_else() -> None:
    batch = decoder(lambda _message: IGNORED).decode([message("x/1"), message("x/2")])
    assert (batch.readings, batch.refused, batch.ignored) == ([], [], 2)


def test_a_topic_that_nothing_is_bound_to_is_refused() -> None:
    (refused,) = Decoder(small_city()).decode([message("somewhere/else")]).refused
    assert refused.code == "unbound_topic"


def test_the_first_binding_that_matches_decides() -> None:
    special = "pantau/v1/contoh/rain/hujan"
    here = Reading("hujan", "rain", 9.0, T0, T0)
    batch = decoder(lambda _message: Decoded([here]), special).decode([message(special)])
    assert batch.readings == [here]


def test_it_asks_for_every_kind_and_never_for_what_pantau_publishes() -> None:
    native = Binding("pantau/v1/contoh/+/+", "native")
    frigate = Binding("frigate/+/person", "frigate", {"zones": {"alun": "monas"}})
    assert Decoder(small_city(native, frigate)).filters == (
        "frigate/+/person",
        "pantau/v1/contoh/crowd_count/#",
        "pantau/v1/contoh/rain/#",
        "pantau/v1/contoh/water_level/#",
    )


def test_all_mistakes_in_bindings_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Decoder(
            small_city(
                Binding("a/#", "morse"),
                Binding("b/#", "native", {"zones": {}}),
                Binding("c/#", "frigate", {"zones": {"x": "nowhere", "y": "116"}, "objects": "person"}),
                Binding("d/#", "frigate"),
            )
        )
    assert [line.split(": ", 3)[3] for line in caught.value.problems] == [
        f"format 'morse' is none of {', '.join(all_formats())}",
        "format native has no options, found zones: remove them",
        (
            "format frigate has no option 'objects': "
            "use zones, object, prefix, cameras, source, without, forget_s, learn_s"
        ),
        "format frigate: zones: 'x' names station 'nowhere', which is not in stations.csv",
        "format frigate: zones: 'y' names station '116' of kind water_level, not crowd_count",
        'format frigate: zones is needed: {their_name = "station-id" or "station-id/sensor"}, found None',
    ]


def test_topics_of_unknown_stations_cost_no_memory() -> None:
    one = Decoder(small_city())
    one.decode([message(f"pantau/v1/contoh/rain/{n}") for n in range(1000)])
    assert one._routes == {}
    one.decode([message("pantau/v1/contoh/rain/hujan")])
    assert set(one._routes) == {"pantau/v1/contoh/rain/hujan"}


def test_invented_sensors_of_a_known_station_cost_bounded_memory() -> None:
    one = Decoder(small_city(), most_topics=50)
    batch = one.decode([message(f"pantau/v1/contoh/rain/hujan/{n}") for n in range(120)])
    assert len(batch.readings) == 120
    assert len(one._routes) <= 50


def test_frigate_takes_another_object_and_prefix() -> None:
    options = {"zones": {"alun": "monas"}, "object": "car", "prefix": "site/frigate"}
    one = Decoder(small_city(Binding("site/frigate/#", "frigate", options)))
    batch = one.decode([message("site/frigate/alun/car", b"4"), message("site/frigate/alun/person", b"5")])
    assert [reading.value for reading in batch.readings] == [4.0]
    assert batch.ignored == 1


def test_what_is_decoded_is_counted_by_format_kind_and_code() -> None:
    names = [
        ("pantau_messages_total", {"format": "native"}),
        ("pantau_readings_total", {"kind": "rain"}),
        ("pantau_refused_total", {"code": "wrong_unit"}),
    ]
    before = [total(name, **labels) for name, labels in names]
    items = [{"observed_at": T0 + n, "value": n, **({"unit": "ell"} if n == 2 else {})} for n in range(5)]
    Decoder(small_city()).decode([message("pantau/v1/contoh/rain/hujan", json.dumps(items).encode())])
    assert [total(name, **labels) - was for (name, labels), was in zip(names, before, strict=True)] == [
        1,
        4,
        1,
    ]


def test_a_long_array_is_taken_and_a_longer_one_is_not() -> None:
    topic = "pantau/v1/contoh/rain/hujan"
    items = [{"observed_at": T0 + n, "value": 1} for n in range(10_001)]
    batch = Decoder(small_city()).decode([message(topic, json.dumps(items[:-1]).encode())])
    assert (len(batch.readings), batch.refused) == (10_000, [])
    batch = Decoder(small_city()).decode([message(topic, json.dumps(items).encode())])
    assert (batch.readings, [refused.code for refused in batch.refused]) == ([], ["too_many"])


def test_a_payload_that_is_too_large_is_refused_unread() -> None:
    (refused,) = (
        Decoder(small_city())
        .decode([message("pantau/v1/contoh/rain/hujan", GOOD + b" " * 2_000_000)])
        .refused
    )
    assert refused.code == "too_large"


def test_a_megabyte_of_rubbish_is_refused_with_a_short_reason() -> None:
    (refused,) = (
        Decoder(small_city()).decode([message("pantau/v1/contoh/rain/hujan", b"\xfe" * 1_000_000)]).refused
    )
    assert refused.code == "not_json"
    assert len(refused.reason) < 400


def test_what_a_gateway_says_beside_readings_is_handed_on() -> None:
    gone, ask = Gone("116", "main", T0, "the gateway died"), Ask("x/NCMD/1", b"rebirth")
    batch = decoder(lambda _message: Decoded((), gone=(gone,), asks=(ask,))).decode([message("x/1")])
    assert (batch.gone, batch.asks, batch.ignored) == ([gone], [ask], 0)


def test_a_format_is_opened_once_a_binding() -> None:
    opened: list[object] = []

    class Counting(Scripted):
        def open(self, city: object, options: dict[str, Any]) -> Opened:
            opened.append(city)
            return super().open(city, options)

    counting = Counting(lambda _message: IGNORED)
    two = Decoder(small_city(Binding("x/#", "scripted")), {**all_formats(), "scripted": counting})
    two.decode([message("x/1"), message("x/2"), message("x/1")])
    assert len(opened) == 1
