"""InfluxDB 2, set up through its own API: an organisation, a bucket and a token made for this run."""

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path

import httpx

from tests.peers.process import Peer, built, folder, free_port


class Influx(Peer):
    """A running influxd; ``url``, ``token``, ``org`` and ``bucket`` are what the ``PANTAU_INFLUX_*`` settings take."""

    def __init__(self, home: Path, port: int, binary: str) -> None:
        super().__init__(home, port)
        self.url = f"http://{self.host}:{port}"
        self.org = "pantau"
        self.bucket = "readings"
        self.token = ""
        self._org_id = ""
        self._binary = binary
        # trust_env: a proxy in the environment is not for 127.0.0.1
        self._http = httpx.Client(base_url=self.url, trust_env=False, timeout=30)

    def command(self) -> Sequence[str]:
        return [
            self._binary,
            f"--http-bind-address={self.host}:{self.port}",
            f"--bolt-path={self.home}/influxd.bolt",
            f"--sqlite-path={self.home}/influxd.sqlite",
            f"--engine-path={self.home}/engine",
            "--reporting-disabled",
            "--log-level=error",
        ]

    def ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return self._http.get("/health").status_code == HTTPStatus.OK
        return False

    def set_up(self) -> None:
        """Makes the first user, organisation, bucket and an all-access token."""
        body = {
            "username": "test",
            "password": secrets.token_urlsafe(),
            "org": self.org,
            "bucket": self.bucket,
        }
        answer = self._http.post("/api/v2/setup", json=body)
        answer.raise_for_status()
        made = answer.json()
        self.token = made["auth"]["token"]
        self._org_id = made["org"]["id"]

    def new_bucket(self) -> str:
        """Name of a fresh bucket, so that tests share one server without meeting."""
        name = f"test-{secrets.token_hex(6)}"
        headers = {"Authorization": f"Token {self.token}"}
        body = {"orgID": self._org_id, "name": name, "retentionRules": []}
        self._http.post("/api/v2/buckets", json=body, headers=headers).raise_for_status()
        return name

    def close(self) -> None:
        self.kill()
        self._http.close()


@contextlib.contextmanager
def influxd() -> Iterator[Influx]:
    """Runs influxd, the one that ``tools/influxd`` names."""
    binary = built("influxd")
    with folder("influxd") as home:
        influx = Influx(home, free_port(), binary)
        try:
            influx.start()
            influx.set_up()
            yield influx
        finally:
            influx.close()
