"""The SensorThings bridge against a service that answers queries as FROST does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.bridge import Answer, all_bridges
from pantau.city import Feed
from pantau.errors import RefusedMessage
from tests.ingest.bridging import CITY, MINUTE, Rig
from tests.ingest.small_city import T0
from tests.peers.feeds import FeedServer, Stream, feeds, send

TOPIC = "pantau/v1/contoh/water_level/116"
RAIN = "pantau/v1/contoh/rain/hujan"


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with feeds() as running:
        running.streams = {"42": Stream(), "hujan/1": Stream("mm")}
        yield running


@pytest.fixture
def rig(server: FeedServer, tmp_path: Path) -> Iterator[Rig]:
    running = Rig(things(server), tmp_path)
    yield running
    running.close()


def things(server: FeedServer, **options: Any) -> Feed:
    stations = {"42": "116", "hujan/1": "hujan"}
    return Feed(name="sta", kind="sensorthings", url=f"{server.things}/", stations=stations, options=options)


def values(published: list[tuple[str, Any]], topic: str = TOPIC) -> list[float]:
    """Values of a topic, arrays unfolded."""
    payloads = [payload for name, payload in published if name == topic]
    return [
        item["value"]
        for payload in payloads
        for item in (payload if isinstance(payload, list) else [payload])
    ]


def test_observations_come_in_the_unit_of_the_kind_at_their_own_time(server: FeedServer, rig: Rig) -> None:
    server.streams["42"].add(T0, 2.01)
    server.streams["hujan/1"].add(T0, 3, minutes=60)
    assert rig.poll() == [
        (TOPIC, {"observed_at": "2026-01-02T03:00:00.000Z", "value": 201}),
        (RAIN, {"observed_at": "2026-01-02T03:00:00.000Z", "value": 3}),
    ]


def test_the_question_is_what_the_standard_says(server: FeedServer, rig: Rig) -> None:
    rig.poll()
    paths = [unquote(one.path) for one in server.asked]
    query = "$filter=phenomenonTime ge 2026-01-01T03:05:00.000Z&$orderby=phenomenonTime asc&$top=1000"
    assert paths == [
        "/v1.1/Datastreams(42)",
        f"/v1.1/Datastreams(42)/Observations?{query}",
        "/v1.1/Datastreams('hujan/1')",
        f"/v1.1/Datastreams('hujan/1')/Observations?{query}",
    ]
    rig.poll()
    assert len(server.asked) == 6  # units are known for a day
    rig.poll(24 * 60)
    assert len(server.asked) == 10


def test_only_new_observations_come_and_a_correction_of_the_last_one(server: FeedServer, rig: Rig) -> None:
    stream = server.streams["42"]
    stream.add(T0, 1)
    assert values(rig.poll()) == [100]
    assert rig.poll() == []
    stream.add(T0 + MINUTE, 2)
    stream.add(T0 + 2 * MINUTE, 3)
    assert values(rig.poll()) == [200, 300]
    stream.observations[-1].result = 3.5
    assert values(rig.poll()) == [350]
    rig.restart()
    assert rig.poll() == []


def test_intervals_that_touch_are_not_skipped_and_the_last_may_be_corrected(
    server: FeedServer, rig: Rig
) -> None:
    stream = server.streams["hujan/1"]
    stream.add(T0, 1, minutes=60)
    assert values(rig.poll(), RAIN) == [1]
    stream.add(T0 + 60 * MINUTE, 2, minutes=60)
    assert values(rig.poll(60), RAIN) == [2]
    assert rig.poll() == []
    stream.observations[-1].result = 2.5
    assert values(rig.poll(), RAIN) == [2.5]


def test_an_outage_is_made_up_for_page_by_page_and_bounded_in_a_poll(
    server: FeedServer, tmp_path: Path
) -> None:
    few = Rig(things(server, top=10, pages=3), tmp_path)
    for minute in range(70):
        server.streams["42"].add(T0 - (70 - minute) * MINUTE, minute / 100)
    first, second, third, fourth = (values(few.poll()) for _ in range(4))
    assert (len(first), len(second), len(third), fourth) == (30, 29, 11, [])
    assert [*first, *second, *third] == [float(n) for n in range(70)]
    few.close()


def test_pages_before_the_one_that_failed_are_kept(server: FeedServer, tmp_path: Path) -> None:
    few = Rig(things(server, top=10), tmp_path)
    for minute in range(30):
        server.streams["42"].add(T0 - (30 - minute) * MINUTE, minute / 100)

    def then_fail(handler: Any) -> None:
        server.misbehave.insert(0, send(503, Retry_After="600"))
        server._answer(handler)

    server.misbehave = [server._answer, then_fail]
    assert len(values(few.poll())) == 10
    assert not few.well
    assert len(values(few.poll(11))) == 20
    few.close()


def test_a_next_page_on_another_host_is_not_followed(server: FeedServer, tmp_path: Path) -> None:
    few = Rig(things(server, top=10), tmp_path)
    server.public = "http://frost.internal:8080/v1.1"
    for minute in range(30):
        server.streams["42"].add(T0 - (30 - minute) * MINUTE, minute / 100)
    assert len(values(few.poll())) == 10  # and from there on at the next poll: nothing is lost but time
    assert few.book.state.skipped == {"datastream": 1}
    assert len(values(few.poll())) == 9
    few.close()


def test_times_without_offset_and_results_that_are_no_numbers_are_skipped_with_their_reason(
    server: FeedServer, rig: Rig
) -> None:
    stream = server.streams["42"]
    stream.add(T0, 1, text="2026-01-02T03:00:00")
    stream.add(T0, "dry")
    stream.add(T0, True)
    stream.add(T0, None)
    stream.add(T0, {"a": 1})
    stream.add(T0, 1, text="yesterday")
    stream.add(T0, 1, text="2026-01-02T03:00:00Z/2026-01-02T02:00:00Z")
    stream.add(T0, 1, text="2001-01-01T00:00:00Z")
    stream.add(T0 + 86_400_000, 9)
    stream.add(T0, "1.5")  # as older services write numbers
    assert values(rig.poll()) == [150]
    assert rig.well
    assert rig.book.state.skipped == {
        "naive_time": 1, "bad_value": 3, "no_result": 1, "bad_time": 2, "clock_not_set": 1, "ahead": 1,
    }  # fmt: skip


def test_a_stamp_far_ahead_does_not_hide_what_follows(server: FeedServer, rig: Rig) -> None:
    stream = server.streams["42"]
    stream.add(T0 + 60 * MINUTE, 9)
    assert rig.poll() == []
    stream.add(T0 + 5 * MINUTE, 1)
    assert values(rig.poll()) == [100]
    assert values(rig.poll(60)) == [900]


def test_of_two_observations_at_one_instant_the_one_entered_last_counts(server: FeedServer, rig: Rig) -> None:
    stream = server.streams["42"]
    stream.add(T0, 1)
    stream.add(T0, 2)
    stream.observations.reverse()
    assert values(rig.poll()) == [200]
    assert rig.poll() == []


@pytest.mark.parametrize("symbol", ["degC", None, "", {"m": 1}])
def test_a_unit_that_the_kind_does_not_take_brings_nothing(
    server: FeedServer, rig: Rig, symbol: object
) -> None:
    server.streams["42"] = Stream(symbol)
    server.streams["42"].add(T0, 1)
    server.streams["hujan/1"].add(T0, 1)
    assert values(rig.poll(), RAIN) == [1]
    assert rig.well
    assert rig.book.state.skipped == {"datastream": 1}


def test_when_every_datastream_fails_the_poll_does(server: FeedServer, rig: Rig) -> None:
    server.streams = {}
    assert rig.poll() == []
    assert not rig.well
    assert "answered 404" in rig.book.state.error


def test_a_service_that_wants_quiet_is_not_asked_for_the_other_datastreams(
    server: FeedServer, rig: Rig
) -> None:
    server.misbehave = [send(429, Retry_After="1200")]
    assert rig.poll() == []
    assert len(server.asked) == 1
    assert 1200 <= rig.at.due_in_s() < 1400


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["value", "phenomenonTime", "result", "@iot.id", "@iot.nextLink"]), inner, max_size=4
    ),
    max_leaves=12,
)  # fmt: skip


@given(page=JSONISH, body=st.binary(max_size=50), whole=st.booleans())
def test_any_answer_gives_pages_or_an_error_on_purpose(page: Any, body: bytes, whole: bool) -> None:
    import json

    feed = Feed(
        name="s", kind="sensorthings", url="http://feed.test", stations={"1": "116"}, options={"pages": 2}
    )
    found = json.dumps({"value": page if isinstance(page, list) else [page]}).encode() if whole else body

    def ask(url: str) -> Answer:
        return Answer(url, found if "Observations" in url else b'{"unitOfMeasurement": {"symbol": "m"}}')

    try:
        pages = list(all_bridges()["sensorthings"].open(CITY, feed)(ask, {}, T0))
    except RefusedMessage:
        return
    assert all(seen.source == "1" for page in pages for seen in page.seen)
