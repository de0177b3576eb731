"""Sparkplug B, several messages: births, aliases, gaps, deaths, redeliveries; what is recorded, pysparkplug wrote."""

import struct
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.births import ASK_MS
from ingest.decode import Batch, Decoder
from ingest.format import Message
from ingest.formats.sparkplug_b import FORMAT
from ingest.protobuf import bytes_field, fields, varint_field
from ingest.sparkplug import rebirth
from pantau.city import Binding
from tests.ingest.small_city import small_city

RECORDED = Path(__file__).parent / "sparkplug_b"
T = 1_767_323_045_000
"""Time of the first recorded message (tools/sparkplug_cases.py)."""
OPTIONS: dict[str, Any] = {
    "group": "Gauges",
    "metrics": {
        "gw-1/post-7/Level": "116/radar",
        "gw-1/post-7/Rain": "hujan",
        "gw-1/Supply Voltage": "rob-1",
    },
}
TYPES = {"nbirth": "NBIRTH", "dbirth": "DBIRTH", "ddata": "DDATA", "ddeath": "DDEATH", "ndeath": "NDEATH"}
ASKED = "spBv1.0/Gauges/NCMD/gw-1"


def decoder(**options: Any) -> Decoder:
    return Decoder(small_city(Binding("spBv1.0/Gauges/#", "sparkplug_b", {**OPTIONS, **options})))


def recorded(number: int, at: int, *, retain: bool = False) -> Message:
    (path,) = RECORDED.glob(f"{number:02}-*.bin")
    kind = TYPES[path.stem.split("-")[1]]
    device = "/post-7" if kind.startswith("D") else ""
    return Message(f"spBv1.0/Gauges/{kind}/gw-1{device}", path.read_bytes(), at, retain)


def told(one: Decoder, *numbers: int, at: int = T) -> list[Batch]:
    """The answers to recorded messages that come a second after one another."""
    return [one.decode([recorded(number, at + index * 1_000)]) for index, number in enumerate(numbers)]


def values(batch: Batch) -> list[tuple[str, str, float]]:
    return [(reading.station, reading.sensor, reading.value) for reading in batch.readings]


def test_a_gateway_is_born_and_its_aliases_have_names() -> None:
    _, birth, data = told(decoder(), 0, 1, 2)
    assert values(birth) == [("116", "radar", -45.0), ("hujan", "main", 0.2)]
    assert values(data) == [("116", "radar", -44.0), ("hujan", "main", 0.4)]
    assert [reading.observed_at for reading in data.readings] == [T + 1_000, T + 1_000]
    assert {reading.seq for reading in data.readings} == {None}
    assert birth.asks == data.asks == []


def test_data_before_any_birth_is_refused_and_the_node_is_asked() -> None:
    (batch,) = told(decoder(), 2)
    assert [refused.code for refused in batch.refused] == ["unknown_alias"]
    assert [ask.topic for ask in batch.asks] == [ASKED]


def test_the_request_is_what_an_independent_encoder_writes() -> None:
    (batch,) = told(decoder(), 2)
    (written,) = RECORDED.glob("*-rebirth.bin")
    assert batch.asks[0].payload == rebirth(T) == written.read_bytes()


def test_a_node_that_answers_with_births_is_understood_from_then_on() -> None:
    one = decoder()
    told(one, 2)
    batches = told(one, 0, 1, 3, at=T + 2_000)
    assert [len(batch.readings) for batch in batches] == [1, 2, 2]
    assert all(not batch.refused and not batch.asks for batch in batches)


def test_what_was_refused_before_the_birth_is_understood_when_it_is_sent_again() -> None:
    one = decoder()
    told(one, 2)
    told(one, 0, 1, 3, at=T + 20_000)
    (retried,) = told(one, 2, at=T + 60_000)
    assert values(retried) == [("116", "radar", -44.0), ("hujan", "main", 0.4)]
    assert retried.asks == []


def test_a_gap_is_asked_about_and_what_can_be_read_is_taken() -> None:
    *_, gap = told(decoder(), 0, 1, 2, 3, 4)
    assert values(gap) == [("116", "radar", -40.0), ("hujan", "main", 1.2)]
    assert [ask.topic for ask in gap.asks] == [ASKED]


