"""`pantau bridge` as a process: a feed of our own on this machine, a real broker, the real service behind it."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.peers import Broker, Pantau, Peer, free_port, mosquitto, pantau, service
from tests.peers.feeds import FeedServer, Post, Stream, feeds, send, wib
from tests.real.test_replay import Listener

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[2]
MINUTE = 60_000


class Bridge(Peer):
    """``pantau bridge`` of a copy of contoh whose city.toml has the given tables."""

    def __init__(self, home: Path, mqtt_url: str, tables: str) -> None:
        super().__init__(home, 0)
        self.city = Path(shutil.copytree(ROOT / "cities" / "contoh", home / "contoh"))
        with (self.city / "city.toml").open("a", encoding="utf-8") as file:
            file.write(tables)
        self.env = {name: text for name, text in os.environ.items() if not name.startswith("PANTAU_")} | {
            "PANTAU_CITY": str(self.city), "PANTAU_MQTT_URL": mqtt_url, "PANTAU_DATA": str(home / "data"),
            "NO_PROXY": "127.0.0.1",
        }  # fmt: skip

    def command(self) -> Sequence[str]:
        return ["env", *(f"{name}={text}" for name, text in self.env.items()), *pantau("bridge")]

    def ready(self) -> bool:
        return "bridges started" in self.output()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            pantau("bridge", *arguments), env=self.env, capture_output=True, text=True, timeout=90, check=False
        )  # fmt: skip

    def waiting(self) -> int:
        """Messages in the outbox of the bridge ``dsda``, without a process of ours."""
        path = self.home / "data" / "bridges" / "contoh-dsda.db"
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as file:
            return int(file.execute("SELECT count(*) FROM outbox").fetchone()[0])
        return -1


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with feeds() as running:
        now = round(time.time() / 60) * MINUTE - 5 * MINUTE
        running.posts = [
            Post(id="116", mm=600, tanggal=wib(now)),
            Post(id="151", mm=1730, tanggal=wib(now)),
            Post(id="189", mm=100, tanggal="2001-01-01T00:00:00+07:00"),
        ]
        running.streams = {"7": Stream("mm")}
        running.streams["7"].add(now, 4, minutes=60)
        yield running


@pytest.fixture
def broker() -> Iterator[Broker]:
    with mosquitto() as running:
        yield running


@contextlib.contextmanager
def bridge(home: Path, mqtt_url: str, server: FeedServer, more: str = "") -> Iterator[Bridge]:
    running = Bridge(
        home,
        mqtt_url,
        f"""
