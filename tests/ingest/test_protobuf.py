"""Protobuf's wire format: what is written is read again, and whatever else comes is refused, quickly."""

import struct
import time
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.protobuf import BYTES, FIXED32, FIXED64, VARINT, Field, bytes_field, fields, single, varint_field
from pantau.errors import RefusedMessage

NUMBERS = st.integers(1, 2**29 - 1)
WHOLES = st.integers(0, 2**64 - 1)


def read(data: bytes, most: int = 1_000) -> list[Field]:
    return list(fields(data, most))


@given(st.lists(st.tuples(NUMBERS, WHOLES | st.binary(max_size=300)), max_size=20))
def test_what_is_written_is_read_again(written: list[tuple[int, int | bytes]]) -> None:
    data = b"".join(
        bytes_field(number, found) if isinstance(found, bytes) else varint_field(number, found)
        for number, found in written
    )
    assert read(data) == [
        Field(number, BYTES, 0, found) if isinstance(found, bytes) else Field(number, VARINT, found, b"")
        for number, found in written
    ]


def test_numbers_of_fixed_width_are_handed_out_as_bytes() -> None:
    data = b"\x65" + struct.pack("<f", 1.5) + b"\x69" + struct.pack("<d", 2.5)
    assert read(data) == [
        Field(12, FIXED32, 0, struct.pack("<f", 1.5)),
        Field(13, FIXED64, 0, struct.pack("<d", 2.5)),
    ]


@given(st.binary(max_size=400))
@example(b"\xff" * 400)
@example(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
@example(b"\x08" + b"\x80" * 9 + b"\x7f")
def test_any_bytes_give_fields_or_a_refusal(data: bytes) -> None:
    found: list[Field] = []
    with suppress(RefusedMessage):  # any other error fails the test
        found.extend(fields(data, 1_000))
    assert sum(len(field.data) for field in found) <= len(data)
    assert all(0 <= field.whole < 2**64 and 0 < field.number < 2**29 for field in found)


@given(st.lists(st.tuples(NUMBERS, st.binary(min_size=1, max_size=40)), min_size=1, max_size=4), st.data())
def test_a_message_that_is_cut_off_within_a_field_is_refused(
    written: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    whole = b"".join(bytes_field(number, found) for number, found in written)
    last = bytes_field(*written[-1])
    cut = whole[: -data.draw(st.integers(1, len(last) - 1))]
    with pytest.raises(RefusedMessage, match="not protobuf"):
        read(cut)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x00\x00", "field number 0"),
        (b"\x0b\x0c", "wire type 3"),
        (b"\x0f", "wire type 7"),
        (b"\x08", "ends within a number"),
        (b"\x08" + b"\x80" * 10, "more than 10 bytes"),
        (b"\x0a\x05abc", "wants 5 bytes, 3 are left"),
        (b"\x0d\x00\x00", "wants 4 bytes, 2 are left"),
    ],
)
def test_a_refusal_says_where_and_what(data: bytes, why: str) -> None:
    with pytest.raises(RefusedMessage, match=why):
        read(data)


def test_a_million_fields_are_refused_at_the_limit_not_at_the_end() -> None:
    began = time.perf_counter()
    with pytest.raises(RefusedMessage, match="more than 50 fields"):
        read(b"\x08\x00" * 1_000_000, most=50)
    assert time.perf_counter() - began < 1


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_is_the_same_float_in_fewer_digits(value: float) -> None:
    data = struct.pack("<f", value)
    assert struct.pack("<f", single(data)) == data


@given(st.integers(-99_999, 99_999), st.integers(0, 3))
def test_a_float_of_a_short_decimal_number_is_that_number(digits: int, places: int) -> None:
    meant = digits / 10**places
    assert single(struct.pack("<f", meant)) == meant
