"""The Posko Banjir bridge against a server with a feed of the same shape."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.bridge import Answer, Mark, Page, all_bridges
from pantau.city import DatedLadder, Feed
from pantau.ladder import Ladder
from tests.ingest.bridging import CITY, MINUTE, Rig
from tests.ingest.small_city import T0, small_city
from tests.peers.feeds import SENTINEL, FeedServer, Post, drip, feeds, posko_xml, send, truncated, wib

KATULAMPA, ROB = "pantau/v1/contoh/water_level/116", "pantau/v1/contoh/water_level/rob-1"


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with feeds() as running:
        yield running


@pytest.fixture
def rig(server: FeedServer, tmp_path: Path) -> Iterator[Rig]:
    feed = Feed(
        name="dsda", kind="posko_banjir", url=server.posko, contact="data@example.test",
        stations={"116": "116", "151": "116/new", "117": "rob-1"},
    )  # fmt: skip
    running = Rig(feed, tmp_path)
    yield running
    running.close()


def three(level: float = 800, at: int = T0) -> list[Post]:
    """A post with two sensors of different zeros, a tidal one below zero, one that nobody mapped."""
    return [
        Post(id="116", mm=level, tanggal=wib(at), limits=(800, 1500, 2000)),
        Post(id="151", mm=level + 1130, tanggal=wib(at)),
        Post(id="117", mm=-1650, tanggal=wib(at), limits=(-500, 0, 450)),
        Post(id="999", mm=1, tanggal=wib(at)),
    ]


def item(value: float, at: str) -> dict[str, object]:
    return {"observed_at": at, "value": value}


def test_millimetres_become_centimetres_and_each_sensor_goes_to_its_own_topic(
    server: FeedServer, rig: Rig
) -> None:
    server.posts = three()
    assert sorted(rig.poll()) == sorted([
        (KATULAMPA, item(80, "2026-01-02T03:00:00.000Z")),
        (f"{KATULAMPA}/new", item(193, "2026-01-02T03:00:00.000Z")),
        (ROB, item(-165, "2026-01-02T03:00:00.000Z")),
    ])  # fmt: skip
    assert rig.book.state.skipped == {"unmapped": 1}


def test_only_what_is_new_is_published_and_a_corrected_value_counts_as_new(
    server: FeedServer, rig: Rig
) -> None:
    server.posts = three()
    assert len(rig.poll()) == 3
    server.validators = False
    assert rig.poll() == []
    server.posts[0].mm = 810
    assert rig.poll() == [(KATULAMPA, item(81, "2026-01-02T03:00:00.000Z"))]
    server.posts[0].tanggal = wib(T0 + 5 * MINUTE)
    assert rig.poll() == [(KATULAMPA, item(81, "2026-01-02T03:05:00.000Z"))]


def test_a_post_whose_clock_ran_ahead_is_heard_again_when_it_is_set_right(
    server: FeedServer, rig: Rig
) -> None:
    server.posts = three(at=T0 + 86_400_000)
    assert len(rig.poll()) == 3
    server.posts = three(at=T0 + 5 * MINUTE)
    assert len(rig.poll()) == 3


def test_the_restarted_bridge_remembers_what_it_has_sent(server: FeedServer, rig: Rig) -> None:
    server.posts = three()
    assert len(rig.poll()) == 3
    rig.restart()
    assert rig.poll() == []
    assert [one.headers.get("If-None-Match") is not None for one in server.asked] == [False, True]


def test_what_waited_when_the_process_died_is_still_there(server: FeedServer, rig: Rig) -> None:
    server.posts = three()
    rig.clock.set(T0)
    rig.at.once()
    rig.restart()
    assert len(list(rig.published())) == 3


def test_an_unchanged_document_is_not_sent_twice_by_the_server(server: FeedServer, rig: Rig) -> None:
    server.posts = three()
    rig.poll()
    assert rig.poll() == []
    assert rig.well
    first, second = server.asked
    assert first.headers["Accept-Encoding"] == "gzip"
    assert first.headers["User-Agent"].startswith("Pantau/")
    assert first.headers["User-Agent"].endswith("(city contoh; data@example.test)")
    assert "If-None-Match" in second.headers
    assert "If-Modified-Since" in second.headers


def test_the_tag_of_an_answer_that_could_not_be_read_is_not_remembered(server: FeedServer, rig: Rig) -> None:
    body = posko_xml(*three())
    server.misbehave = [send(200, body[: len(body) // 2], ETag='"broken"')]
    assert rig.poll() == []
    assert not rig.well
    assert "not_xml" in rig.book.state.error
    server.posts = three()
    assert len(rig.poll()) == 3
    assert "If-None-Match" not in server.asked[-1].headers


@pytest.mark.parametrize(
    ("misbehaviour", "words"),
    [
        (send(500), "answered 500"),
        (send(404), "answered 404"),
        (send(304), "answered 304"),
        (send(200, b"<html><body>Log in</body></html>", Content_Type="text/html"), "not_posko"),
        (send(200, b""), "empty"),
        (send(200, b"\x1f\x8b rubbish", Content_Encoding="gzip"), "decompress"),
        (truncated(posko_xml(*three())), "peer closed"),
        (send(301, Location="http://127.0.0.2:1/xmldata.xml"), "another host: not followed"),
        (send(302, Location="ftp://127.0.0.1/x"), "another host: not followed"),
        (send(200, b" " * 300_000), "more than 200000 bytes"),
        (drip(posko_xml(*three()), 3), "took longer than 1 s"),
        (lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n"), ""),
    ],
)  # fmt: skip
def test_a_feed_that_misbehaves_is_told_and_asked_again_later(
    server: FeedServer, rig: Rig, tmp_path: Path, misbehaviour: object, words: str
) -> None:
    rig.close()
    strict = Rig(rig.feed, tmp_path, most_bytes=200_000, answer_s=1.0)
    server.posts = three()
    server.misbehave = [misbehaviour]  # type: ignore[list-item] # one of the above
    assert strict.poll() == []
    state = strict.book.state
    assert (strict.well, state.errors) == (False, 1)
    assert words in state.error
    assert state.last_success is None
    assert len(strict.poll()) == 3
    assert (state.errors, state.error) == (0, "")
    strict.close()


def test_a_redirect_on_the_same_host_is_followed_and_no_further_than_three_times(
    server: FeedServer, rig: Rig
) -> None:
    server.posts = three()
    server.misbehave = [send(301, Location="/xmldata.xml?v=2")]
    assert len(rig.poll()) == 3
    server.misbehave = [send(301, Location="/xmldata.xml")] * 4
    assert rig.poll() == []
    assert "more than 3 redirects" in rig.book.state.error


def test_posts_that_never_reported_are_counted_and_left_out(server: FeedServer, rig: Rig) -> None:
    server.posts = [*three()[:2], Post(id="117", mm=0, tanggal=SENTINEL)]
    assert len(rig.poll()) == 2
    assert rig.well
    assert rig.book.state.skipped == {"clock_not_set": 1}


def test_a_time_without_an_offset_is_on_the_citys_clocks(server: FeedServer, rig: Rig) -> None:
    server.posts = [Post(id="116", mm=800, tanggal="2026-01-02 10:00:00")]
    assert rig.poll() == [(KATULAMPA, item(80, "2026-01-02T03:00:00.000Z"))]


def test_of_two_rows_of_one_post_the_newer_counts_whatever_their_order(server: FeedServer, rig: Rig) -> None:
    old, new = three(800, T0)[0], three(900, T0 + MINUTE)[0]
    server.posts = [new, old]
    assert rig.poll() == [(KATULAMPA, item(90, "2026-01-02T03:01:00.000Z"))]
    server.posts = [old, new]
    server.validators = False
    assert rig.poll() == []


def findings(server: FeedServer, **options: object) -> list[str]:
    """What a look at the served posts finds, in a city whose post 116 has limits."""
    ladder = Ladder(limits=(80.0, 150.0, 200.0))
    city = small_city()
    city.ladders = {"116": (DatedLadder(0, 2**50, ladder),)}
    feed = Feed(name="f", kind="posko_banjir", url=server.posko, stations={"116": "116"}, options=options)
    look = all_bridges()["posko_banjir"].open(city, feed)
    pages: list[Page] = list(look(lambda url: Answer(url, posko_xml(*server.posts)), {}, T0))
    return [text for page in pages for text in page.findings]


def test_limits_that_differ_from_ours_are_a_finding_and_those_never_set_are_none(server: FeedServer) -> None:
    server.posts = three()
    assert findings(server) == []
    server.posts[0].limits = (800, 1500, 2100)
    assert findings(server) == [
        "post 116: the feed has Siaga 3/2/1 at 80/150/210 cm, ladders.csv has 80/150/200 cm for 116"
    ]
    assert findings(server, limits=False) == []
    server.posts[0].limits = None
    assert findings(server) == [
        "post 116: the feed has Siaga 3/2/1 at no limits, ladders.csv has 80/150/200 cm for 116"
    ]


def test_a_post_that_left_the_feed_is_a_finding(server: FeedServer) -> None:
    server.posts = three()[1:]
    assert findings(server) == ["post 116 is not in the feed (any more)"]


def test_without_a_table_of_stations_the_posts_ids_are_the_stations(
    server: FeedServer, tmp_path: Path
) -> None:
    plain = Rig(Feed(name="f", kind="posko_banjir", url=server.posko), tmp_path)
    server.posts = three()
    assert plain.poll() == [(KATULAMPA, item(80, "2026-01-02T03:00:00.000Z"))]
    assert plain.book.state.skipped == {"unmapped": 3}
    plain.close()


@given(body=st.binary(max_size=200) | st.binary(max_size=40).map(lambda junk: posko_xml(*three()) + junk))
def test_any_answer_gives_pages_or_a_refusal(body: bytes) -> None:
    from pantau.errors import RefusedMessage

    feed = Feed(name="f", kind="posko_banjir", url="http://feed.test/x")
    marks = {"116": Mark(T0, 80.0)}
    try:
        pages = list(all_bridges()["posko_banjir"].open(CITY, feed)(lambda url: Answer(url, body), marks, T0))
    except RefusedMessage:
        return
    assert all(seen.source in CITY.stations for page in pages for seen in page.seen)
