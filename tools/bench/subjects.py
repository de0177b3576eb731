"""What is measured: Pantau as ``pantau run`` starts it, and Telegraf storing the same messages, side by side."""

import contextlib
import secrets
import sys
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

import httpx

from alerts.store import contacts
from app.clock import RealClock
from app.database import migrate, open_engine, unit_of_work
from tests.peers import Broker, Influx, Peer, free_port
from tests.peers.process import ROOT
from tools.make_secrets import mosquitto_hash

__all__ = ["LOAD_USER", "Pantau", "Telegraf", "broker_config", "broker_url"]

LOAD_USER = "gateway"
_PASSWORD = secrets.token_urlsafe()
_FOLDER = ROOT / "mosquitto"

_TELEGRAF = """\
[agent]
  metric_batch_size = 5000
  metric_buffer_limit = 100000
  flush_interval = "1s"
  omit_hostname = true

[[inputs.mqtt_consumer]]
  servers = ["tcp://{host}:{port}"]
  topics = ["pantau/v1/bench/+/+"]
  username = "pantau"
  password = "{password}"
  qos = 1
  client_id = "telegraf-bench"
  persistent_session = true
  max_undelivered_messages = 20000
  topic_tag = ""
  data_format = "json"
  json_time_key = "observed_at"
  json_time_format = "unix_ms"
  fieldinclude = ["value"]
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "_/_/+/+/+"
    measurement = "_/_/_/measurement/_"
    tags = "_/_/city/_/station"

[[outputs.influxdb_v2]]
  urls = ["{influx.url}"]
  token = "{influx.token}"
  organization = "{influx.org}"
  bucket = "{influx.bucket}"
"""


def broker_config(folder: Path) -> str:
    """The shipped mosquitto.conf with its paths replaced, and one gateway that may write for every station."""
    users = "".join(f"{user}:{mosquitto_hash(_PASSWORD)}\n" for user in ("pantau", LOAD_USER))
    (folder / "passwd").write_text(users, encoding="utf-8")
    acl = (_FOLDER / "acl").read_text(encoding="utf-8")
    (folder / "acl").write_text(f"{acl}\nuser {LOAD_USER}\ntopic write pantau/v1/#\n", encoding="utf-8")
    (folder / "acl").chmod(0o600)
    text = (_FOLDER / "mosquitto.conf").read_text(encoding="utf-8")
    text = text.replace("listener 1883", "listener {port} 127.0.0.1")
    text = text.replace("/mosquitto/config/", f"{folder}/").replace("/mosquitto/data/", "{home}/")
    return f"{text}\n"


def broker_url(broker: Broker, user: str) -> str:
    """The broker's URL for a user."""
    return f"mqtt://{user}:{_PASSWORD}@{broker.host}:{broker.port}"


class Telegraf(Peer):
    """Telegraf: MQTT QoS 1 JSON to InfluxDB, acknowledged when InfluxDB has it."""

    name = "telegraf"

    def __init__(self, home: Path, binary: str, broker: Broker, influx: Influx) -> None:
        super().__init__(home, 0)
        self._binary = binary
        config = _TELEGRAF.replace("{host}", broker.host).replace("{port}", str(broker.port))
        config = config.replace("{password}", _PASSWORD)
        for key in ("url", "token", "org", "bucket"):
            config = config.replace(f"{{influx.{key}}}", getattr(influx, key))
        (home / "telegraf.conf").write_text(config, encoding="utf-8")

    def command(self) -> Sequence[str]:
        """The program with its configuration."""
        return [self._binary, "--config", str(self.home / "telegraf.conf")]

    def ready(self) -> bool:
        """It tells the log when it is connected; that it subscribed is seen by a first reading."""
        return "Connected" in self.output()


class Pantau(Peer):
    """``pantau run`` in its default configuration, with InfluxDB and one operator's webhook."""

    name = "pantau"

    def __init__(self, home: Path, city: Path, broker: Broker, influx: Influx, webhook: str) -> None:
        super().__init__(home, free_port())
        self.url = f"http://{self.host}:{self.port}"
        database = f"sqlite:///{home / 'pantau.db'}"
        self._env = {
            "PANTAU_CITY": str(city),
            "PANTAU_MQTT_URL": broker_url(broker, "pantau"),
            "PANTAU_DATABASE_URL": database,
            "PANTAU_HTTP": f"{self.host}:{self.port}",
            "PANTAU_DATA": str(home),
            "PANTAU_INFLUX_URL": influx.url,
            "PANTAU_INFLUX_TOKEN": influx.token,
            "PANTAU_INFLUX_ORG": influx.org,
            "PANTAU_INFLUX_BUCKET": influx.bucket,
        }
        engine = open_engine(database)
        migrate(engine)
        with unit_of_work(engine) as connection:
            contacts.add(connection, "duty_officer", "webhook", webhook, RealClock().now(), name="bench")
        engine.dispose()

    def command(self) -> Sequence[str]:
        """The program with its environment."""
        program = str(Path(sys.executable).with_name("pantau"))
        return ["env", *(f"{name}={value}" for name, value in self._env.items()), program, "run"]

    def ready(self) -> bool:
        """Whether /readyz says 200."""
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/readyz", trust_env=False).status_code == HTTPStatus.OK
        return False
