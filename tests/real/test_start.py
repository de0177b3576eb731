"""What keeps `pantau run` from starting: told in one line with what to do, before any peer is met."""

import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.peers import Broker, free_port, mosquitto, service
from tests.peers.service import CITIES, Pantau, pantau
from tests.real.test_influx_store import stranger
from tests.status.test_stations import eventually

pytestmark = pytest.mark.real

AS_OTHERS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--") if os.geteuid() == 0 else ()
"""Rights of files count for root as well."""


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with mosquitto() as peer:
        yield peer


@pytest.fixture(scope="module")
def running(broker: Broker) -> Iterator[Pantau]:
    with service(broker.url) as peer:
        yield peer


def refused_start(settings: dict[str, str], *before: str) -> str:
    """What a `pantau run` says that ends with 2; it must say nothing more, above all no trace."""
    env = {**os.environ, "PANTAU_CITY": str(CITIES / "contoh"), **settings}
    done = subprocess.run(
        [*before, *pantau("run")], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def settings_of(running: Pantau, **changed: str) -> dict[str, str]:
    return {**running.settings, **changed}


def test_a_second_service_on_one_database_is_refused_with_the_pid_and_the_first_goes_on(
    running: Pantau,
) -> None:
    said = refused_start(settings_of(running, PANTAU_HTTP=f"127.0.0.1:{free_port()}"))
    assert said == f"error: {running.database} is in use by another pantau run (pid {running.pid})\n"
    assert "another" not in running.output()
    assert running.get("/readyz")["ready"] is True


def test_a_port_that_is_taken_is_told_before_the_broker_is_met(running: Pantau, tmp_path: Path) -> None:
    said = refused_start(settings_of(running, PANTAU_DATA=str(tmp_path / "data")))
    host_port = running.settings["PANTAU_HTTP"]
    assert f"error: {host_port} is in use: is another pantau running?\n" in said
    assert "broker" not in said


def test_an_address_of_another_machine_is_told(running: Pantau, tmp_path: Path) -> None:
    settings = settings_of(running, PANTAU_DATA=str(tmp_path / "data"), PANTAU_HTTP="203.0.113.9:8000")
    assert "error: PANTAU_HTTP 203.0.113.9:8000 cannot be listened on" in refused_start(settings)


def test_a_page_beside_the_service_still_runs(running: Pantau) -> None:
    port = free_port()
    env = {**os.environ, **settings_of(running, PANTAU_HTTP=f"127.0.0.1:{port}")}
    beside = subprocess.Popen(
        pantau("run", "--only", "status"), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with httpx.Client(
            transport=httpx.HTTPTransport(retries=9), base_url=f"http://127.0.0.1:{port}", trust_env=False
        ) as http:
            assert http.get("/healthz").status_code == 200
    finally:
        beside.terminate()
        beside.wait(20)


def test_the_lock_is_gone_with_the_process_however_it_ended(broker: Broker) -> None:
    with service(broker.url) as peer:
        peer.kill()
        peer.start()
        assert peer.get("/readyz")["ready"] is True


def test_new_database_files_are_their_owners_alone_and_told_of_once(broker: Broker) -> None:
    with service(broker.url) as peer:
        files = [peer.database.with_name(peer.database.name + end) for end in ("", "-wal", "-shm", ".lock")]
        assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 4
        assert "new database made" in peer.output()
        peer.stop()
        peer.start()
        assert peer.output().count("new database made") == 1


def test_a_disk_that_is_not_mounted_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'disk' / 'pantau.db'}"
    said = refused_start({"PANTAU_DATABASE_URL": url, "PANTAU_DATA": str(tmp_path / "data")})
    folder = tmp_path / "disk"
    assert said == f"error: PANTAU_DATABASE_URL: folder {folder} does not exist; is its disk mounted?\n"
    assert not folder.exists()


def test_a_data_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    said = refused_start({"PANTAU_DATA": str(tmp_path / "file" / "data")})
    assert "file/data/pantau.db cannot be written: owner, rights, or a disk mounted read-only?" in said


def test_a_database_that_may_only_be_read_is_told(running: Pantau) -> None:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        database = home / "pantau.db"
        database.write_bytes(b"")
        database.chmod(0o444)
        home.chmod(0o555)
        said = refused_start(settings_of(running, PANTAU_DATA=name), *AS_OTHERS)
        home.chmod(0o755)
    assert f"error: {database} cannot be written: owner, rights, or a disk mounted read-only?\n" in said


def test_a_stranger_in_influxdbs_place_is_named_from_the_start_and_the_service_goes_on(
    broker: Broker,
) -> None:
    with stranger("object") as url, service(
        broker.url, PANTAU_INFLUX_URL=url, PANTAU_INFLUX_TOKEN="t", PANTAU_INFLUX_ORG="o",
        PANTAU_INFLUX_BUCKET="b",
    ) as peer:  # fmt: skip
        eventually(lambda: "influxdb" in peer.get("/readyz")["peers"])
        found = peer.get("/readyz")
        assert found["degraded"] == ["influxdb"]
        wanted = "away: answers, but not like InfluxDB 2: correct PANTAU_INFLUX_URL"
        assert found["peers"]["influxdb"] == wanted
        told = [line for line in peer.output().splitlines() if '"peer away"' in line]
        assert len([line for line in told if '"peer": "influxdb"' in line]) == 1, told
        assert "thread_died" not in peer.output()
