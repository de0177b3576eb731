"""Inputs and events as they are kept: their fields, and their place in an array, are part of every journal there is."""

from typing import Any

import msgspec
import pytest

from pantau.event import Command, FlagRevised, Score, Tick, Told, Transition

TRANSITION = Transition(
    alert="a", n=1, at=5, now=6, what="raised", hazard="flood", cause="level", scope="116", station="116", severity=2,
    confirmed=False, confirmed_severity=0, previous=0, state="unacknowledged", value=1.5, why={"limits": [1, None, 2]},
)  # fmt: skip


@pytest.mark.parametrize(
    "event",
    [
        Score("116", "main", "silent", "1", 5, 1.0, "why", True, 2.5), Tick("g", 5, 6),
        Command(1, "shelve", "sari", "a", "116", "main", 5, 6, "note", 1.5, 7, "rain", "river"),
        FlagRevised("116", "rain", "main", 5, 1.5, 6, 4, "why"), Told(1, True, "done"), TRANSITION,
    ],
    ids=lambda event: type(event).__name__,
)  # fmt: skip
def test_it_is_kept_and_read_back_as_it_was(event: Any) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=type(event)) == event


def test_a_journal_of_today_can_be_read_tomorrow() -> None:
    """Fields may be added at the end; what stands before must keep its place."""
    assert Score.__struct_fields__[:6] == ("station", "sensor", "detector", "version", "at", "score")
    assert Tick.__struct_fields__[:3] == ("group", "due", "listening_since")
    assert Command.__struct_fields__ == (
        "id", "verb", "by", "alert", "station", "sensor", "observed_at", "until", "note", "value",
        "received_at", "kind", "group",
    )  # fmt: skip
    assert FlagRevised.__struct_fields__ == (
        "station", "kind", "sensor", "observed_at", "value", "received_at", "flag", "reason",
    )  # fmt: skip


def test_what_an_older_version_wrote_is_filled_with_defaults() -> None:
    short = msgspec.msgpack.encode(["g", 5])
    assert msgspec.msgpack.decode(short, type=Tick) == Tick("g", 5, 0)