@pytest.mark.parametrize("again", [(2,), (3,), (2, 3), (1, 2, 3), (0, 1, 2, 3), (1,)])
def test_what_the_broker_delivers_again_is_no_gap(again: tuple[int, ...]) -> None:
    one = decoder()
    told(one, 0, 1, 2, 3)
    batches = told(one, *again, at=T + 30_000)
    assert all(not batch.asks and not batch.refused for batch in batches)
    (gap,) = told(one, 4, at=T + 60_000)
    assert gap.asks
    assert not gap.refused


def test_255_is_followed_by_0() -> None:
    one = decoder()
    told(one, 0, 1)
    for seq in (*range(2, 256), *range(4)):
        at = T + seq
        batch = one.decode([_message("DDATA", _data(seq, T + 100_000 + seq, _metric(7, 5, T)), T + 100_000)])
        assert batch.asks == [], (seq, at)


def test_more_than_half_a_round_lost_is_a_gap_too() -> None:
    one = decoder()
    told(one, 0, 1, 2)
    batch = one.decode([_message("DDATA", _data(211, T + 600_000, _metric(7, 5, T)), T + 600_000)])
    assert batch.asks


def test_a_node_is_asked_once_in_ten_seconds_however_broken_it_is() -> None:
    one = decoder()
    asks = [
        batch.asks
        for at in range(0, 30_001, 500)
        for batch in [one.decode([recorded(2, T + at)])]
        if batch.asks
    ]
    assert len(asks) == 4
    assert ASK_MS == 10_000


def test_the_death_of_a_device_is_the_silence_of_its_sensors() -> None:
    *_, death = told(decoder(), 0, 1, 2, 3, 4, 5)
    assert [(gone.station, gone.sensor, gone.at) for gone in death.gone] == [
        ("116", "radar", T + 5_000),
        ("hujan", "main", T + 5_000),
    ]
    assert death.gone[0].reason == "its edge node gw-1 lost it (DDEATH)"


def test_a_device_that_died_says_nothing_by_alias_until_it_is_born_again() -> None:
    one = decoder()
    told(one, 0, 1, 2, 3, 4, 5)
    dead = one.decode([_message("DDATA", _data(8, T + 6_500, _metric(7, 5, T)), T + 6_500)])
    assert [refused.code for refused in dead.refused] == ["unknown_alias"]
    told(one, 6, at=T + 7_000)
    alive = one.decode([_message("DDATA", _data(9, T + 8_000, _metric(7, 5, T)), T + 8_000)])
    assert values(alive) == [("116", "radar", 5.0)]


def test_a_late_death_of_a_device_that_was_born_again_is_no_death() -> None:
    one = decoder()
    told(one, 0, 1, 2, 3, 4, 5, 6)
    (late,) = told(one, 5, at=T + 20_000)
    assert late.gone == []


def test_the_death_of_a_node_is_the_silence_of_all_its_sensors_from_now_on() -> None:
    *_, death = told(decoder(), 0, 1, 7)
    assert {(gone.station, gone.sensor) for gone in death.gone} == {
        ("116", "radar"),
        ("hujan", "main"),
        ("rob-1", "main"),
    }
    assert {gone.at for gone in death.gone} == {T + 2_000}
    assert death.ignored == 0


def test_the_late_will_of_a_former_session_is_no_death() -> None:
    one = decoder()
    told(one, 0, 1, 8, 9)
    (late,) = told(one, 7, at=T + 30_000)
    assert (late.gone, late.ignored) == ([], 1)
    (data,) = told(one, 10, at=T + 31_000)
    assert len(data.readings) == 2


def test_a_death_of_a_session_that_we_never_saw_counts_and_is_asked_about() -> None:
    (death,) = told(decoder(), 7)
    assert len(death.gone) == 3
    assert [ask.topic for ask in death.asks] == [ASKED]


def test_a_node_that_died_and_talks_on_is_asked_for_its_births() -> None:
    *_, data = told(decoder(), 0, 1, 7, 2)
    assert [refused.code for refused in data.refused] == ["unknown_alias"]
    assert data.asks


def test_a_new_birth_gives_aliases_a_new_meaning() -> None:
    *_, data = told(decoder(), 0, 1, 2, 7, 8, 9, 10)
    assert values(data) == [("116", "radar", -30.0), ("hujan", "main", 2.5)]


