"""The broker's own death: measured and reported, not asserted. What it acknowledged and had not on disk is gone.

Every message carries a number, so that what is missing at the end is known exactly; it is what a device's ``seq`` would
show as a gap.
"""

import os
import re
import signal
import time
from dataclasses import dataclass

from simulators.publish import MqttPublisher
from tests.faults import load
from tests.faults.outcome import rows
from tests.faults.town import STREAM, make_city
from tests.faults.victim import Victim, data_folder
from tests.peers import mosquitto
from tests.peers.process import ROOT, folder

PROFILES = ("mosquitto.conf", "durable.conf")
_HOLDING = re.compile("max_|message_size_limit|persist|autosave_|set_tcp_nodelay")


@dataclass
class Loss:
    """What a broker that was killed lost."""

    profile: str
    service: str
    kills: int
    acknowledged: int
    missing: int
    gaps: int


def profile(name: str) -> str:
    """What a shipped profile says of queues and saving; who may come in is not the question here."""
    text = (ROOT / "mosquitto" / name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if _HOLDING.match(line)]
    return "\n".join(["listener {port} 127.0.0.1", "allow_anonymous true", *lines, ""]).replace(
        "/mosquitto/data/", "{home}/"
    )


def measure(name: str, *, away: bool, kills: int = 3, rate: float = 800.0, between_s: float = 4.0) -> Loss:
    """Publishes under load, kills the broker again and again, and counts what never became a reading.

    Args:
        away: whether the service is down while the broker is killed, so that the broker holds everything.
    """
    with folder("broker-death") as home, mosquitto(config=profile(name)) as broker:
        data_folder(home)
        victim = Victim(home, broker.url, city=str(make_city(home)))
        victim.settings["PANTAU_CLOCK"] = load.clock(time.time_ns() // 1_000_000)
        try:
            victim.launch()
            victim.subscribed()
            os.kill(broker.pid, signal.SIGUSR1)  # saves: the session is on disk, as after the first minute
            time.sleep(1.0)
            if away:
                victim.stop()
            with MqttPublisher(broker.url) as publisher:
                sent = 0
                for part in range(kills + 1):
                    began = time.monotonic()
                    while time.monotonic() - began < between_s:
                        _send(publisher, sent)
                        sent += 1
                        time.sleep(
                            max(0.0, began + (sent % (rate * between_s)) / rate - time.monotonic()) / 4
                        )
                    if part < kills:
                        broker.kill()
                        broker.start()
                publisher.flush(120)
            if away:
                victim.launch()
                victim.subscribed()
            missing = _missing(victim, sent)
        finally:
            victim.kill()
            victim.http.close()
    gaps = sum(number - 1 not in missing for number in missing)
    return Loss(name, "away" if away else "connected", kills, sent, len(missing), gaps)


def _send(publisher: MqttPublisher, number: int) -> None:
    station = STREAM[number % len(STREAM)]
    at = load.START_MS - 200 * 60_000 + number * 50
    publisher.send(*load.message(station, number, at, seq=number // len(STREAM)))


def _missing(victim: Victim, sent: int) -> set[int]:
    """Numbers that are not stored when nothing comes any more."""
    there: set[int] = set()
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < 8 and len(there) < sent:
        time.sleep(0.5)
        found = {int(row["value"]) for row in rows(victim.database, "SELECT value FROM readings")}
        if found != there:
            there, quiet_since = found, time.monotonic()
    return set(range(sent)) - there
