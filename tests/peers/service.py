"""Pantau itself as a server process: `pantau run` with a database of its own, to be killed and started again."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.peers.process import Peer, folder, free_port

ROOT = Path(__file__).parents[2]
CITIES = ROOT / "cities"


class Pantau(Peer):
    """A running service; ``settings`` are further PANTAU_ variables."""

    def __init__(
        self, home: Path, mqtt_url: str, *, city: str = "contoh", wait_ready: bool = True, **settings: str
    ) -> None:
        super().__init__(home, free_port())
        self.url = f"http://{self.host}:{self.port}"
        self.database = home / "data" / "pantau.db"
        self.wait_ready = wait_ready
        self.settings = {
            "PANTAU_CITY": str(CITIES / city),
            "PANTAU_MQTT_URL": mqtt_url,
            "PANTAU_HTTP": f"{self.host}:{self.port}",
            "PANTAU_DATA": str(home / "data"),
            **settings,
        }
        self.http = httpx.Client(base_url=self.url, trust_env=False, timeout=10)

    def command(self) -> Sequence[str]:
        return ["env", *(f"{name}={value}" for name, value in self.settings.items()), *pantau("run")]

    def ready(self) -> bool:
        path = "/readyz" if self.wait_ready else "/healthz"
        with contextlib.suppress(httpx.HTTPError):
            return self.http.get(path).status_code == 200
        return False

    def get(self, path: str) -> Any:
        """JSON of a path."""
        return self.http.get(path).raise_for_status().json()


def pantau(*arguments: str) -> list[str]:
    """A command line of the project's own `pantau`."""
    return [str(Path(sys.executable).parent / "pantau"), *arguments]


@contextlib.contextmanager
def service(
    mqtt_url: str, *, city: str = "contoh", wait_ready: bool = True, **settings: str
) -> Iterator[Pantau]:
    """Runs `pantau run` on a fresh embedded database."""
    with folder("service") as home:
        running = Pantau(home, mqtt_url, city=city, wait_ready=wait_ready, **settings)
        try:
            running.start()
            yield running
        finally:
            running.kill()
            running.http.close()
