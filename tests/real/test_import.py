"""``pantau import`` beside a running service, and into a bucket that does not keep everything."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingest.store.influx import InfluxStore
from simulators.publish import MqttPublisher
from tests.peers import Broker, Influx, Pantau, influxd, mosquitto, service
from tests.peers.service import pantau

pytestmark = pytest.mark.real

DAY = 86_400_000
MIN = 60_000


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with mosquitto() as running:
        yield running


@pytest.fixture(scope="module")
def influx() -> Iterator[Influx]:
    with influxd() as running:
        yield running


def now_ms() -> int:
    return int(time.time() * 1000)


def bring(settings: dict[str, str], *arguments: str | Path) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        pantau("import", "--json", *map(str, arguments)), env={**os.environ, **settings},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def test_a_running_service_takes_history_without_noticing(broker: Broker, tmp_path: Path) -> None:
    with service(broker.url) as running, MqttPublisher(broker.url) as publisher:

        def send(value: float) -> int:
            at = now_ms()
            payload = json.dumps({"observed_at": at, "value": value}).encode()
            publisher.send("pantau/v1/contoh/water_level/awan-1", payload)
            publisher.flush(10)
            return at

        send(20)
        shown(running, 20)
        end = now_ms() - MIN
        flood = tmp_path / "flood.csv"
        flood.write_text(
            "station,time,value\n"
            + "".join(f"awan-1,{end - n * MIN},{300 + n % 200}\n" for n in range(12_000))
        )
        code, result, err = bring(running.settings, flood)
        assert (code, result["new"]) == (0, 12_000), err
        send(21)
        shown(running, 21)
        assert running.get("/api/v1/alerts?state=all")["alerts"] == []
        history = running.get(f"/api/v1/stations/awan-1/readings?start={end - 12_000 * MIN}&end={end + 1}")
        assert len(history["readings"]) == 12_000
        assert running.get("/readyz")["degraded"] == []
        assert bring(running.settings, flood)[1]["unchanged"] == 12_000


def shown(running: Pantau, value: float) -> None:
    """The live value becomes ``value``, and stays."""
    deadline = time.monotonic() + 20
    while running.get("/api/v1/stations/awan-1")["properties"]["value"] != value:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def bucket_that_keeps(server: Influx, days: int) -> str:
    name = server.new_bucket()
    headers = {"Authorization": f"Token {server.token}"}
    with httpx.Client(base_url=server.url, trust_env=False, headers=headers) as http:
        (found,) = http.get("/api/v2/buckets", params={"name": name}).json()["buckets"]
        rules = [{"type": "expire", "everySeconds": days * 86_400, "shardGroupDurationSeconds": 86_400}]
        http.patch(f"/api/v2/buckets/{found['id']}", json={"retentionRules": rules}).raise_for_status()
    return name


def test_the_buckets_retention_is_told_before_anything_is_stored(influx: Influx, tmp_path: Path) -> None:
    bucket = bucket_that_keeps(influx, 7)
    settings = {
        "PANTAU_CITY": "cities/contoh", "PANTAU_DATA": str(tmp_path), "PANTAU_INFLUX_URL": influx.url,
        "PANTAU_INFLUX_TOKEN": influx.token, "PANTAU_INFLUX_ORG": influx.org, "PANTAU_INFLUX_BUCKET": bucket,
    }  # fmt: skip
    store = InfluxStore(influx.url, influx.token, influx.org, bucket, "contoh")
    now = now_ms()
    file = tmp_path / "a.csv"
    ages = [*range(8, 12), *range(1, 7)]
    file.write_text("station,time,value\n" + "".join(f"awan-1,{now - age * DAY},{age}\n" for age in ages))

    def values() -> list[float]:
        return [r.value for r in store.read("awan-1", "water_level", start=0, end=now)]

    code, result, err = bring(settings, file)
    assert (code, result) == (2, {})
    assert "4 of 10 rows are older" in err
    assert "--skip-old" in err
    code, result, err = bring(settings, file, "--dry-run")
    assert (code, result["too_old"], result["new"]) == (1, 4, 6)
    assert values() == []
    code, result, err = bring(settings, file, "--skip-old")
    assert (code, result["too_old"], result["new"]) == (0, 4, 6)
    assert values() == [6, 5, 4, 3, 2, 1]
    code, result, err = bring(settings, file, "--skip-old")
    assert (result["new"], result["unchanged"]) == (0, 6)

    young = tmp_path / "b.csv"
    young.write_text(f"station,time,value\nawan-1,{now - DAY},77\n")
    code, result, err = bring(settings, young)
    assert (code, result["replaced"]) == (0, 1)
    assert "0 of 1 rows are older" in err
    assert values()[-1] == 77
    store.close()
