"""What formats know of former messages outlives a kill anywhere: the same readings as without it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.decode import Decoder, all_formats
from ingest.format import Message
from pantau.city import Binding
from tests.ingest import test_deepstream as deepstream
from tests.ingest import test_frigate as frigate
from tests.ingest import test_sparkplug_b as sparkplug
from tests.ingest.lives import CUTS, Cut, Life, killed, undisturbed
from tests.ingest.small_city import T0, small_city


def restarted(make: Callable[[], Decoder], one: Decoder) -> Decoder:
    fresh = make()
    fresh.restore(one.dump_changed())
    return fresh


# --- Sparkplug B --------------------------------------------------------------------------------------------------


def gateway() -> Decoder:
    return sparkplug.decoder(metrics=sparkplug.WHERE)


@settings(max_examples=200)
@given(
    steps=st.lists(st.sampled_from(["data", "data", "data", "history", "rebirth", "reconnect"]), max_size=30),
    cuts=CUTS,
    data=st.data(),
)
def test_a_gateway_whose_broker_loses_nothing_is_understood_through_any_kill(
    steps: list[str], cuts: list[Cut], data: st.DataObject
) -> None:
    node = sparkplug.Gateway()
    sent = node.session(data)
    for step in steps:
        match step:
            case "data" | "history":
                device = data.draw(st.sampled_from(sorted(sparkplug.DEVICES)))
                sent.append(node.data(device, historical=step == "history"))
            case "rebirth":
                sent += node.births(data)
            case "reconnect":
                sent += [node.death(), *node.session(data)]
    messages = [
        sparkplug._message(one.kind, one.payload, sparkplug.T + n * 100, one.device)
        for n, one in enumerate(sent)
    ]
    calm, life = undisturbed(gateway, messages), killed(gateway, messages, cuts)
    assert calm.codes == life.codes == []
    assert life.readings == calm.readings
    if not {"rebirth", "reconnect"} & set(
        steps
    ):  # else what comes again is of a birth that is over: not guessed
        assert life.again == []
        assert life.asks == calm.asks == 0


def test_an_alias_and_the_next_number_are_known_after_a_restart() -> None:
    one = sparkplug.decoder()
    sparkplug.told(one, 0, 1, 2)
    again = restarted(sparkplug.decoder, one)
    (data,) = sparkplug.told(again, 3, at=sparkplug.T + 3_000)
    assert sparkplug.values(data) == [("116", "radar", -43.0), ("hujan", "main", 0.6)]
    assert not data.asks
    assert not data.refused


def test_what_was_missed_while_away_makes_the_births_doubtful() -> None:
    """A node that was born anew meanwhile may mean something else by its aliases: nothing is guessed."""
    one = sparkplug.decoder()
    sparkplug.told(one, 0, 1, 2)
    again = restarted(sparkplug.decoder, one)
    (gap,) = sparkplug.told(again, 4, at=sparkplug.T + 4_000)
    assert gap.readings == []
    assert [refused.code for refused in gap.refused] == ["unknown_alias"]
    assert [ask.topic for ask in gap.asks] == [sparkplug.ASKED]


def test_an_unnumbered_or_an_old_message_does_not_make_old_births_count() -> None:
    for seq, at in ((None, sparkplug.T + 3_000), (0, sparkplug.T - 3_600_000)):
        one = sparkplug.decoder()
        sparkplug.told(one, 0, 1, 2)
        again = restarted(sparkplug.decoder, one)
        payload = sparkplug._data(seq, at, sparkplug._metric(7, 5, at))
        batch = again.decode([sparkplug._message("DDATA", payload, sparkplug.T + 3_000)])
        assert [refused.code for refused in batch.refused] == ["unknown_alias"]


def test_a_death_is_remembered() -> None:
    one = sparkplug.decoder()
    sparkplug.told(one, 0, 1, 7)
    again = restarted(sparkplug.decoder, one)
    (data,) = sparkplug.told(again, 2)
    assert [refused.code for refused in data.refused] == ["unknown_alias"]
    assert data.asks


def test_only_a_birth_writes_the_births() -> None:
    one = sparkplug.decoder()
    sparkplug.told(one, 0, 1)
    prefix = "sparkplug_b spBv1.0/Gauges/#\tGauges/gw-1/"
    assert set(one.dump_changed()) == {
        prefix + part for part in ("count", "session", "births/", "births/post-7")
    }
    one.saved()
    sparkplug.told(one, 2, 3)
    (moved,) = one.dump_changed().items()
    assert moved[0] == prefix + "count"
    assert len(moved[1]) < 30


def test_births_that_are_too_many_are_asked_for_after_a_restart() -> None:
    one = sparkplug.decoder()
    sparkplug.told(one, 0)
    many = [sparkplug._metric(alias, 1, sparkplug.T, f"{alias:060}") for alias in range(9_000)]
    level = sparkplug._metric(9_001, 1, sparkplug.T, "Level")
    one.decode([sparkplug._message("DBIRTH", sparkplug._data(1, sparkplug.T, level, *many), sparkplug.T)])
    assert max(len(body) for body in one.dump_changed().values()) < 1_000
    again = restarted(sparkplug.decoder, one)
    payload = sparkplug._data(2, sparkplug.T + 1, sparkplug._metric(9_001, 5, sparkplug.T))
    data = sparkplug._message("DDATA", payload, sparkplug.T)
    assert len(one.decode([data]).readings) == 1
    batch = again.decode([data])
    assert [refused.code for refused in batch.refused] == ["unknown_alias"]
    assert batch.asks


# --- DeepStream ---------------------------------------------------------------------------------------------------


def frames(numbers: list[int]) -> list[bytes]:
    return [
        deepstream.detected(at * 1000, f"{at}.{n}", confidence=n / 10)
        for at, number in enumerate(numbers)
        for n in range(number)
    ]


@settings(max_examples=200)
@given(numbers=st.lists(st.integers(1, 5), min_size=2, max_size=12), cuts=CUTS)
def test_a_frame_is_counted_whole_through_any_kill(numbers: list[int], cuts: list[Cut]) -> None:
    messages = [Message("ds/a", payload, T0 + 3_600_000) for payload in frames(numbers)]
    calm = undisturbed(deepstream.decoder, messages)
    assert [value for _, _, _, value, *_ in calm.readings] == numbers[1:-1]
    life = killed(deepstream.decoder, messages, cuts)
    assert set(life.again) <= {"frame_over"}
    assert life._replace(again=[]) == calm


def test_a_frame_sent_at_qos_0_is_left_out_after_a_restart() -> None:
    for qos, expected in ((0, []), (1, [("main", 1000, 2)])):
        one = deepstream.decoder()
        payloads = frames([1, 2, 1])
        for payload in payloads[:-2]:
            one.decode([Message("ds/a", payload, T0 + 3_600_000, qos=qos)])
        again = restarted(deepstream.decoder, one)
        assert deepstream.counts(deepstream.fed(again, *payloads[-2:])) == expected


def test_qos_0_is_not_written_at_all_and_takes_back_what_was() -> None:
    one = deepstream.decoder()
    first, second, *_ = (Message("ds/a", payload, T0 + 3_600_000) for payload in frames([1, 2]))
    one.decode([Message("ds/a", first.payload, first.received_at, qos=0)])
    assert one.dump_changed() == {}
    one.decode([first])
    (name,) = one.dump_changed()
    one.saved()
    one.decode([Message("ds/a", second.payload, second.received_at, qos=0)])
    assert one.dump_changed() == {name: b""}


def test_a_frame_of_thousands_is_left_out_after_a_restart() -> None:
    one = deepstream.decoder()
    deepstream.fed(one, deepstream.detected(0, "first"))
    deepstream.fed(one, *(deepstream.detected(1000, "x" * 90 + f"{n}") for n in range(1_001)))
    assert max(len(body) for body in one.dump_changed().values()) < 200
    again = restarted(deepstream.decoder, one)
    later = [deepstream.detected(at, f"{at}") for at in (1001, 2000, 3000)]
    assert deepstream.counts(deepstream.fed(again, *later)) == [("main", 2000, 1)]


# --- Frigate ------------------------------------------------------------------------------------------------------


def square(**options: Any) -> Decoder:
    return frigate.events(**{"learn_s": 2, "forget_s": 3, **options})


@settings(max_examples=200)
@given(data=st.data(), cuts=CUTS)
def test_people_are_counted_right_through_any_kill(data: st.DataObject, cuts: list[Cut]) -> None:
    messages = []
    for step in range(data.draw(st.integers(1, 40))):
        name = data.draw(st.sampled_from("abcdef"))
        zones = data.draw(st.sets(st.sampled_from(["alun", "gate", "street"])))
        kind = data.draw(st.sampled_from(["update", "update", "update", "end"]))
        at = T0 + step * data.draw(st.sampled_from([100, 200]))
        messages.append(
            Message("frigate/events", frigate.event(name, at, *sorted(zones), kind=kind), T0 + step * 200)
        )
    assert killed(square, messages, cuts) == undisturbed(square, messages)


def test_people_who_are_known_at_qos_0_are_learnt_anew_and_at_qos_1_are_not() -> None:
    def make() -> Decoder:
        return frigate.events(learn_s=60)

    for qos, expected in ((0, []), (1, [("main", 2.0)])):
        one = make()
        for at in (0, 70_000):
            one.decode([Message("frigate/events", frigate.event("a", T0 + at, "alun"), T0 + at, qos=qos)])
        again = restarted(make, one)
        batch = frigate.told(again, frigate.event("b", T0 + 80_000, "alun"), T0 + 80_000)
        assert frigate.counts(batch) == expected


def test_what_waited_at_the_broker_for_an_hour_forgets_nobody() -> None:
    one = square(learn_s=0)
    frigate.told(one, frigate.event("a", T0, "alun"), T0)
    again = restarted(lambda: square(learn_s=0), one)
    batch = frigate.told(again, frigate.event("b", T0 + 1_000, "alun"), T0 + 3_600_000)
    assert frigate.counts(batch) == [("main", 2.0)]


def test_who_was_counted_by_other_options_is_learnt_anew() -> None:
    for zones, expected in ((frigate.ZONES, [("gate", 1.0)]), ({"gate": "monas/gate"}, [])):
        one = frigate.events(learn_s=60)
        frigate.told(one, frigate.event("a", T0, "street"), T0)

        def make(zones: dict[str, str] = zones) -> Decoder:
            return frigate.events(learn_s=60, zones=zones)

        again = restarted(make, one)
        batch = frigate.told(again, frigate.event("a", T0 + 70_000, "gate"), T0 + 70_000)
        assert frigate.counts(batch) == expected


def test_an_event_writes_few_bytes_however_many_people_there_were() -> None:
    one = frigate.events(learn_s=0)
    for n in range(10_500):
        frigate.told(one, frigate.event(f"1767322800.{n:06}-abcdef", T0 + n, "alun", kind="end"), T0)
    one.dump_changed()
    one.saved()
    frigate.told(one, frigate.event("1767322900.000000-abcdef", T0 + 20_000, "alun"), T0)
    assert (
        sum(len(body) for body in one.dump_changed().values()) < 12_000
    )  # its part, that of the oldest, the times


def test_an_id_without_end_is_refused() -> None:
    (refused,) = frigate.told(frigate.events(), frigate.event("x" * 101, T0, "alun"), T0).refused
    assert refused.code == "bad_payload"


# --- any format ---------------------------------------------------------------------------------------------------


def bound(*, broken: bool = False) -> Decoder:
    binding = Binding("spBv1.0/Gauges/#", "sparkplug_b", sparkplug.OPTIONS)
    formats = dict(all_formats())
    if broken:
        formats["sparkplug_b"] = Broken()
    return Decoder(small_city(binding), formats)


class Broken:
    """A format whose memory fails."""

    name = "sparkplug_b"

    def open(self, _city: object, _options: object) -> "Broken":
        return self

    def problems(self, _city: object, _options: object) -> list[str]:
        return []

    def __call__(self, _topic: str) -> Any:
        raise AssertionError

    def dump_changed(self) -> dict[str, bytes]:
        raise OverflowError

    def load(self, _kept: object) -> None:
        raise OverflowError


def test_a_format_that_fails_to_remember_stops_nobody() -> None:
    one = bound(broken=True)
    one.restore({"sparkplug_b spBv1.0/Gauges/#\tx": b"x"})
    payload = json.dumps({"observed_at": T0, "value": 1}).encode()
    assert one.decode([Message("pantau/v1/contoh/water_level/116", payload, T0)]).readings
    assert set(one.dump_changed()) == {"sparkplug_b spBv1.0/Gauges/#\tx"}


@pytest.mark.parametrize("body", [b"", b"\xff", b"\x92\x02\xc0", b"nonsense"])
def test_what_cannot_be_read_is_a_fresh_start_and_is_forgotten(body: bytes) -> None:
    one = sparkplug.decoder()
    sparkplug.told(one, 0, 1)
    kept = dict(one.dump_changed())
    broken = next(name for name in kept if name.endswith("/session"))
    again = sparkplug.decoder()
    again.restore({**kept, broken: body})
    (data,) = sparkplug.told(again, 2)
    assert [refused.code for refused in data.refused] == ["unknown_alias"]
    if body:
        assert {name for name, found in again.dump_changed().items() if not found} >= {
            name for name in kept if "births" in name
        }


def test_parts_are_given_again_until_they_are_saved() -> None:
    one = sparkplug.decoder()
    sparkplug.told(one, 0)
    first = dict(one.dump_changed())
    sparkplug.told(one, 1)
    assert set(first) < set(one.dump_changed())
    one.saved()
    assert one.dump_changed() == {}


def test_another_binding_takes_nothing_over() -> None:
    one = sparkplug.decoder()
    sparkplug.told(one, 0, 1)
    kept = dict(one.dump_changed())
    for other in (
        Decoder(small_city(Binding("spBv1.0/Gauges/+/gw-1/#", "sparkplug_b", sparkplug.OPTIONS))),
        sparkplug.decoder(group="Other"),
    ):
        other.restore(kept)
        assert other.dump_changed() == {}
    assert Life([], [], 0, []) == undisturbed(sparkplug.decoder, [])
