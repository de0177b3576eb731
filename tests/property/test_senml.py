"""A SenML encoder written from RFC 8428: whatever base fields it chooses, JSON and CBOR give the same readings."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decode import Decoder
from ingest.format import Message
from pantau.city import Binding
from pantau.reading import Reading
from tests.ingest.small_city import T0, small_city

LABELS = {"bver": -1, "bn": -2, "bt": -3, "bu": -4, "bv": -5, "bs": -6, "n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4,
          "s": 5, "t": 6, "ut": 7, "vd": 8}  # fmt: skip
Measured = tuple[str, str | None, Decimal, int]
Draw = Callable[[st.SearchStrategy[Any]], Any]


class Place(NamedTuple):
    station: str
    sensor: str
    kind: str
    factors: dict[str, Decimal]


CM, HUNDRED = Decimal(1), Decimal(100)
LEVEL = {"cm": CM, "m": HUNDRED, "mm": Decimal("0.1")}
NAMES = {
    "urn:dev:a:level": Place("116", "main", "water_level", LEVEL),
    "urn:dev:a:level2": Place("116", "second", "water_level", LEVEL),
    "urn:dev:b:rain": Place("hujan", "main", "rain", {"mm": CM, "cm": Decimal(10), "m": Decimal(1000)}),
    "urn:cam": Place("monas", "main", "crowd_count", {"count": CM, "persons": CM}),
}
OPTIONS = {"names": {name: f"{place.station}/{place.sensor}" for name, place in NAMES.items()}}


def decoder() -> Decoder:
    return Decoder(small_city(Binding("senml", "senml", OPTIONS)))


def decoded(payload: bytes) -> tuple[list[Reading], list[tuple[str, int | None]]]:
    batch = decoder().decode([Message("senml", payload, T0)])
    return batch.readings, [(refused.code, refused.index) for refused in batch.refused]


@st.composite
def measurements(draw: st.DrawFn) -> Measured:
    name = draw(st.sampled_from(sorted(NAMES)))
    unit = draw(st.sampled_from(sorted(NAMES[name].factors)))
    value = draw(st.decimals(-9999, 9999, places=3))
    return name, unit, value, T0 - draw(st.integers(0, 86_400_000))


def encoded(draw: Draw, measured: list[Measured]) -> list[dict[str, Any]]:
    """Records whose base fields change at random; what a base field holds is taken off the record's own field."""
    pack: list[dict[str, Any]] = []
    bn, bu, bv, bt = "", None, Decimal(0), Decimal(0)
    for name, unit, value, at in measured:
        record: dict[str, Any] = {}
        if not name.startswith(bn) or draw(st.booleans()):
            bn = name[: draw(st.integers(0, len(name)))]
            record["bn"] = bn
        if name != bn or draw(st.booleans()):
            record["n"] = name.removeprefix(bn)
        if draw(st.booleans()):
            bv = draw(st.decimals(-9999, 9999, places=2))
            record["bv"] = bv
        if draw(st.booleans()):
            bt = Decimal(draw(st.integers(0, 2 * T0))) / 1000
            record["bt"] = bt
        if draw(st.booleans()):
            bu = draw(st.sampled_from(["cm", "m", "V"]))
            record["bu"] = bu
        if unit != bu:
            record["u"] = unit
        if value != bv or not bv or draw(st.booleans()):
            record["v"] = value - bv
        record["t"] = Decimal(at) / 1000 - bt
        pack.append(record)
    if draw(st.booleans()):
        pack[0]["bver"] = 10
    return pack


def as_json(pack: list[dict[str, Any]]) -> bytes:
    return json.dumps(pack, default=float).encode()


def as_cbor(draw: Draw, pack: list[dict[str, Any]]) -> bytes:
    """Numbers as labels or names, numbers as decimal fractions or doubles, lengths known or not."""
    numbered, exact = draw(st.booleans()), draw(st.booleans())
    records = [
        {LABELS[key] if numbered else key: float(value) if isinstance(value, Decimal) and not exact else value
         for key, value in record.items()}
        for record in pack
    ]  # fmt: skip
    return cbor2.dumps(records, indefinite_containers=draw(st.booleans()))


@given(st.lists(measurements(), min_size=1, max_size=8), st.data(), st.booleans())
def test_base_fields_chosen_at_random_change_nothing(
    measured: list[Measured], data: st.DataObject, binary: bool
) -> None:
    pack = encoded(data.draw, measured)
    payload = as_cbor(data.draw, pack) if binary else as_json(pack)
    expected = [
        Reading(place.station, place.kind, float(round(value * place.factors[unit or ""], 6)), at, T0, place.sensor)
        for name, unit, value, at in measured
        for place in [NAMES[name]]
    ]  # fmt: skip
    assert decoded(payload) == (expected, [])


@given(st.lists(st.sampled_from(["good", "bad", "other"]), min_size=1, max_size=30))
def test_a_bad_record_costs_no_other(what: list[str]) -> None:
    given_records: dict[str, dict[str, Any]] = {
        "good": {"n": "urn:cam", "v": 3, "t": T0 / 1000},
        "bad": {"n": "urn:cam", "vs": "three"},
        "other": {"n": "urn:x", "vs": "three", "cat_": 1},
    }
    readings, refused = decoded(as_json([given_records[word] for word in what]))
    assert len(readings) == what.count("good")
    assert refused == [("bad_value", index) for index, word in enumerate(what) if word == "bad"]


FIELDS = st.sampled_from([*LABELS, "x", "x_", "bx_"]) | st.integers(-8, 10)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.sampled_from([*NAMES, ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@given(st.lists(st.dictionaries(FIELDS, ANYTHING, max_size=6) | ANYTHING, max_size=6))
def test_any_pack_gives_readings_or_refusals(pack: list[Any]) -> None:
    batch = decoder().decode([Message("senml", cbor2.dumps(pack), T0)])
    assert batch.readings or batch.refused or batch.ignored
    assert all(refused.code != "format_error" for refused in batch.refused)


def test_the_rfcs_own_example_is_read() -> None:
    """RFC 8428, 5.1.2 and the dump in section 6: the same pack in both languages."""
    text = (
        '[{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},'
        '{"n":"current","t":-5,"v":1.2},{"n":"current","t":-4,"v":1.3},{"n":"current","v":1.7}]'
    )
    names = {"urn:dev:ow:10e2073a0108006:voltage": "116", "urn:dev:ow:10e2073a0108006:current": "116/b"}
    both = Decoder(small_city(Binding("senml", "senml", {"names": names})))
    at = 1_276_020_076_001
    for payload in (text.encode(), cbor2.dumps(json.loads(text))):
        batch = both.decode([Message("senml", payload, at)])
        assert [refused.reason.split("unit is ")[1][:3] for refused in batch.refused] == [
            "'V'",
            "'A'",
            "'A'",
            "'A'",
        ]
        assert {refused.code for refused in batch.refused} == {"wrong_unit"}


@pytest.mark.parametrize("number", [0, 1, 9_999, 10_000, 10_001])
def test_a_pack_has_at_most_ten_thousand_records(number: int) -> None:
    readings, refused = decoded(as_json([{"n": "urn:cam", "v": 1, "t": T0 / 1000}] * number))
    assert len(readings) == (number if 0 < number <= 10_000 else 0)
    assert refused == ([] if readings else [("empty" if number == 0 else "too_many", None)])


def test_a_payload_above_two_million_bytes_is_refused_unread() -> None:
    assert decoded(b"[" + b" " * 2_000_000 + b"]") == ([], [("too_large", None)])
