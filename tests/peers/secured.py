"""mosquitto as we ship it: our configuration with its paths and ports replaced, the plugin and its first users."""

import contextlib
import json
import re
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

from ingest.access import first_config
from tests.peers.broker import Broker, mosquitto
from tests.peers.process import ROOT, free_port, missing

FOLDER = ROOT / "mosquitto"


def plugin() -> Path:
    """Where the plugin lies on this machine (Debian: below the architecture's name)."""
    found = sorted(Path("/usr/lib").glob("**/mosquitto_dynamic_security.so"))
    return found[0] if found else missing("mosquitto_dynamic_security.so; Debian's mosquitto brings it")


def rewritten(profile: str, *, device_port: int, service_port: int, extra: Path | None = None) -> str:
    """The shipped file for a test's folder; ``extra`` stands for conf.d."""
    text = (FOLDER / profile).read_text(encoding="utf-8")
    for shipped, port in (("1883", device_port), ("1884", service_port)):
        text, count = re.subn(
            rf"^listener {shipped}$", f"listener {port} 127.0.0.1", text, flags=re.MULTILINE
        )
        assert count == 1, f"{profile}: listener {shipped}"
    text = text.replace("/usr/lib/mosquitto_dynamic_security.so", str(plugin()))
    text = text.replace("/mosquitto/data/", "{home}/")
    return text.replace("/mosquitto/config/conf.d", str(extra) if extra else "{home}/conf.d")


class SecuredBroker:
    """A broker that lets in only whom it knows.

    Attributes:
        peer: the process; ``kill``, ``stop``, ``start``.
        url, admin_url: what ``PANTAU_MQTT_URL`` and ``PANTAU_MQTT_ADMIN_URL`` take.
        port: where devices knock.
    """

    def __init__(self, peer: Broker, port: int, passwords: dict[str, str]) -> None:
        self.peer = peer
        self.host = peer.host
        self.port = port
        self.url, self.admin_url = (
            f"mqtt://{user}:{passwords[user]}@{peer.host}:{peer.port}" for user in ("pantau", "admin")
        )
        self.password = passwords["pantau"]

    def url_for(self, user: str, password: str) -> str:
        """URL of the devices' listener."""
        return f"mqtt://{user}:{password}@{self.host}:{self.port}"

    def users(self) -> set[str]:
        """Who is in the plugin's file."""
        text = (self.peer.home / "dynamic-security.json").read_text(encoding="utf-8")
        return {client["username"] for client in json.loads(text)["clients"]}


@contextlib.contextmanager
def secured(
    *settings: str, profile: str = "mosquitto.conf", extra: Path | None = None
) -> Iterator[SecuredBroker]:
    """Runs the shipped broker with a fresh administrator and service.

    Args:
        settings: further lines of the configuration.
        profile: file of mosquitto/.
        extra: folder in the place of conf.d, with TLS listeners.
    """
    passwords = {user: secrets.token_urlsafe(16) for user in ("admin", "pantau")}
    device_port, service_port = _two_ports()
    config = rewritten(profile, device_port=device_port, service_port=service_port, extra=extra)
    files = {"dynamic-security.json": json.dumps(first_config(passwords)), "conf.d/none": ""}
    with mosquitto(config="\n".join([config, *settings, ""]), port=service_port, files=files) as peer:
        yield SecuredBroker(peer, device_port, passwords)


def _two_ports() -> Sequence[int]:
    first = second = free_port()
    while second == first:
        second = free_port()
    return first, second
