"""A reading as plain data: what it is by default, and that every field survives being kept."""

import msgspec
import pytest

from pantau.reading import MAIN, Flag, Reading


def test_a_device_reading_that_nobody_has_judged_yet() -> None:
    reading = Reading("116", "water_level", 20.5, 1000, 2000)
    assert (reading.sensor, reading.source, reading.time_source) == (MAIN, "device", "device")
    assert (reading.flag, reading.reason, reading.retained, reading.seq) == (
        Flag.NOT_EVALUATED,
        "",
        False,
        None,
    )


def test_the_flags_are_those_of_qartod() -> None:
    assert {flag.name: int(flag) for flag in Flag} == {
        "GOOD": 1, "NOT_EVALUATED": 2, "SUSPECT": 3, "FAIL": 4, "MISSING": 9,
    }  # fmt: skip


@pytest.mark.parametrize(
    "reading",
    [
        Reading("116", "water_level", -0.0, 1000, 2000),
        Reading("a", "rain", 1e-9, -1, 2**50, "radar", 17, "received", True, "operator:sari", 4, "why"),
    ],
)
def test_it_is_kept_and_read_back_as_it_was(reading: Reading) -> None:
    for codec in (msgspec.msgpack, msgspec.json):
        assert codec.decode(codec.encode(reading), type=Reading) == reading


def test_an_ordinary_reading_costs_few_bytes_in_the_journal() -> None:
    assert (
        len(msgspec.msgpack.encode(Reading("116", "water_level", 20.5, 1_767_225_600_000, 1_767_225_600_700)))
        < 80
    )
