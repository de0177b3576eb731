"""What every bridge does, whichever feed it reads; a new file of ``ingest/bridges`` is found here by itself.

A bridge that is not in ``FEEDS`` fails: give it a feed of its shape in ``tests/peers/feeds.py``.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.bridge import Answer, all_bridges
from ingest.decode import Decoder
from ingest.format import Message
from pantau.city import Feed
from pantau.errors import RefusedMessage
from tests.ingest.bridging import CITY, MINUTE, Rig
from tests.ingest.small_city import T0
from tests.peers.feeds import FeedServer, Post, Stream, feeds, send, truncated, wib

BRIDGES = sorted(all_bridges())
Show = Callable[[FeedServer, float, int], None]


def _posko(server: FeedServer, level_cm: float, at: int) -> None:
    server.posts = [Post(id="p", mm=level_cm * 10, tanggal=wib(at))]


def _things(server: FeedServer, level_cm: float, at: int) -> None:
    server.streams.setdefault("p", Stream("cm")).add(at, level_cm)


FEEDS: dict[str, tuple[str, Show]] = {
    "posko_banjir": ("/xmldata.xml", _posko),
    "sensorthings": ("/v1.1", _things),
}
"""Where on the server each one's feed is, and how it comes to show a level of its sensor ``p`` (cm) at an instant."""


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with feeds() as running:
        yield running


@pytest.fixture(params=BRIDGES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rig(name: str, server: FeedServer, tmp_path: Path) -> Iterator[Rig]:
    running = Rig(feed_of(name, server.root), tmp_path)
    yield running
    running.close()


def feed_of(name: str, root: str, **more: object) -> Feed:
    fields = {"name": "f", "kind": name, "url": root + FEEDS[name][0], "stations": {"p": "116/b"}}
    return Feed(**{**fields, **more})  # type: ignore[arg-type] # as each test wants it


def show(name: str, server: FeedServer, level_cm: float, at: int) -> None:
    FEEDS[name][1](server, level_cm, at)


def test_every_bridge_has_a_feed_here() -> None:
    assert set(FEEDS) == set(BRIDGES)
    assert all(bridge.name == name for name, bridge in all_bridges().items())


def test_a_good_table_has_no_problem_and_a_wrong_option_has_one(name: str) -> None:
    bridge = all_bridges()[name]
    assert bridge.problems(CITY, feed_of(name, "http://feed.test")) == []
    (problem,) = bridge.problems(CITY, feed_of(name, "http://feed.test", options={"no such option": 1}))
    assert "no such option" in problem
    assert "\n" not in problem


def test_what_is_published_is_what_a_device_would_send(name: str, server: FeedServer, rig: Rig) -> None:
    show(name, server, 80.5, T0)
    rig.clock.set(T0)
    rig.at.once()
    (waiting,) = rig.book.waiting(10)
    assert waiting.topic == "pantau/v1/contoh/water_level/116/b"
    assert not waiting.retain
    batch = Decoder(CITY).decode([Message(waiting.topic, waiting.payload, T0)])
    assert [(r.station, r.sensor, r.value, r.observed_at) for r in batch.readings] == [("116", "b", 80.5, T0)]
    assert not batch.refused


def test_nothing_is_published_twice_and_nothing_new_is_left_out(
    name: str, server: FeedServer, rig: Rig
) -> None:
    for step in range(4):
        show(name, server, step, T0 + step * MINUTE)
        assert [item["value"] for _, item in rig.poll()] == [step]
        assert rig.poll() == []
        rig.restart()


def test_a_changed_value_of_the_newest_instant_is_published_again(
    name: str, server: FeedServer, rig: Rig
) -> None:
    show(name, server, 80, T0)
    rig.poll()
    show(name, server, 81, T0)
    assert [item["value"] for _, item in rig.poll()] == [81]
    assert rig.poll() == []


def test_a_failure_costs_a_poll_and_no_reading(name: str, server: FeedServer, rig: Rig) -> None:
    show(name, server, 80, T0)
    server.misbehave = [send(500), send(200, b"{"), truncated(b"<")]
    assert [rig.poll(), rig.poll(), rig.poll()] == [[], [], []]
    assert rig.book.state.errors == 3
    assert len(rig.poll()) == 1
    assert rig.book.state.errors == 0


@pytest.mark.parametrize("name", BRIDGES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
def test_any_bytes_give_pages_or_a_refusal(name: str, body: bytes) -> None:
    look = all_bridges()[name].open(CITY, feed_of(name, "http://feed.test"))
    try:
        pages = list(look(lambda url: Answer(url, body), {}, T0))
    except RefusedMessage:
        return
    assert all(seen.source == "p" for page in pages for seen in page.seen)
