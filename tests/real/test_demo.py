"""``pantau demo`` as a user starts it: a flood comes down the river, this machine is told, and all of it ends."""

import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from app.clock import RealClock
from app.demo import broker as demo_broker_module
from app.demo.broker import demo_broker, find_mosquitto
from app.demo.receivers import Inbox, mqtt_watcher
from ingest.reader import MqttReceiver
from simulators.publish import MqttPublisher
from tests.peers import pantau

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[2]
POSTS = ["Katulampa", "Depok", "Manggarai"]


class Demo:
    """A running demo: what it printed so far, and its API."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [*pantau("demo", "--city", str(ROOT / "cities" / "jakarta")), *arguments]
        self.errors = folder / "stderr"
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=folder
            )
        self.lines: list[str] = []
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            self.lines += (line for line in lines)

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def wait_for(self, claim: Callable[[], object], within_s: float = 60) -> None:
        deadline = time.monotonic() + within_s
        while not claim():
            assert self.process.poll() is None, (
                f"it ended early:\n{self.output}\n{self.errors.read_text()[-2000:]}"
            )
            assert time.monotonic() < deadline, f"it did not happen in {within_s:.0f} s:\n{self.output}"
            time.sleep(0.1)

    def page(self) -> str:
        self.wait_for(lambda: re.search(r"Public page: (http://\S+)", self.output))
        found = re.search(r"Public page: (http://\S+)", self.output)
        assert found is not None
        return found[1]

    def end(self) -> int:
        code = self.process.wait(40)
        self._reader.join(10)
        return code

    def children(self) -> list[int]:
        pid = self.process.pid
        try:
            tasks = list(Path(f"/proc/{pid}/task").iterdir())
            return [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except FileNotFoundError:
            return []


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    running: list[Demo] = []

    def make(*arguments: str) -> Demo:
        running.append(Demo(tmp_path, *arguments))
        return running[-1]

    yield make
    for demo in running:
        if demo.process.poll() is None:
            demo.process.send_signal(signal.SIGINT)
            try:
                demo.process.wait(20)
            except subprocess.TimeoutExpired:
                demo.process.kill()
                demo.process.wait()


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def level_alerts(page: str) -> list[dict[str, Any]]:
    found = httpx.get(f"{page}api/v1/alerts?state=all&hazard=flood", trust_env=False, timeout=10).json()[
        "alerts"
    ]
    return [alert for alert in found if alert["cause"] == "level"]


def first_raised(page: str) -> dict[str, str]:
    """When each post of the Ciliwung was raised to Siaga 2 or worse (Manggarai stands at Siaga 3 from the start)."""
    first: dict[str, str] = {}
    for alert in level_alerts(page):
        for post in (post for post in POSTS if post in alert["headline"]["id"]):
            entries = httpx.get(f"{page}api/v1/alerts/{alert['id']}", trust_env=False, timeout=10).json()[
                "timeline"
            ]
            raised = [
                entry["at"] for entry in entries if entry["what"] == "raised" and entry["severity"] >= 2
            ]
            first |= {post: min(raised[0], first.get(post, "9"))} if raised else {}
    return first


def test_the_wave_comes_down_the_river_is_told_over_both_ways_and_the_demo_ends_by_itself(
    start: Callable[..., Demo],
) -> None:
    began = time.monotonic()
    demo = start("--once", "--speed", "6000")
    page = demo.page()
    demo.wait_for(lambda: len(first_raised(page)) == 3)
    assert time.monotonic() - began < 60
    first = first_raised(page)
    assert sorted(first, key=first.__getitem__) == POSTS
    assert "LATIHAN" in httpx.get(f"{page}id", trust_env=False).text
    assert "EXERCISE" in httpx.get(f"{page}en", trust_env=False).text
    children = demo.children()
    assert demo.end() == 0
    assert not [pid for pid in children if is_alive(pid)]
    shown = [line for line in demo.lines if line.startswith("[LATIHAN / EXERCISE]")]
    last = shown[-1]
    for way in ("webhook", "mqtt"):
        count = re.search(rf"{way} (\d+)", last)
        assert count is not None
        assert int(count[1]) > 5
    assert "100%" in last
    assert demo.lines[0].startswith("LATIHAN / EXERCISE: nobody outside this machine is told anything")
    assert demo.lines[-1].strip() == "Done."
    assert "Traceback" not in demo.errors.read_text(encoding="utf-8")


def test_the_end_of_the_flood_is_told_once_and_nothing_is_repeated_after_it(
    start: Callable[..., Demo],
) -> None:
    demo = start("--speed", "20000")
    demo.wait_for(lambda: "The flood has passed; Ctrl-C ends it." in demo.output)
    page = demo.page()
    time.sleep(6)  # a line came every five seconds until then
    assert httpx.get(f"{page}api/v1/alerts", trust_env=False, timeout=10).status_code == 200
    passed = next(n for n, line in enumerate(demo.lines) if line.startswith("The flood has passed"))
    assert "100%" in demo.lines[passed - 1]
    assert demo.lines[passed + 1 :] == []
    demo.process.send_signal(signal.SIGINT)
    assert demo.end() == 0


def test_control_c_in_the_middle_ends_everything_cleanly(start: Callable[..., Demo]) -> None:
    demo = start("--speed", "6000")
    page = demo.page()
    demo.wait_for(lambda: level_alerts(page))
    children = demo.children()
    assert children if find_mosquitto() else True
    demo.process.send_signal(signal.SIGINT)
    assert demo.end() == 0
    assert not [pid for pid in children if is_alive(pid)]
    with pytest.raises(httpx.ConnectError):
        httpx.get(page, trust_env=False, timeout=2)
    assert "Traceback" not in demo.output + demo.errors.read_text(encoding="utf-8")
    assert "Done." not in demo.output


def test_where_mosquitto_is_not_installed_the_wheels_broker_is_used_and_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_broker_module, "find_mosquitto", lambda: None)
    inbox = Inbox()
    with demo_broker(tmp_path) as broker:
        assert broker.name == "iotcore"
        for words in ("not durable", "apt install mosquitto", "brew install mosquitto"):
            assert words in broker.note
        with (
            mqtt_watcher(inbox, broker.url, "notices/#", RealClock()),
            MqttPublisher(broker.url) as publisher,
        ):
            publisher.wait_connected(10)
            deadline = time.monotonic() + 20
            while not inbox.counts and time.monotonic() < deadline:
                publisher.send("notices/x", b'{"notice_id": "1", "title": "LATIHAN"}')
                publisher.flush(10)
                time.sleep(0.2)
    assert inbox.counts == {"mqtt": 1}
    assert not list(tmp_path.iterdir())


def test_the_brokers_listen_on_this_machine_only(tmp_path: Path) -> None:
    with demo_broker(tmp_path) as broker:
        assert broker.url.startswith("mqtt://127.0.0.1:")
        receiver = MqttReceiver(broker.url, "test", ["x"], RealClock())
        receiver.start()
        deadline = time.monotonic() + 10
        while not receiver.subscribed and time.monotonic() < deadline:
            receiver.take(0.05)
        assert receiver.subscribed
        receiver.stop()
        port = int(broker.url.rpartition(":")[2])
        listening = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
        hosts = {
            line.split()[1]
            for line in listening
            if line.split()[3] == "0A" and line.split()[1].endswith(f":{port:04X}")
        }
        assert hosts == {f"0100007F:{port:04X}"}
