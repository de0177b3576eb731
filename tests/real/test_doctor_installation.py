"""`pantau doctor` before the first start and after a bad one: disks, rights, contacts, a stranger for InfluxDB."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alerts.store import contacts
from app.cli import make_cli
from app.database import migrate, open_engine, unit_of_work
from app.settings import load_settings
from app.wiring import load_city
from tests.peers import free_port
from tests.peers.service import CITIES
from tests.real.test_influx_store import STRANGERS, stranger

pytestmark = pytest.mark.real

Doctor = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    def call(check: str, **environ: str) -> list[dict[str, Any]]:
        env = {
            "PANTAU_CITY": str(CITIES / "contoh"),
            "PANTAU_DATA": str(tmp_path / "data"),
            "PANTAU_HTTP": f"127.0.0.1:{free_port()}",
            **environ,
        }
        result = CliRunner().invoke(make_cli(), ["doctor", "--json", "--only", check], env=env)
        assert result.exit_code in {0, 1}, result.exception
        return [json.loads(line) for line in result.stdout.splitlines()]

    return call


def test_a_disk_that_is_not_mounted_is_told_and_nothing_is_made(doctor: Doctor, tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    (found,) = doctor("database", PANTAU_DATABASE_URL=f"sqlite:///{folder / 'pantau.db'}")
    assert found["status"] == "error"
    assert found["text"] == f"PANTAU_DATABASE_URL: folder {folder} does not exist; is its disk mounted?"
    assert not folder.exists()


def test_a_data_folder_that_cannot_be_made_is_told(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    (found,) = doctor("database", PANTAU_DATA=str(tmp_path / "file" / "data"))
    assert found["status"] == "error"
    assert "cannot be written: owner, rights, or a disk mounted read-only?" in found["text"]


def test_files_beside_the_database_are_looked_at_too(doctor: Doctor, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for name in ("pantau.db", "pantau.db-wal", "pantau.db-shm"):
        file = tmp_path / name
        file.write_bytes(b"")
        file.chmod(0o644 if name.endswith("wal") else 0o600)
    (found,) = doctor("files", PANTAU_DATABASE_URL=f"sqlite:///{tmp_path / 'pantau.db'}")
    readable = all(folder.stat().st_mode & 1 for folder in tmp_path.parents)
    assert found["status"] == ("warning" if readable else "ok")
    if readable:
        assert found["do"] == f"chmod 600 {tmp_path / 'pantau.db-wal'}"


@pytest.mark.parametrize("word", STRANGERS)
def test_a_stranger_in_influxdbs_place_is_told_as_the_service_tells_it(doctor: Doctor, word: str) -> None:
    with stranger(word) as url:
        found = doctor(
            "influxdb", PANTAU_INFLUX_URL=url, PANTAU_INFLUX_TOKEN="t", PANTAU_INFLUX_ORG="o",
            PANTAU_INFLUX_BUCKET="b",
        )  # fmt: skip
    assert [one["status"] for one in found] == ["error"]
    assert "answers, but not like InfluxDB 2: correct PANTAU_INFLUX_URL" in found[0]["text"]


def test_roles_that_nobody_reaches_are_told_with_the_command_that_helps(
    doctor: Doctor, tmp_path: Path
) -> None:
    assert [one["status"] for one in doctor("contacts")] == ["note"]
    (tmp_path / "data").mkdir()
    engine = open_engine(f"sqlite:///{tmp_path / 'data' / 'pantau.db'}")
    migrate(engine)
    found = doctor("contacts")
    assert found[0]["status"] == "error"
    assert found[0]["do"] == "pantau contact add duty_officer CHANNEL ADDRESS"
    todo = [one["do"] for one in found[1:]]
    assert "pantau contact add mayor apprise ADDRESS" in todo
    assert {one["status"] for one in found[1:]} == {"warning"}
    city = load_city(load_settings({"PANTAU_CITY": str(CITIES / "contoh"), "PANTAU_DATA": str(tmp_path)}))
    with unit_of_work(engine) as connection:
        for recipient in city.recipients:
            for channel in recipient.channels:
                contacts.add(connection, recipient.role, channel, "x", 0)
    assert [one["status"] for one in doctor("contacts")] == ["ok"]
    with unit_of_work(engine) as connection:
        mayor = next(one.id for one in contacts.listing(connection) if one.role == "mayor")
        contacts.revoke(connection, mayor, 1)
    engine.dispose()
    assert [one["do"] for one in doctor("contacts")] == ["pantau contact add mayor apprise ADDRESS"]