def test_a_message_of_before_is_not_read_with_the_new_meaning() -> None:
    one = decoder()
    told(one, 0, 1, 2, 7, 8, 9)
    (late,) = told(one, 3, at=T + 40_000)
    assert late.readings == []
    assert [refused.code for refused in late.refused] == ["unknown_alias"]


def test_a_birth_that_is_delivered_again_does_not_bring_the_old_meaning_back() -> None:
    one = decoder()
    told(one, 0, 1, 7, 8, 1)
    told(one, 9, 0, 1, at=T + 30_000)
    (data,) = told(one, 10, at=T + 40_000)
    assert values(data) == [("116", "radar", -30.0), ("hujan", "main", 2.5)]


def test_a_device_is_born_anew_with_every_birth_of_its_node() -> None:
    *_, early = told(decoder(), 0, 1, 8, 10)
    assert [refused.code for refused in early.refused] == ["unknown_alias"]


def test_an_old_birth_of_a_device_is_not_taken_for_the_one_that_is_due() -> None:
    *_, again, data = told(decoder(), 0, 1, 8, 1, 10)
    assert len(again.readings) == 2
    assert data.readings == []
    assert [refused.code for refused in data.refused] == ["unknown_alias"]


def test_data_with_names_and_types_are_read_without_a_birth_which_is_asked_for_all_the_same() -> None:
    metric = _metric(7, 5, T, "Level")
    batch = decoder().decode([_message("DDATA", _data(4, T, metric), T)])
    assert values(batch) == [("116", "radar", 5.0)]
    assert [ask.topic for ask in batch.asks] == [ASKED]


def test_a_retained_birth_changes_nothing() -> None:
    one = decoder()
    batch = one.decode([recorded(0, T, retain=True), recorded(1, T, retain=True), recorded(2, T)])
    assert [refused.code for refused in batch.refused] == ["retained", "retained", "unknown_alias"]


def test_a_broken_birth_changes_nothing() -> None:
    one = decoder()
    told(one, 0, 1)
    broken = recorded(9, T)
    batch = one.decode([Message(broken.topic, broken.payload[:-3], T), recorded(2, T)])
    assert [refused.code for refused in batch.refused] == ["not_protobuf"]
    assert len(batch.readings) == 2


def test_more_than_ten_thousand_metrics_are_refused() -> None:
    one = decoder()
    payload = b"".join(bytes_field(2, varint_field(2, 7)) for _ in range(10_001))
    assert [r.code for r in one.decode([_message("DDATA", payload, T)]).refused] == ["too_many"]
    assert [r.code for r in one.decode([_message("DDATA", bytes(2_000_001), T)]).refused] == ["too_large"]


def test_births_without_end_fill_no_memory() -> None:
    one = decoder()
    told(one, 0)
    for n in range(6):
        aliases = range(n * 5_000, n * 5_000 + 5_000)
        payload = _data(1, T + n, *(_metric(alias, 1, T, f"m{alias}") for alias in aliases))
        one.decode([_message("DBIRTH", payload, T)])
    nodes = one._opened[0][1]._nodes  # type: ignore[attr-defined]
    book = nodes["gw-1"]._books["post-7"]
    assert len(book.aliases) + len(book.former) <= 15_000


def test_all_mistakes_in_options_are_told() -> None:
    problems = FORMAT.problems(
        small_city(),
        {
            "metrics": {"Level": "116", "gw/Level": "nowhere"},
            "units": {"gw/Level": "m"},
            "bdSeq": 1,
        },
    )
    assert [text.removeprefix("format sparkplug_b") for text in problems] == [
        " has no option 'bdSeq': use group, metrics, unit, units",
        ': group is needed: the second level of the topics, e.g. group = "Gauges", found None',
        ": metrics: 'gw/Level' names station 'nowhere', which is not in stations.csv",
    ]
    problems = FORMAT.problems(
        small_city(),
        {
            "group": "G",
            "metrics": {"Level": "116", "gw/Rain": "hujan", "gw/Level": "116"},
            "units": {"gw/Rain": "m", "gw/Else": "m"},
        },
    )
    assert [text.removeprefix("format sparkplug_b: ") for text in problems] == [
        'metrics: \'Level\' must be "node/metric" or "node/device/metric"',
        "units: 'gw/Else' is not in metrics",
        "metrics: 'gw/Rain' is in 'm', rain takes mm, cm, in",
    ]
    good = {**OPTIONS, "metrics": {"gw/Level": "116"}, "unit": "m"}
    assert FORMAT.problems(small_city(), good) == []


