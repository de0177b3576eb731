"""What is measured: Pantau as ``pantau run`` starts it, and its peers on the same messages: Telegraf and Node-RED."""

import contextlib
import json
import sys
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from alerts.store import contacts
from app.clock import RealClock
from app.database import migrate, open_engine, unit_of_work
from tests.peers import Influx, Peer, free_port
from tests.peers.secured import SecuredBroker
from tools.bench.city import FIRST_LIMIT_CM

__all__ = ["NodeRed", "Pantau", "Telegraf"]

_USER = "pantau"
_TELEGRAF = """\
[agent]
  metric_batch_size = 5000
  metric_buffer_limit = 100000
  flush_interval = "1s"
  omit_hostname = true

[[inputs.mqtt_consumer]]
  servers = ["tcp://{host}:{port}"]
  topics = ["pantau/v1/bench/+/+"]
  username = "{user}"
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

_NODE_RED = """\
module.exports = {
  flowFile: "flows.json", credentialSecret: false, httpAdminRoot: false, uiHost: "127.0.0.1", uiPort: PORT,
  telemetry: { enabled: false }, diagnostics: { enabled: false },
  logging: { console: { level: "info", metrics: false, audit: false } },
}
"""
_THRESHOLD = """\
const station = msg.topic.split("/")[4];
const above = msg.payload.value >= LIMIT;
if (above === (context.get(station) || false)) { return null; }
context.set(station, above);
if (!above) { return null; }
msg.payload = { station: station, cause: "level", value: msg.payload.value, observed_at: msg.payload.observed_at };
return msg;
"""


class Telegraf(Peer):
    """Telegraf: MQTT QoS 1 JSON to InfluxDB, acknowledged when InfluxDB has it."""

    name = "telegraf"

    def __init__(self, home: Path, binary: str, broker: SecuredBroker, influx: Influx) -> None:
        super().__init__(home, 0)
        self._binary = binary
        config = _TELEGRAF.replace("{host}", broker.host).replace("{port}", str(broker.peer.port))
        config = config.replace("{user}", _USER).replace("{password}", broker.password)
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

    def __init__(self, home: Path, city: Path, broker: SecuredBroker, influx: Influx, webhook: str) -> None:
        super().__init__(home, free_port())
        self.url = f"http://{self.host}:{self.port}"
        database = f"sqlite:///{home / 'pantau.db'}"
        self._env = {
            "PANTAU_CITY": str(city),
            "PANTAU_MQTT_URL": broker.url,
            "PANTAU_DATABASE_URL": database,
            "PANTAU_HTTP": f"{self.host}:{self.port}",
            "PANTAU_DATA": str(home),
            "PANTAU_INFLUX_URL": influx.url,
            "PANTAU_INFLUX_TOKEN": influx.token,
            "PANTAU_INFLUX_ORG": influx.org,
            "PANTAU_INFLUX_BUCKET": influx.bucket,
        }
        # One client for all questions: making one costs more than the answer, while the service wants the core.
        self._http = httpx.Client(base_url=self.url, trust_env=False, timeout=10)
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
            return self._http.get("/readyz").status_code == HTTPStatus.OK
        return False


class NodeRed(Peer):
    """Node-RED: MQTT QoS 1 -> JSON -> a function with the threshold -> an HTTP request; nothing is stored."""

    name = "node-red"

    def __init__(self, home: Path, binary: str, broker: SecuredBroker, webhook: str) -> None:
        super().__init__(home, free_port())
        self._binary = binary
        settings = _NODE_RED.replace("PORT", str(self.port))
        (home / "settings.js").write_text(settings, encoding="utf-8")
        (home / "flows.json").write_text(json.dumps(_flow(broker, webhook)), encoding="utf-8")
        credentials = {"broker": {"user": _USER, "password": broker.password}}
        (home / "flows_cred.json").write_text(json.dumps(credentials), encoding="utf-8")

    def command(self) -> Sequence[str]:
        """The program with its flow."""
        return [self._binary, "--settings", str(self.home / "settings.js"), "--userDir", str(self.home)]

    def ready(self) -> bool:
        """It tells the log when it is connected; that it subscribed is seen by a first notice."""
        return "Connected to broker" in self.output()


def _flow(broker: SecuredBroker, webhook: str) -> list[dict[str, Any]]:
    place = {"z": "flow", "x": 100, "y": 100}  # a node without coordinates counts as configuration
    request = {"method": "POST", "ret": "txt", "paytoqs": "ignore", "url": webhook, "persist": True}
    threshold = _THRESHOLD.replace("LIMIT", str(FIRST_LIMIT_CM))
    return [
        {"id": "flow", "type": "tab", "label": "bench"},
        {"id": "broker", "type": "mqtt-broker", "broker": broker.host, "port": str(broker.peer.port),
         "clientid": "node-red-bench", "protocolVersion": "4", "keepalive": "60", "cleansession": True},
        {"id": "n1", "type": "mqtt in", "topic": "pantau/v1/bench/+/+", "qos": "1", "datatype": "utf8",
         "broker": "broker", "inputs": 0, "wires": [["n2"]], **place},
        {"id": "n2", "type": "json", "property": "payload", "action": "obj", "wires": [["n3"]], **place},
        {"id": "n3", "type": "function", "func": threshold, "outputs": 1, "wires": [["n4"]], **place},
        {"id": "n4", "type": "http request", "wires": [[]], **place, **request},
    ]  # fmt: skip
