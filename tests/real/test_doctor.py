"""`pantau doctor` against real peers: each thing that it should see is made wrong, and it says so and what to do."""

import json
import re
import socket
import sqlite3
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert
from typer.testing import CliRunner, Result

from app.cli import make_cli
from app.database import migrate, open_engine, unit_of_work
from app.doctor.checks import broker as broker_check
from app.doctor.checks import clock, disk, files, machine
from app.doctor.checks.database import backlog
from app.doctor.examine import CHECKS
from app.settings import secret_files
from ingest.store.tables import cursors, journal
from tests.peers import (
    Influx,
    SecuredBroker,
    free_port,
    influxd,
    mosquitto,
    postgres,
    secured,
    service,
)
from tests.peers.process import folder
from tests.peers.service import CITIES

pytestmark = pytest.mark.real

Doctor = Callable[..., Result]
GIB = 2**30


@pytest.fixture(scope="module")
def broker() -> Iterator[SecuredBroker]:
    with secured("sys_interval 1") as peer:
        yield peer


@pytest.fixture(scope="module")
def influx() -> Iterator[Influx]:
    with influxd() as peer:
        yield peer


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    def call(*words: str, **environ: str) -> Result:
        env = {
            "PANTAU_CITY": str(CITIES / "contoh"),
            "PANTAU_DATA": str(tmp_path / "data"),
            "PANTAU_HTTP": f"127.0.0.1:{free_port()}",
            **environ,
        }
        return CliRunner().invoke(make_cli(), ["doctor", *words], env=env)

    return call


