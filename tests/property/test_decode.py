"""decode(encode(r)) == r, whatever the reading; and unit, order and index are kept."""

import json
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from ingest.decode import Decoder
from ingest.format import Message
from ingest.formats.native import encode, topic_of
from ingest.stamp import LATEST
from ingest.topic import matches
from pantau.reading import MAIN, Reading
from tests.ingest.small_city import T0, small_city

DAY = 86_400_000
PLACES = [("116", "water_level"), ("rob-1", "water_level"), ("hujan", "rain"), ("monas", "crowd_count")]
names = st.text(min_size=1, max_size=100).filter(
    lambda name: name.isprintable() and not set(name) & set("/+#")
)


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    station, kind = draw(st.sampled_from(PLACES))
    return Reading(
        station,
        kind,
        draw(st.floats(allow_nan=False, allow_infinity=False)),
        draw(st.integers(T0 - 366 * DAY, LATEST)),
        T0,
        draw(st.just(MAIN) | names),
        draw(st.none() | st.integers(-(2**63), 2**63 - 1)),
        retained=draw(st.booleans()),
    )


@given(reading=readings())
def test_what_a_device_sends_is_what_comes_out(reading: Reading) -> None:
    message = Message(topic_of("contoh", reading), encode(reading), T0, reading.retained)
    batch = Decoder(small_city()).decode([message])
    assert (batch.readings, batch.refused) == ([reading], [])


@given(
    first=readings(),
    more=st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, DAY)), min_size=1, max_size=20),
)
def test_an_array_comes_out_in_the_order_it_was_sent(first: Reading, more: list[tuple[float, int]]) -> None:
    sent = [
        first,
        *(Reading(first.station, first.kind, value, T0 + at, T0, first.sensor, retained=first.retained)
          for value, at in more),
    ]  # fmt: skip
    message = Message(topic_of("contoh", first), encode(*sent), T0, first.retained)
    assert Decoder(small_city()).decode([message]).readings == sent


@given(bad=st.lists(st.booleans(), min_size=1, max_size=30))
def test_bad_items_of_an_array_are_refused_with_their_index_and_the_others_kept(bad: list[bool]) -> None:
    items = [{"observed_at": T0 + n, "value": "x" if is_bad else n} for n, is_bad in enumerate(bad)]
    message = Message("pantau/v1/contoh/rain/hujan", json.dumps(items).encode(), T0)
    batch = Decoder(small_city()).decode([message])
    assert [refused.index for refused in batch.refused] == [n for n, is_bad in enumerate(bad) if is_bad]
    assert [reading.value for reading in batch.readings] == [n for n, is_bad in enumerate(bad) if not is_bad]


@given(
    at=st.datetimes(datetime(2025, 6, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - gets its offset below
    offset=st.integers(-14 * 60, 14 * 60),
)
def test_an_instant_is_the_same_in_every_offset(at: datetime, offset: int) -> None:
    stamp = at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=timezone(timedelta(minutes=offset)))
    payload = json.dumps({"observed_at": stamp.isoformat(), "value": 1}).encode()
    (reading,) = Decoder(small_city()).decode([Message("pantau/v1/contoh/rain/hujan", payload, T0)]).readings
    assert reading.observed_at == (stamp - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


LEVELS = st.lists(st.sampled_from(["a", "b", "", "$x"]), min_size=1, max_size=5)


@given(levels=LEVELS, data=st.data())
def test_a_filter_made_from_a_topic_matches_it(levels: list[str], data: st.DataObject) -> None:
    wild = [data.draw(st.sampled_from([level, "+"])) for level in levels]
    if data.draw(st.booleans()):
        wild = [*wild[: data.draw(st.integers(0, len(wild)))], "#"]
    hidden = levels[0].startswith("$") and wild[0] in {"+", "#"}
    assert matches("/".join(wild), "/".join(levels)) is not hidden
