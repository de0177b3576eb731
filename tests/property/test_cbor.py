"""What another CBOR encoder writes is read as that encoder's own decoder reads it; no bytes keep ours busy."""

from decimal import Decimal
from itertools import product
from math import isnan
from time import perf_counter
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.cbor import decode
from pantau.errors import RefusedMessage

NUMBERS = st.integers(-(2**64), 2**64 - 1) | st.floats() | st.decimals(-(10**9), 10**9, places=3)
PLAIN = NUMBERS | st.text(max_size=20) | st.binary(max_size=20) | st.booleans() | st.none()
KEYS = st.integers(-20, 2**64 - 1) | st.text(max_size=10)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
).filter(lambda value: depth(value) <= 6)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 1 if isinstance(value, Decimal) else 0


def same(one: Any, other: Any) -> bool:
    if isinstance(one, list | dict) and type(one) is type(other) and len(one) == len(other):
        if isinstance(one, dict):
            return all(key in other and same(one[key], other[key]) for key in one)
        return all(map(same, one, other))
    if isinstance(one, float) and isnan(one):
        return isinstance(other, float) and isnan(other)
    if one is None:
        return other is None or other is cbor2.undefined
    if isinstance(one, float) and isinstance(other, Decimal):  # a big float (tag 5)
        return one == float(other)
    return type(one) is type(other) and bool(one == other)


@given(VALUES, st.booleans(), st.booleans())
def test_what_another_encoder_writes_is_read(value: Any, indefinite: bool, canonical: bool) -> None:
    raw = cbor2.dumps(value, canonical=canonical, indefinite_containers=indefinite)
    assert same(decode(raw), cbor2.loads(raw))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_refused(raw: bytes) -> None:
    value = refused = None
    try:
        value = decode(raw)
    except RefusedMessage as error:
        refused = error
    if refused is None:
        assert same(value, cbor2.loads(raw))
    else:
        assert refused.code == "not_cbor"
        assert refused.reason.isprintable()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"\x01\x02",
        b"\x81" * 2_000_000,
        b"\xc6" * 2_000_000,
        b"\x9f" * 2_000_000,
        b"\x9b\x7f" + b"\xff" * 7,
        b"\xbb\x7f" + b"\xff" * 7 + b"\x01",
        b"\x5b\x7f" + b"\xff" * 7,
        b"\x80" + b"\x00" * 2_000_000,
        b"\x9f" + b"\x00" * 1_999_998 + b"\xff",
        b"\x7f" + b"\x60" * 1_999_998 + b"\xff",
        b"\xc2\x5a\x00\x1e\x00\x00" + b"\xff" * 0x1E0000,
        b"\xc4\x82\x1b\x7f" + b"\xff" * 7 + b"\x01",
        b"\xc5\x82\x1b\x7f" + b"\xff" * 7 + b"\x01",
        b"\xc5\x82\x19\x06\x40\xc2\x58\x20" + b"\xff" * 32,
        b"\xa1\x80\x00",
        b"\xa1\xff\x00",
        b"\xa1\x00\xff",
        b"\x81\xff",
        b"\x7f\x41a\xff",
        b"\x61\xff",
        b"\x7f\x61\xc3\x61\xa9\xff",
        b"\x1c",
        b"\x1f",
        b"\xf8\x20",
        b"\xd8\x23\x63a+b",
        b"\xd8\x1c\x81\xd8\x1d\x00",
    ],
    ids=lambda raw: raw[:6].hex(),
)
def test_hostile_bytes_are_refused_at_once(raw: bytes) -> None:
    began = perf_counter()
    with pytest.raises(RefusedMessage, match="not_cbor"):
        decode(raw)
    assert perf_counter() - began < 3


def test_keys_that_share_one_hash_are_refused_at_once() -> None:
    """-1 and -2 hash alike, so tuples of them do: 8,192 of those took another decoder two seconds, a million ages."""
    keys = (b"\x8d" + bytes(0x20 + bit for bit in bits) + b"\x00" for bits in product((0, 1), repeat=13))
    bigs = (b"\xc2\x58\x20" + (n * (2**61 - 1)).to_bytes(32, "big") + b"\x00" for n in range(50_000))
    for pairs in (keys, bigs):
        began = perf_counter()
        with pytest.raises(RefusedMessage, match="not_cbor"):
            decode(b"\x81\xbf" + b"".join(pairs) + b"\xff")
        assert perf_counter() - began < 1


def test_a_label_stands_once_but_a_number_is_not_its_text() -> None:
    assert decode(cbor2.dumps({1: 1, "1": 2})) == {1: 1, "1": 2}
    with pytest.raises(RefusedMessage, match="stands twice"):
        decode(b"\xa2\x01\x02\x01\x03")


def test_decimal_fractions_and_big_floats_are_numbers() -> None:
    assert decode(cbor2.dumps(Decimal("273.15"))) == Decimal("273.15")
    assert decode(bytes.fromhex("c5822003")) == 1.5  # RFC 8949, 3.4.4
    assert decode(bytes.fromhex("d9d9f7820118ff")) == [1, 255]