[[bridge]]
name = "dsda"
kind = "posko_banjir"
url = "{server.posko}"
every_s = 60
contact = "data@example.test"
stations = {{116 = "awan-1", 151 = "awan-1/new", 189 = "awan-2"}}
{more}""",
    )
    try:
        yield running
    finally:
        running.kill()


def eventually(claim: Callable[[], bool], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not claim():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def rows(service: Pantau, table: str = "readings") -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(f"file:{service.database}?mode=ro", uri=True)) as file:
        return file.execute(f"SELECT station, sensor, value FROM {table} ORDER BY 1, 2").fetchall()


def test_readings_of_the_feeds_reach_the_store_once(
    tmp_path: Path, server: FeedServer, broker: Broker
) -> None:
    things = f'[[bridge]]\nkind = "sensorthings"\nurl = "{server.things}"\n[bridge.stations]\n7 = "rain-1"\n'
    stations = (ROOT / "cities" / "contoh" / "stations.csv").read_text(encoding="utf-8")
    rain = next(line.split(",")[0] for line in stations.splitlines() if ",rain," in line)
    with (
        service(broker.url) as running,
        bridge(tmp_path, broker.url, server, things.replace("rain-1", rain)) as ours,
    ):
        ours.start()
        eventually(lambda: len(rows(running)) == 3)
        want = [("awan-1", "main", 60.0), ("awan-1", "new", 173.0), (rain, "main", 4.0)]
        assert rows(running) == sorted(want)
        ours.kill()
        eventually(lambda: ours.run("--once").returncode == 0)  # nothing new; asked again, answered 304
        assert len(rows(running)) == 3
        status = [json.loads(line) for line in ours.run("--status", "--json").stdout.splitlines()]
        assert [(one["bridge"], one["ok"], one["waiting"]) for one in status] == [
            ("dsda", True, 0), ("sensorthings", True, 0),
        ]  # fmt: skip
        assert any("If-None-Match" in one.headers for one in server.asked)


def test_a_kill_between_poll_and_publish_loses_nothing(tmp_path: Path, server: FeedServer) -> None:
    port = free_port()
    with bridge(tmp_path, f"mqtt://127.0.0.1:{port}", server) as ours:
        ours.start()
        eventually(lambda: ours.waiting() == 2)
        ours.kill()
        server.posts = []  # the feed has moved on: what was read is only in the file now
        server.misbehave = [send(500)] * 100
        with mosquitto(port=port) as broker, Listener(broker.url) as listener:
            ours.start()
            listener.wait_for(2)
            assert {(topic, json.loads(body)["value"]) for topic, body in listener.messages} == {
                ("pantau/v1/contoh/water_level/awan-1", 60),
                ("pantau/v1/contoh/water_level/awan-1/new", 173),
            }
            eventually(lambda: ours.waiting() == 0)


def test_a_kill_at_any_time_loses_nothing_and_doubles_no_row(
    tmp_path: Path, server: FeedServer, broker: Broker
) -> None:
    now = round(time.time()) * 1000 - 60 * MINUTE
    with service(broker.url) as running, bridge(tmp_path, broker.url, server) as ours:
        for number in range(3):
            server.posts = [Post(id="116", mm=600 + number, tanggal=wib(now + number * MINUTE))]
            before = len(server.asked)
            process = subprocess.Popen(pantau("bridge", "--once"), env=ours.env, stderr=subprocess.DEVNULL)
            eventually(lambda before=before: len(server.asked) > before)  # type: ignore[misc] # bound on purpose
            time.sleep(number * 0.02)
            process.kill()
            process.wait()
            assert ours.run("--once").returncode == 0
        eventually(lambda: len(rows(running)) >= 3)
        assert sorted(value for _, _, value in rows(running)) == [60.0, 60.1, 60.2]


def test_a_broker_that_is_away_costs_time_only(tmp_path: Path, server: FeedServer) -> None:
    port = free_port()
    with bridge(tmp_path, f"mqtt://127.0.0.1:{port}", server) as ours:
        done = ours.run("--once")
        assert done.returncode == 1
        assert ours.waiting() == 2
        server.posts[0].mm = 610
        assert ours.run("--once").returncode == 1
        with mosquitto(port=port) as broker, Listener(broker.url) as listener:
            assert ours.run("--once").returncode == 0
            listener.wait_for(3)
            values = [json.loads(body)["value"] for _, body in listener.messages]
        assert values == [60, 173, 61]
        assert ours.waiting() == 0


def test_a_feed_that_wants_quiet_is_left_alone_by_the_next_call(
    tmp_path: Path, server: FeedServer, broker: Broker
) -> None:
    server.misbehave = [send(429, Retry_After="3000")]
    with bridge(tmp_path, broker.url, server) as ours:
        assert ours.run("--once").returncode == 1
        done = ours.run("--once")
        assert (done.returncode, len(server.asked)) == (1, 1)
        assert "bridge left alone" in done.stderr
        done = ours.run("--status")
        assert done.returncode == 1
        assert "failed 1 times" in done.stdout
        assert "answered 429" in done.stdout


def test_the_command_tells_its_mistakes(tmp_path: Path, server: FeedServer) -> None:
    with bridge(tmp_path, f"mqtt://127.0.0.1:{free_port()}", server) as ours:
        assert "never polled" in ours.run("--status").stdout
        done = ours.run("bmkg")
        assert (done.returncode, "bridge 'bmkg': city.toml has dsda" in done.stderr) == (2, True)
        ours.env["PANTAU_CLOCK"] = "2026-01-01T00:00:00Z,10"
        done = ours.run("--once")
        assert (done.returncode, "no exercise may see" in done.stderr) == (2, True)
        del ours.env["PANTAU_CLOCK"]
        text = (ours.city / "city.toml").read_text(encoding="utf-8")
        (ours.city / "city.toml").write_text(text.replace("every_s = 60", "every_s = 5"), encoding="utf-8")
        done = ours.run()
        assert (done.returncode, "every_s is 5, expected whole seconds" in done.stderr) == (2, True)
    assert server.asked == []


def test_two_processes_do_not_poll_one_feed(tmp_path: Path, server: FeedServer, broker: Broker) -> None:
    with bridge(tmp_path, broker.url, server) as ours:
        ours.start()
        eventually(lambda: len(server.asked) == 1)
        done = ours.run("--once")
        assert (done.returncode, "this bridge runs already" in done.stderr) == (2, True)
        assert len(server.asked) == 1


def test_a_stopped_bridge_ends_soon_even_while_the_feed_hangs(
    tmp_path: Path, server: FeedServer, broker: Broker
) -> None:
    server.misbehave = [lambda _handler: time.sleep(25)]
    with bridge(tmp_path, broker.url, server) as ours:
        ours.start()
        eventually(lambda: len(server.asked) == 1)
        began = time.monotonic()
        ours.stop()
        assert time.monotonic() - began < 12
        assert "bridges stopped" in ours.output()
