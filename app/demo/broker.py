"""A broker for the demo: mosquitto as a child process where it is installed, else the one in the ``iotcore`` wheel."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from iotcore import Broker as IotcoreBroker

from pantau.errors import Unavailable

__all__ = ["DemoBroker", "demo_broker", "find_mosquitto", "free_port"]

_CONF = """listener {port} 127.0.0.1
allow_anonymous true
max_inflight_messages 1000
max_queued_messages 1000000
persistence true
persistence_location {folder}/
log_dest none
"""


class DemoBroker(NamedTuple):
    """Where it listens, and what a user should know of it."""

    url: str
    name: str
    note: str


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_mosquitto() -> str | None:
    """Path of the program; Debian puts it where an ordinary user's PATH does not look."""
    return shutil.which("mosquitto") or shutil.which(
        "mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
    )


@contextmanager
def demo_broker(folder: Path) -> Iterator[DemoBroker]:
    """Start a broker on 127.0.0.1, end it afterwards.

    Raises:
        Unavailable: it did not start.
    """
    port, program = free_port(), find_mosquitto()
    url = f"mqtt://127.0.0.1:{port}"
    if program is None:
        note = (
            "mosquitto is not installed, so the broker of the iotcore wheel is used: it keeps nothing when it ends"
            " (not durable). For real use: apt install mosquitto, or brew install mosquitto."
        )
        with IotcoreBroker(port=port, listen="127.0.0.1", max_payload_size=1 << 20, max_inflight_count=1000):
            yield DemoBroker(url, "iotcore", note)
        return
    conf = folder / "mosquitto.conf"
    text = _CONF.format(port=port, folder=folder)
    if os.geteuid() == 0:
        text += "user root\n"  # else it becomes user mosquitto, who may not write into our folder
    conf.write_text(text, encoding="utf-8")
    process = subprocess.Popen(
        [program, "-c", str(conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(process, port)
        yield DemoBroker(url, "mosquitto", "")
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise Unavailable(
        "mosquitto", f"did not listen on 127.0.0.1:{port} within 10 s (exit code {process.poll()})"
    )
