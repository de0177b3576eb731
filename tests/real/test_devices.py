"""`pantau device` with the real broker: who is let in may send its own and no more, who is revoked is out at once."""

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import make_cli
from app.commands.device import made_for
from app.database import migrate, open_engine, unit_of_work
from ingest.decode import Decoder
from ingest.dynsec import Credential, DynamicSecurity
from ingest.format import Message
from ingest.mqtt import PahoDialogue
from ingest.store.latest import upsert_latest
from pantau import cityfolder
from pantau.errors import ConfigError, Unavailable
from pantau.record import LatestRecord
from tests.peers import SecuredBroker, free_port, mosquitto, pantau, secured, service
from tests.peers.device import GONE, NOT_AUTHORIZED, device, knock
from tests.peers.service import CITIES

pytestmark = pytest.mark.real

CITY = cityfolder.load(CITIES / "contoh")
PUBLIC = "pantau/v1/contoh/public/status/awan-1"
AWAN = "pantau/v1/contoh/water_level/awan-1"
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def broker() -> Iterator[SecuredBroker]:
    with secured() as peer:
        yield peer


@pytest.fixture
def run(broker: SecuredBroker, tmp_path: Path) -> Run:
    """`pantau device ...` as the administrator types it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pantau.db").touch()  # a database that is made anew is told

    def call(*words: str, **environ: str) -> Result:
        env = {
            "PANTAU_CITY": str(CITIES / "contoh"),
            "PANTAU_DATA": str(tmp_path / "data"),
            "PANTAU_MQTT_ADMIN_URL": broker.admin_url,
            **environ,
        }
        return CliRunner().invoke(make_cli(), ["device", *words], env=env)

    return call


def added(run: Run, *words: str) -> dict[str, Any]:
    result = run("add", *words, "--json")
    assert result.exit_code == 0, result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def way_in(broker: SecuredBroker, made: dict[str, Any]) -> str:
    return broker.url_for(made["id"], made["password"])


def problem(result: Result) -> str:
    assert isinstance(result.exception, ConfigError | Unavailable)
    return str(result.exception)


def test_a_device_may_send_its_own_readings_and_nothing_else(broker: SecuredBroker, run: Run) -> None:
    made = added(run, "Upper Awan")  # an alias
    assert made["stations"] == ["awan-1"]
    assert len(made["password"]) >= 32
    with device(way_in(broker, made)) as one:
        assert one.may_write(AWAN)
        assert one.may_write(f"{AWAN}/radar")
        assert not one.may_write("pantau/v1/contoh/water_level/awan-2")
        assert not one.may_write(PUBLIC)
        assert not one.may_read(AWAN)
        assert not one.may_read("pantau/v1/contoh/public/#")


def test_a_device_of_one_sensor_a_gateway_and_a_partner(broker: SecuredBroker, run: Run) -> None:
    radar = added(run, "awan-1/radar")
    with device(way_in(broker, radar)) as one:
        assert one.may_write(f"{AWAN}/radar")
        assert not one.may_write(AWAN)
    gateway = added(run, "awan-1", "awan-2", "--name", "kantor")
    assert (gateway["id"], gateway["role"]) == ("kantor", "gateway")
    with device(way_in(broker, gateway)) as one:
        assert one.may_write(AWAN)
        assert one.may_write("pantau/v1/contoh/water_level/awan-2")
        assert not one.may_write("pantau/v1/contoh/water_level/awan-3")
    every = added(run, "--kind", "water_level")
    with device(way_in(broker, every)) as one:
        assert one.may_write("pantau/v1/contoh/water_level/awan-3")
        assert not one.may_write("pantau/v1/contoh/crowd_count/square")
    partner = added(run, "--partner", "--name", "layar-1")
    with device(way_in(broker, partner)) as screen, device(broker.url) as ours:
        assert screen.may_read("pantau/v1/contoh/public/#")
        assert not screen.may_read("pantau/v1/contoh/#")
        assert not screen.may_write(PUBLIC)
        assert ours.may_write(PUBLIC)
        assert screen.waits_for(PUBLIC)


def test_a_format_with_topics_of_its_own_gets_them_and_may_be_asked_back(
    broker: SecuredBroker, run: Run
) -> None:
    made = added(
        run, "--topic", "spBv1.0/kota/+/node-1/#", "--listen", "spBv1.0/kota/NCMD/node-1", "--name", "node-1"
    )
    with device(way_in(broker, made)) as one, device(broker.url) as ours:
        assert one.may_write("spBv1.0/kota/NBIRTH/node-1")
        assert not one.may_write("spBv1.0/kota/NBIRTH/node-2")
        assert one.may_read("spBv1.0/kota/NCMD/node-1")
        assert not one.may_read("spBv1.0/kota/NCMD/+")
        assert ours.may_write("spBv1.0/kota/NCMD/node-1")
        assert one.waits_for("spBv1.0/kota/NCMD/node-1")


def test_a_revoked_device_is_out_at_once_and_never_comes_back(broker: SecuredBroker, run: Run) -> None:
    made = added(run, "awan-2")
    with device(way_in(broker, made)) as one:
        assert one.may_write("pantau/v1/contoh/water_level/awan-2")
        began = time.monotonic()
        assert run("revoke", made["id"]).exit_code == 0
        assert one.ended.get(timeout=5) == GONE
        assert time.monotonic() - began < 2.0
    assert knock(way_in(broker, made)) == NOT_AUTHORIZED
    assert made["id"] not in broker.users()
    broker.peer.stop()
    broker.peer.start()
    assert knock(way_in(broker, made)) == NOT_AUTHORIZED


def test_a_partners_persistent_session_is_gone_with_him(broker: SecuredBroker, run: Run) -> None:
    made = added(run, "--partner", "--name", "layar-2")
    command = [
        "mosquitto_sub", "-h", broker.host, "-p", str(broker.port), "-u", "layar-2", "-P", made["password"],
        "-i", "x", "-c", "-q", "1", "-E", "-t", "pantau/v1/contoh/public/#",
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=10)
    run("revoke", "layar-2")
    again = added(run, "--partner", "--name", "layar-2")
    with device(broker.url) as ours:
        assert ours.may_write(PUBLIC)
    with device(way_in(broker, again), client_id="x", resume=True) as screen:
        assert not screen.waits_for(PUBLIC, 0.5)  # nothing waited for the new one


def test_a_device_that_is_enrolled_again_is_another_one(broker: SecuredBroker, run: Run) -> None:
    first, second = added(run, "awan-3"), added(run, "awan-3")
    assert first["id"] != second["id"]
    with device(way_in(broker, second)) as new:
        run("revoke", first["id"])
        assert new.may_write("pantau/v1/contoh/water_level/awan-3")
        assert new.ended.empty()
    assert knock(way_in(broker, first)) == NOT_AUTHORIZED


def test_a_rotated_password_ends_the_old_connection(broker: SecuredBroker, run: Run, tmp_path: Path) -> None:
    made = added(run, "awan-1")
    with device(way_in(broker, made)) as one:
        result = run("rotate", made["id"], "--out", str(tmp_path / "new.json"))
        assert result.exit_code == 0
        assert one.ended.get(timeout=5) == GONE
    new = json.loads((tmp_path / "new.json").read_text(encoding="utf-8"))
    assert new["password"] not in result.output
    assert knock(way_in(broker, made)) == NOT_AUTHORIZED
    assert knock(way_in(broker, new)) == 0


def test_a_list_says_who_there_is_and_when_it_was_last_heard(run: Run, tmp_path: Path) -> None:
    made = added(run, "awan-1/radar")
    engine = open_engine(f"sqlite:///{tmp_path / 'data' / 'pantau.db'}")
    migrate(engine)
    record = LatestRecord(
        station="awan-1", sensor="radar", kind="water_level", value=1.0, flag=1, reason="",
        observed_at=1_767_322_800_000, received_at=1_767_322_800_000,
    )  # fmt: skip
    with unit_of_work(engine) as connection:
        upsert_latest(connection, [record])
    engine.dispose()
    listed = {one["id"]: one for one in map(json.loads, run("list", "--json").stdout.splitlines())}
    assert listed[made["id"]]["heard_at"] == "2026-01-02T03:00:00.000Z"
    assert made["password"] not in run("list", "--json").stdout
    assert {"admin", "pantau"}.isdisjoint(listed)
    line = next(line for line in run("list").stdout.splitlines() if line.startswith(made["id"]))
    assert "awan-1/radar" in line
    assert "station heard 2026-01-02T03:00:00.000Z" in line
    run("add", "awan-2", "--name", "quiet")
    run("add", "--topic", "frigate/#", "--name", "nvr-1")
    lines = run("list").stdout.splitlines()
    assert "station heard never" in next(line for line in lines if line.startswith("quiet "))
    assert "station heard -" in next(line for line in lines if line.startswith("nvr-1 "))


@pytest.mark.parametrize(
    "words", [("awan-1",), ("awan-1/radar", "--out", "{out}"), ("--kind", "water_level")]
)
def test_the_line_to_try_it_with_works_and_holds_no_password(
    broker: SecuredBroker, run: Run, tmp_path: Path, words: tuple[str, ...]
) -> None:
    out = tmp_path / "made.json"
    said = run("add", *(word.format(out=out) for word in words)).stdout
    line = next(line.strip() for line in said.splitlines() if line.startswith("  mosquitto_pub"))
    found = re.search(r"^password +(\S+)$", said, re.MULTILINE)
    password = found[1] if found else json.loads(out.read_text(encoding="utf-8"))["password"]
    assert password not in line
    (tmp_path / "mosquitto_pub").write_text(f"-P {password}\n", encoding="utf-8")
    with device(broker.url) as ours:
        topic = line.split("'")[1]
        assert ours.may_read(topic)
        env = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
        words_typed = shlex.split(line.replace("-p PORT", f"-p {broker.port}"))
        done = subprocess.run(words_typed, env=env, capture_output=True, text=True, timeout=10, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert ours.waits_for(topic)
    refused = Message(topic, b'{"value": 0}', 1_767_322_800_000)
    assert [one.code for one in Decoder(CITY).decode([refused]).refused] == ["missing_field"]


def test_a_partner_is_told_what_he_may_read_and_how_to_try_it(run: Run) -> None:
    said = run("add", "--partner", "--name", "layar-3").stdout
    assert "may read   pantau/v1/+/public/#" in said
    assert "mosquitto_sub" in said
    assert "missing_field" not in said


def test_a_topic_that_no_binding_hears_is_warned_of_and_given(run: Run) -> None:
    done = run("add", "--topic", "weather/#", "--topic", "frigate/+/person", "--name", "mixed")
    assert "no binding of contoh's city.toml hears weather/#" in done.stderr
    assert "frigate" not in done.stderr
    assert done.exit_code == 0


def test_a_certificates_sample_shows_the_certificate(run: Run) -> None:
    said = run("add", "awan-1", "--certificate", "--name", "awan-cert").stdout
    assert "-p 8885 --cafile ca.crt --cert awan-cert.crt --key awan-cert.key" in said
    assert "-P" not in said


def test_a_credential_goes_to_a_new_file_that_only_its_owner_reads(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "awan.json"
    result = run("add", "awan-1", "--out", str(out))
    password = json.loads(out.read_text(encoding="utf-8"))["password"]
    assert password not in result.output
    assert out.stat().st_mode & 0o077 == 0
    before = run("list").stdout
    assert "expected a new file" in problem(run("add", "awan-1", "--out", str(out)))
    assert run("list").stdout == before


def test_a_credential_outlives_a_killed_broker(broker: SecuredBroker, run: Run) -> None:
    made = added(run, "awan-1")
    broker.peer.kill()
    broker.peer.start()
    assert knock(way_in(broker, made)) == 0


def test_what_is_wrong_is_told_together(run: Run) -> None:
    assert "without + and #" in problem(run("add", "awan-1/+"))
    assert "without + and #" in problem(run("add", "awan-1/"))
    text = problem(run("add", "Awan", "awan-9", "--topic", "$SYS/#", "--name", "pantau-x"))
    assert "'Awan'" in text
    assert "did you mean" in text
    assert "'awan-9'" in text
    assert "$SYS/#" in text
    assert "taken by the installation" in text
    assert "nothing to send" in problem(run("add"))
    assert "reads what is public" in problem(run("add", "awan-1", "--partner"))
    assert "use one of" in problem(run("add", "--kind", "snow"))
    text = problem(run("add", "sqare-east"))
    assert "did you mean square-east" in text
    assert "nothing to send" not in text


def test_a_taken_name_and_an_unknown_one_are_told(broker: SecuredBroker, run: Run) -> None:
    made = added(run, "awan-1", "--name", "weir")
    assert "already exists" in problem(run("add", "awan-2", "--name", "weir"))
    with device(way_in(broker, made)) as one:  # and the one that has the name keeps what it may
        assert one.may_write(AWAN)
        assert not one.may_write("pantau/v1/contoh/water_level/awan-2")
    assert "did you mean weir" in problem(run("revoke", "wei"))
    assert "no credential" in problem(run("rotate", "nobody"))


def test_a_wrong_administrator_a_foreign_broker_and_none_are_told(broker: SecuredBroker, run: Run) -> None:
    wrong = broker.admin_url.replace("admin:", "admin:x")
    assert "refuses user admin" in problem(run("list", PANTAU_MQTT_ADMIN_URL=wrong))
    assert "not the administrator" in problem(run("list", PANTAU_MQTT_ADMIN_URL=broker.url))
    assert "is not set" in problem(run("list", PANTAU_MQTT_ADMIN_URL=""))
    nobody = f"mqtt://admin:x@127.0.0.1:{free_port()}"
    assert "Connection refused" in problem(run("list", PANTAU_MQTT_ADMIN_URL=nobody))


def test_a_broker_without_the_plugin_is_told_so() -> None:
    with mosquitto() as plain:
        admin = DynamicSecurity(plain.url.replace("mqtt://", "mqtt://admin:x@"), timeout_s=1.0)
        with pytest.raises(Unavailable, match="is the dynamic-security plugin loaded"), admin:
            admin.credentials()


def test_more_credentials_than_one_answer_holds_are_all_listed(broker: SecuredBroker) -> None:
    with DynamicSecurity(broker.admin_url) as admin:
        before = len(admin.credentials())
        with PahoDialogue(broker.admin_url, "bulk") as bulk:
            bulk.subscribe("$CONTROL/dynamic-security/v1/response")
            commands = [
                {"command": "createClient", "username": f"many-{n}",
                 "textdescription": json.dumps({"id": f"many-{n}", "role": "partner"})}
                for n in range(520)
            ]  # fmt: skip
            for start in range(0, len(commands), 260):
                body = json.dumps({"commands": commands[start : start + 260]})
                bulk.send("$CONTROL/dynamic-security/v1", body.encode())
                message = bulk.receive(20)
                assert message is not None
                bulk.ack(message)
        assert len(admin.credentials()) == before + 520


def test_the_service_hears_an_enrolled_device_through_the_shipped_broker(
    broker: SecuredBroker, run: Run
) -> None:
    made = added(run, "awan-1")
    with service(broker.url) as running, device(way_in(broker, made)) as one:
        reading = {"observed_at": time.time_ns() // 1_000_000, "value": 120}
        assert one.publish(AWAN, json.dumps(reading).encode()) == 0
        deadline = time.monotonic() + 20
        while running.get("/api/v1/stations/awan-1")["properties"]["state"] == "never_reported":
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_the_program_itself_ends_with_2_and_words(broker: SecuredBroker) -> None:
    done = subprocess.run(
        pantau("device", "add", "awan-1"),
        env={"PANTAU_CITY": str(CITIES / "contoh"), "PANTAU_MQTT_ADMIN_URL": broker.url},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert broker.password not in done.stderr


def test_a_gateway_of_all_stations_names_none_of_them() -> None:
    made = made_for(CITY, Credential(id="", role="device"), "water_level")
    assert made.stations == ()
    assert made.write == ("pantau/v1/contoh/water_level/+", "pantau/v1/contoh/water_level/+/+")
    assert made.id.startswith("gateway-")
