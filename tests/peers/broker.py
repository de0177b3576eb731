"""mosquitto with the settings of our production profile, or with a configuration of the test's own."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.peers.process import Peer, folder, free_port, program

# As in mosquitto/mosquitto.conf; anonymous, since what is tested here is seldom the access control.
SETTINGS = (
    "allow_anonymous true",
    "max_queued_messages 1000000",
    "max_inflight_messages 1000",
    "set_tcp_nodelay true",
)


class Broker(Peer):
    """A running broker; ``url`` is what ``PANTAU_MQTT_URL`` takes."""

    def __init__(self, home: Path, port: int, binary: str, config: str) -> None:
        super().__init__(home, port)
        self.url = f"mqtt://{self.host}:{port}"
        self._binary = binary
        self._config = home / "mosquitto.conf"
        self._config.write_text(config, encoding="utf-8")

    def command(self) -> Sequence[str]:
        return [self._binary, "-c", str(self._config)]


@contextlib.contextmanager
def mosquitto(
    *settings: str,
    persistence: bool = False,
    config: str | None = None,
    port: int | None = None,
    files: Mapping[str, str] | None = None,
) -> Iterator[Broker]:
    """Runs mosquitto.

    Args:
        settings: further lines of the configuration, after ours.
        persistence: whether queues and retained messages outlive an orderly ``stop()``.
        config: a whole configuration instead; ``{home}`` and ``{port}`` in it are replaced.
        port: a fixed port, for a test where the broker comes later than its clients.
        files: further files for the broker's folder, by name.
    """
    binary = program("mosquitto", "tools/apt-peers installs it")
    with folder("mosquitto") as home:
        port = port or free_port()
        if config is None:
            lines = [f"listener {port} 127.0.0.1", *SETTINGS]
            if persistence:
                lines += ["persistence true", f"persistence_location {home}/"]
            config = "\n".join([*lines, *settings, ""])
        else:
            config = config.replace("{home}", str(home)).replace("{port}", str(port))
        if os.geteuid() == 0:
            config += (
                "\nuser root\n"  # else it becomes user `mosquitto`, who may not write to the test's folder
            )
        for name, content in (files or {}).items():
            (home / name).parent.mkdir(exist_ok=True)
            (home / name).write_text(content, encoding="utf-8")
        broker = Broker(home, port, binary, config)
        broker.start()
        try:
            yield broker
        finally:
            broker.kill()