# --- any life of a gateway ----------------------------------------------------------------------------------------


def _metric(alias: int, value: int, at: int, name: str = "", *, historical: bool = False) -> bytes:
    parts = [bytes_field(1, name.encode())] if name else []
    parts += [varint_field(2, alias), varint_field(3, at)]
    parts += [varint_field(4, 3)] if name else []
    parts += [varint_field(5, 1)] if historical else []
    return b"".join([*parts, varint_field(10, value)])


def _data(seq: int | None, at: int, *metrics: bytes) -> bytes:
    counted = b"" if seq is None else varint_field(3, seq)
    return varint_field(1, at) + b"".join(bytes_field(2, metric) for metric in metrics) + counted


def _message(kind: str, payload: bytes, at: int, device: str = "post-7") -> Message:
    return Message(f"spBv1.0/Gauges/{kind}/gw-1" + (f"/{device}" if kind[0] == "D" else ""), payload, at)


class Sent(NamedTuple):
    kind: str
    device: str
    payload: bytes


DEVICES = {"post-7": ("Level", "Rain"), "post-8": ("Level", "Other")}
WHERE = {
    "gw-1/post-7/Level": "116/radar",
    "gw-1/post-7/Rain": "hujan",
    "gw-1/post-8/Level": "116/float",
}
CODES = {"116/radar": 1_000_000, "hujan/main": 2_000_000, "116/float": 3_000_000}


class Gateway:
    """A gateway that keeps to the standard; each value says which metric it is of, and whether it is history."""

    def __init__(self) -> None:
        self.at, self.bd_seq, self.seq, self.sent = T, -1, 0, 0
        self.aliases: dict[tuple[str, str], int] = {}
        self.connected = False

    def session(self, data: st.DataObject) -> list[Sent]:
        self.bd_seq = (self.bd_seq + 1) % 256
        self.connected = True
        return self.births(data)

    def births(self, data: st.DataObject) -> list[Sent]:
        self.at += 1_000
        names = [(device, name) for device, metrics in DEVICES.items() for name in metrics]
        self.aliases = dict(zip(names, data.draw(st.permutations(range(1, 5))), strict=True))
        bd_seq = bytes_field(1, b"bdSeq") + varint_field(4, 4) + varint_field(11, self.bd_seq)
        self.seq = 0
        messages = [Sent("NBIRTH", "", _data(0, self.at, bd_seq))]
        return messages + [self.birth(device) for device in DEVICES]

    def birth(self, device: str) -> Sent:
        metrics = [
            _metric(self.aliases[device, name], self.value(device, name), self.at, name)
            for name in DEVICES[device]
        ]
        return Sent("DBIRTH", device, _data(self.count(), self.at, *metrics))

    def data(self, device: str, *, historical: bool) -> Sent:
        self.at += 1_000
        metrics = [
            _metric(
                self.aliases[device, name],
                self.value(device, name) + 500_000 * historical,
                self.at - 60_000 * historical,
                historical=historical,
            )
            for name in DEVICES[device]
        ]
        return Sent("DDATA", device, _data(self.count(), self.at, *metrics))

    def death(self) -> Sent:
        self.connected = False
        bd_seq = bytes_field(1, b"bdSeq") + varint_field(4, 4) + varint_field(11, self.bd_seq)
        return Sent("NDEATH", "", bytes_field(2, bd_seq))

    def value(self, device: str, name: str) -> int:
        where = WHERE.get(f"gw-1/{device}/{name}", "")
        self.sent += 1
        return CODES.get(where if "/" in where else f"{where}/main", 9_000_000) + self.sent

    def count(self) -> int:
        self.seq = (self.seq + 1) % 256
        return self.seq