def found(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code in {0, 1, 2}, result.exception
    return [json.loads(line) for line in result.stdout.splitlines()]


def statuses(result: Result) -> list[str]:
    return [one["status"] for one in found(result)]


def said(result: Result) -> str:
    return "\n".join(f"{one['text']} -> {one.get('do', '')}" for one in found(result))


# --- the command ----------------------------------------------------------------------------------------------------


def test_a_good_installation_has_nothing_to_be_done(doctor: Doctor, broker: SecuredBroker) -> None:
    healthy = [
        word for name in CHECKS if name not in {"clock", "contacts", "disk"} for word in ("--only", name)
    ]
    with service(broker.url) as running:
        running.home.chmod(0o700)
        environ = {**running.settings, "PANTAU_MQTT_URL": broker.url}
        result = doctor("--json", *healthy, **environ)
    assert set(statuses(result)) <= {"ok", "note"}, result.stdout
    assert result.exit_code == 0
    checked = {one["check"] for one in found(result)}
    assert checked == set(CHECKS) - {"clock", "contacts", "disk"}


def test_a_finding_makes_the_exit_code_1_and_stands_on_one_line_with_what_to_do(doctor: Doctor) -> None:
    result = doctor("--only", "broker", PANTAU_MQTT_URL=f"mqtt://127.0.0.1:{free_port()}")
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 1
    assert result.stdout.startswith("error    broker")


def test_wrong_settings_are_told_all_together_and_end_it_with_2(doctor: Doctor) -> None:
    result = doctor("--json", PANTAU_MQTT_URL="http://x", PANTAU_HTTP="x", PANTAU_CITI="x")
    assert result.exit_code == 2
    assert statuses(result) == ["error"] * 3
    assert {one["check"] for one in found(result)} == {"settings"}


def test_a_wrong_city_is_told_and_the_other_checks_go_on(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "kota").mkdir()
    (tmp_path / "kota" / "city.toml").write_text("name = 1\n", encoding="utf-8")
    result = doctor("--json", "--only", "city", "--only", "machine", PANTAU_CITY=str(tmp_path / "kota"))
    assert result.exit_code == 1
    assert {one["check"] for one in found(result) if one["status"] == "error"} == {"city"}
    assert {one["check"] for one in found(result)} == {"city", "machine"}


def test_an_unknown_check_lists_those_that_there_are(doctor: Doctor) -> None:
    assert "expected some of broker" in str(doctor("--only", "weather").exception)


# --- the broker -----------------------------------------------------------------------------------------------------


def test_the_shipped_broker_is_content_and_the_probe_leaves_nothing_behind(
    doctor: Doctor, broker: SecuredBroker
) -> None:
    result = doctor("--json", "--only", "broker", PANTAU_MQTT_URL=broker.url)
    assert statuses(result) == ["ok"] * 6
    assert "1000 messages before an acknowledgement" in said(result)
    assert "mosquitto version" in said(result)
    time.sleep(1.5)  # its counters are a second old
    again = doctor("--json", "--only", "broker", PANTAU_MQTT_URL=broker.url)
    assert "it has dropped no message" in said(again)


def test_a_broker_with_mosquittos_defaults_is_found_out(doctor: Doctor) -> None:
    with mosquitto("max_inflight_messages 20", "max_queued_messages 1000", "sys_interval 1") as plain:
        result = doctor("--json", "--only", "broker", PANTAU_MQTT_URL=plain.url)
        assert "it sends 20 messages before an acknowledgement" in said(result)
        assert "max_inflight_messages 1000" in said(result)
        assert "1180 were lost" in said(result)
        assert "max_queued_messages 1000000" in said(result)
        time.sleep(1.5)
        again = said(doctor("--json", "--only", "broker", PANTAU_MQTT_URL=plain.url))
        assert re.search(r"it has dropped \d+ messages", again)


def test_a_wrong_password_and_a_denied_subscription_are_told(doctor: Doctor, broker: SecuredBroker) -> None:
    wrong = broker.url.replace("pantau:", "pantau:x")
    assert "refuses user pantau" in said(doctor("--json", "--only", "broker", PANTAU_MQTT_URL=wrong))
    result = doctor("--json", "--only", "broker", PANTAU_MQTT_URL=broker.admin_url)
    assert "it denies frigate/+/person" in said(result)
    assert "may not subscribe to pantau/doctor/#" in said(result)
    assert result.exit_code == 1


def test_the_probe_is_larger_than_what_a_default_broker_can_hold() -> None:
    assert broker_check._TRIED > 1000 + 1000


# --- clock ----------------------------------------------------------------------------------------------------------


@contextmanager
def time_server(offset_s: float, *, stratum: int = 2) -> Iterator[str]:
    """An NTP server whose clock is ahead of ours."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))

        def answer() -> None:
            _, whom = line.recvfrom(512)
            now = time.time() + offset_s + 2_208_988_800
            stamp = struct.pack("!II", int(now) % 2**32, int(now % 1 * 2**32))
            line.sendto(bytes([0x24, stratum]) + bytes(30) + stamp + stamp, whom)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"127.0.0.1:{line.getsockname()[1]}"
        thread.join(5)


@pytest.mark.parametrize(
    ("offset_s", "status", "word"),
    [
        (0.0, "ok", "agrees"),
        (30.0, "warning", "behind"),
        (-90.0, "error", "ahead of"),
        (4000.0, "error", "behind"),
    ],
)
def test_a_clock_that_is_off_is_told_by_a_time_server(
    doctor: Doctor, offset_s: float, status: str, word: str
) -> None:
    with time_server(offset_s) as server:
        first = found(doctor("--json", "--only", "clock", "--ntp", server))[0]
    assert first["status"] == status
    assert word in first["text"]


def test_a_time_server_that_is_silent_or_lost_itself_is_only_noted(doctor: Doctor) -> None:
    assert statuses(doctor("--json", "--only", "clock", "--ntp", f"127.0.0.1:{free_port()}"))[0] == "note"
    with time_server(0.0, stratum=0) as server:
        assert statuses(doctor("--json", "--only", "clock", "--ntp", server))[0] == "note"
    assert "expected host or host:port" in said(doctor("--json", "--only", "clock", "--ntp", "a:b"))


def test_nobody_is_asked_for_the_time_unless_named(doctor: Doctor) -> None:
    assert "no time server was asked" in found(doctor("--json", "--only", "clock"))[0]["text"]


def test_a_time_server_of_2040_is_understood() -> None:
    at = 2_220_000_000
    stamp = struct.pack("!II", (at + 2_208_988_800) % 2**32, 2**31)
    assert clock._seconds(stamp) == at + 0.5


def test_stores_are_asked_for_their_clocks(doctor: Doctor, influx: Influx) -> None:
    environ = {
        "PANTAU_INFLUX_URL": influx.url, "PANTAU_INFLUX_TOKEN": influx.token,
        "PANTAU_INFLUX_ORG": influx.org, "PANTAU_INFLUX_BUCKET": influx.bucket,
    }  # fmt: skip
    with postgres() as peer:
        result = doctor("--json", "--only", "clock", PANTAU_DATABASE_URL=peer.url, **environ)
        assert "agrees with that of InfluxDB" in said(result)
        assert "agrees with that of PostgreSQL" in said(result)


# --- disk, files, machine -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("free", "total", "status"),
    [
        (50 * GIB, 100 * GIB, "ok"),
        (10 * GIB, 100 * GIB, "ok"),
        (10 * GIB - 1, 100 * GIB, "warning"),
        (2 * GIB, 4 * GIB, "ok"),
        (2 * GIB - 1, 4 * GIB, "warning"),
        (100 * 2**20, 100 * GIB, "error"),
    ],
)
def test_room_on_a_disk_is_judged_by_share_and_size(free: int, total: int, status: str) -> None:
    assert disk.judged("it", free, total).status == status


def test_a_folder_that_is_not_there_yet_is_judged_by_its_disk(doctor: Doctor, tmp_path: Path) -> None:
    assert len(found(doctor("--json", "--only", "disk", PANTAU_DATA=str(tmp_path / "a" / "b")))) == 2
    assert not (tmp_path / "a").exists()


def test_secrets_that_everybody_reads_are_told(doctor: Doctor) -> None:
    with folder("secrets") as home:
        secret = home / "mqtt_url"
        secret.write_text("mqtt://127.0.0.1:1", encoding="utf-8")
        secret.chmod(0o644)
        result = doctor("--json", "--only", "files", PANTAU_MQTT_URL_FILE=str(secret))
        assert statuses(result) == ["warning"]
        assert f"chmod 600 {secret}" in said(result)
        secret.chmod(0o640)
        assert statuses(doctor("--json", "--only", "files", PANTAU_MQTT_URL_FILE=str(secret))) == ["ok"]
        secret.chmod(0o644)
        home.chmod(0o700)
        assert not files.open_to_others(secret)


def test_files_of_settings_are_found_by_their_variables() -> None:
    environ = {
        "PANTAU_MQTT_URL_FILE": "/a",
        "PANTAU_CITY": "/b",
        "PANTAU_X_FILE": "/c",
        "PANTAU_HTTP_FILE": "",
    }
    assert secret_files(environ) == {"PANTAU_MQTT_URL_FILE": Path("/a")}


def test_few_descriptors_are_told() -> None:
    assert machine.descriptors(1024).status == "warning"
    assert machine.descriptors(4096).status == "ok"
    assert machine.descriptors(-1).status == "ok"  # RLIM_INFINITY


# --- database -------------------------------------------------------------------------------------------------------


def test_a_database_that_is_not_there_is_noted_and_not_made(doctor: Doctor, tmp_path: Path) -> None:
    assert statuses(doctor("--json", "--only", "database")) == ["note"]
    assert not (tmp_path / "data").exists()


def test_a_database_is_looked_at_and_left_as_it_was(doctor: Doctor, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    engine = open_engine(url)
    migrate(engine)
    with unit_of_work(engine) as connection:
        connection.execute(insert(cursors), [{"name": "store", "pos": 0}, {"name": "slow", "pos": 1}])
        connection.execute(insert(journal), [{"now": 0, "readings": 200_000, "body": b""} for _ in range(2)])
        connection.execute(insert(journal), {"now": 0, "readings": 50_000, "body": b""})
        assert [finding.status for finding in backlog(connection)] == ["warning", "ok"]
    engine.dispose()
    before = sqlite3.connect(tmp_path / "p.db").execute("select * from notes").fetchall()
    result = doctor("--json", "--only", "database", PANTAU_DATABASE_URL=url)
    assert "450000 readings in 3 batches wait for the store" in said(result)
    assert "can be written" in said(result)
    assert "write-ahead log" in said(result)
    assert sqlite3.connect(tmp_path / "p.db").execute("select * from notes").fetchall() == before


def test_a_schema_of_another_version_and_a_file_that_is_no_database_are_told(
    doctor: Doctor, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    engine = open_engine(url)
    migrate(engine)
    with unit_of_work(engine) as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '9999'")
    engine.dispose()
    result = doctor("--json", "--only", "database", PANTAU_DATABASE_URL=url)
    assert "schema 9999" in said(result)
    assert result.exit_code == 1
    (tmp_path / "x.db").write_bytes(b"no database at all" * 100)
    broken = doctor("--json", "--only", "database", PANTAU_DATABASE_URL=f"sqlite:///{tmp_path / 'x.db'}")
    assert "not a database" in said(broken)


def test_postgresql_away_and_there(doctor: Doctor) -> None:
    nobody = f"postgresql+psycopg://pantau:geheim@127.0.0.1:{free_port()}/pantau"
    away = doctor("--json", "--only", "database", PANTAU_DATABASE_URL=nobody)
    assert statuses(away) == ["error"]
    assert "geheim" not in away.stdout
    with postgres() as peer:
        assert "no tables yet" in said(doctor("--json", "--only", "database", PANTAU_DATABASE_URL=peer.url))


# --- InfluxDB and the service ---------------------------------------------------------------------------------------


def influx_environ(influx: Influx, **changed: str) -> dict[str, str]:
    return {
        "PANTAU_INFLUX_URL": influx.url, "PANTAU_INFLUX_TOKEN": influx.token,
        "PANTAU_INFLUX_ORG": influx.org, "PANTAU_INFLUX_BUCKET": influx.bucket, **changed,
    }  # fmt: skip


def test_influxdb_is_looked_at_without_writing(doctor: Doctor, influx: Influx) -> None:
    result = doctor("--json", "--only", "influxdb", **influx_environ(influx))
    assert statuses(result) == ["ok"] * 3
    assert "keeps readings for ever" in said(result)


def test_a_wrong_token_bucket_and_address_are_told(doctor: Doctor, influx: Influx) -> None:
    for name, value, word in (
        ("PANTAU_INFLUX_TOKEN", "x", "401"),
        ("PANTAU_INFLUX_BUCKET", "x", "404"),
        ("PANTAU_INFLUX_URL", f"http://127.0.0.1:{free_port()}", "ConnectError"),
    ):
        result = doctor("--json", "--only", "influxdb", **influx_environ(influx, **{name: value}))
        assert result.exit_code == 1
        assert word in said(result)


def test_a_token_that_only_reads_and_a_short_retention_are_told(doctor: Doctor, influx: Influx) -> None:
    headers = {"Authorization": f"Token {influx.token}"}
    with httpx.Client(base_url=influx.url, headers=headers, trust_env=False) as http:
        bucket = http.get("/api/v2/buckets", params={"name": influx.new_bucket()}).json()["buckets"][0]
        rules = {"retentionRules": [{"type": "expire", "everySeconds": 7 * 86_400}]}
        http.patch(f"/api/v2/buckets/{bucket['id']}", json=rules).raise_for_status()
        resource = {"type": "buckets", "id": bucket["id"], "orgID": bucket["orgID"]}
        body = {"orgID": bucket["orgID"], "permissions": [{"action": "read", "resource": resource}]}
        token = http.post("/api/v2/authorizations", json=body).raise_for_status().json()["token"]
    environ = influx_environ(influx, PANTAU_INFLUX_TOKEN=token, PANTAU_INFLUX_BUCKET=bucket["name"])
    result = doctor("--json", "--only", "influxdb", **environ)
    assert statuses(result) == ["ok", "error", "warning"]
    assert "keeps readings 7 days" in said(result)


def test_a_service_that_lost_its_broker_is_told(doctor: Doctor) -> None:
    with mosquitto() as peer, service(peer.url) as running:
        environ = {"PANTAU_HTTP": running.settings["PANTAU_HTTP"]}
        assert statuses(doctor("--json", "--only", "service", **environ)) == ["ok"]
        peer.kill()
        deadline = time.monotonic() + 20
        while "ok" in statuses(result := doctor("--json", "--only", "service", **environ)):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert "without mqtt" in said(result)


def test_the_broker_probe_works_beside_a_running_service(doctor: Doctor, broker: SecuredBroker) -> None:
    with service(broker.url) as running:
        result = doctor("--json", "--only", "broker", PANTAU_MQTT_URL=broker.url)
        assert set(statuses(result)) == {"ok"}
        assert running.get("/readyz")["degraded"] == []  # the probe's messages are none of the service's
        metrics = running.http.get("/metrics").text
        assert "pantau_refused_total{" not in metrics