STEPS = st.lists(
    st.sampled_from(
        ["data", "data", "data", "history", "lost", "again", "again", "rebirth", "reconnect", "will"]
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=300)
@given(steps=STEPS, data=st.data())
def test_any_life_of_a_gateway_gives_each_value_to_its_station(steps: list[str], data: st.DataObject) -> None:
    one, gateway = decoder(metrics=WHERE), Gateway()
    delivered = gateway.session(data)
    inbox = list(delivered)
    wills: list[Sent] = []
    received_at, asked_at = T, []
    for step in ["", *steps]:
        device = data.draw(st.sampled_from(sorted(DEVICES)))
        match step:
            case "data" | "history":
                inbox.append(gateway.data(device, historical=step == "history"))
            case "lost":
                gateway.data(device, historical=False)
            case "again":
                first = data.draw(st.integers(0, len(delivered) - 1))
                inbox += delivered[first : first + data.draw(st.integers(1, 4))]
            case "rebirth":
                inbox += gateway.births(data)
            case "reconnect":
                wills.append(gateway.death())
                inbox += gateway.session(data)
            case "will" if wills:
                inbox.append(wills.pop(0))  # comes late, after the next session began
        for sent in inbox:
            received_at += data.draw(st.integers(0, 4_000))
            batch = one.decode([_message(sent.kind, sent.payload, received_at, sent.device)])
            check(batch)
            asked_at += [received_at] * len(batch.asks)
            if any(refused.code == "unknown_alias" for refused in batch.refused):
                assert asked_at
                assert received_at - asked_at[-1] < ASK_MS
        delivered += inbox
        inbox = []
    assert all(later - earlier >= ASK_MS for earlier, later in pairwise(asked_at))


def check(batch: Batch) -> None:
    for reading in batch.readings:
        code, count = divmod(int(reading.value), 1_000_000)
        assert CODES[f"{reading.station}/{reading.sensor}"] == code * 1_000_000, reading
        assert reading.historical == (count >= 500_000), reading
    assert {refused.code for refused in batch.refused} <= {"unknown_alias"}
    assert batch.gone == []  # a death is never the present session's in this life


@settings(max_examples=100)
@given(
    steps=st.lists(
        st.sampled_from(["data", "data", "history", "again", "rebirth", "reconnect"]), max_size=30
    ),
    data=st.data(),
)
def test_a_gateway_that_loses_nothing_is_never_asked_and_never_refused(
    steps: list[str], data: st.DataObject
) -> None:
    """Repeats of the messages of the birth in force and of what followed it, in order, as a broker makes them."""
    one, gateway = decoder(metrics=WHERE), Gateway()
    since_birth = gateway.session(data)
    inbox = list(since_birth)
    for step in ["", *steps]:
        match step:
            case "data" | "history":
                inbox = [
                    gateway.data(data.draw(st.sampled_from(sorted(DEVICES))), historical=step == "history")
                ]
                since_birth += inbox
            case "again":
                inbox = since_birth[data.draw(st.integers(0, len(since_birth) - 1)) :]
            case "rebirth" | "reconnect":
                inbox = [gateway.death()] if step == "reconnect" else []
                since_birth = gateway.births(data) if step == "rebirth" else gateway.session(data)
                inbox += since_birth
        for sent in inbox:
            batch = one.decode([_message(sent.kind, sent.payload, T, sent.device)])
            assert batch.asks == []
            assert batch.refused == []
            assert len(batch.readings) == {"DBIRTH": 2, "DDATA": 2}.get(sent.kind, 0) - (
                sent.device == "post-8"
            )
        inbox = []


@given(junk=st.binary(max_size=120), cut=st.integers(0, 80))
def test_a_birth_with_junk_gives_readings_or_a_refusal_and_no_false_alias(junk: bytes, cut: int) -> None:
    one = decoder()
    message = recorded(1, T)
    batch = one.decode([Message(message.topic, message.payload[:cut] + junk, T)])
    assert all(refused.code != "format_error" for refused in batch.refused)


def test_the_recorded_messages_say_who_wrote_them() -> None:
    assert (RECORDED / "WRITTEN_BY").read_text(encoding="utf-8").startswith("pysparkplug 0.6.1, protobuf ")


def test_the_request_carries_no_seq_and_a_true_boolean() -> None:
    payload = list(fields(rebirth(T), 10))
    assert [field.number for field in payload] == [1, 2]
    metric = {field.number: field for field in fields(payload[1].data, 10)}
    assert (metric[1].data, metric[4].whole, metric[14].whole) == (b"Node Control/Rebirth", 11, 1)
    assert struct.pack("<q", metric[3].whole) == struct.pack("<q", T)
