"""docker-compose.yml and Dockerfile: no engine runs here, so both are held against specification and project."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from app.cli import make_cli
from app.settings import KNOWN
from app.wiring import PARTS
from tests.deploy.compose_schema import SCHEMA
from tests.peers.process import ROOT

FILE = ROOT / "docker-compose.yml"
TEXT = FILE.read_text(encoding="utf-8")
OURS = ("ingest", "alerts", "status")
PUBLISHED = {"1883:1883", "8000:8000"}  # MQTT and HTTP, nothing else
# What the images read, from their documentation.
FOREIGN = {
    "influxdb": re.compile(
        r"DOCKER_INFLUXDB_INIT_(MODE|USERNAME|ORG|BUCKET|PASSWORD_FILE|ADMIN_TOKEN_FILE)|INFLUXD_\w+"
    ),
    "postgres": re.compile(r"POSTGRES_(USER|DB|PASSWORD_FILE)"),
}
SECRET = re.compile(r"PASS|TOKEN|SECRET|_URL$")


@cache
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(TEXT)  # resolves anchors and `<<`
    return loaded


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def each(key: str) -> list[tuple[str, Any]]:
    """(service, item) of a list under each service."""
    return [(name, item) for name, service in services().items() for item in service.get(key, [])]


def test_obeys_the_specification() -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    problems = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(compose())]
    assert problems == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"sevices": {}},
        {"services": {"a": {"image": "a"}}},
        {"services": {"a": {"image": "a:1", "restart": "yes", "healthcheck": {}}}},
        {"services": {}, "volumes": {"a": {"drivr": "local"}}},
    ],
)
def test_the_schema_sees_mistakes(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, SCHEMA)


def test_what_is_used_is_declared_and_what_is_declared_is_used() -> None:
    named = {
        "networks": {item for _, item in each("networks")},
        "secrets": {item if isinstance(item, str) else item["source"] for _, item in each("secrets")},
        "volumes": {item.split(":")[0] for _, item in each("volumes") if not item.startswith(("./", "/"))},
    }
    for key, used in named.items():
        assert used == set(compose()[key]), key


def test_dependencies_exist_are_healthy_in_a_way_that_can_be_asked_and_have_no_cycle() -> None:
    order: list[str] = []
    left = {name: dict(service.get("depends_on", {})) for name, service in services().items()}
    while left:
        free = [name for name, needs in left.items() if set(needs) <= set(order)]
        assert free, f"a cycle, or a service that does not exist: {left}"
        order += free
        left = {name: needs for name, needs in left.items() if name not in free}
    for service in services().values():
        for need, rule in service.get("depends_on", {}).items():
            assert rule["condition"] != "service_healthy" or "healthcheck" in services()[need]


def test_nothing_but_mqtt_and_http_is_published() -> None:
    assert {port for _, port in each("ports")} == PUBLISHED
    assert len(each("ports")) == len(PUBLISHED)


def test_stores_cannot_be_reached_from_outside() -> None:
    assert compose()["networks"]["store"] == {"internal": True}
    for name in ("influxdb", "postgres"):
        assert services()[name]["networks"] == ["store"]


def test_no_secret_stands_in_the_file_and_none_has_a_default() -> None:
    for name, service in services().items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable) and not variable.endswith("_FILE"):
                assert re.fullmatch(r"https?://\w+:\d+", value), f"{name}: {variable} must come from a file"
    interpolated = re.findall(r"(?<!\$)\$\{([^}]*)\}", TEXT)
    assert interpolated
    for inner in interpolated:
        assert re.fullmatch(r"[A-Z_]+:\?set .+", inner), f"${{{inner}}}: expected ${{NAME:?set ...}}"


def test_secret_files_are_the_ones_that_the_tool_makes(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "make_secrets.py"), str(tmp_path / "s")]
    subprocess.run(command, check=True, capture_output=True)
    made = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "s").iterdir()}
    for secret in compose()["secrets"].values():
        assert Path(secret["file"]).name in made
    assert made["postgres_password"].strip() in made["database_url"]
    assert made["mqtt_password"].strip() in made["mqtt_url"]
    assert made["mqtt_admin_password"].strip() in made["mqtt_admin_url"]
    (tmp_path / "s" / "influx_token").unlink()
    subprocess.run(
        command, check=True, capture_output=True
    )  # again: nothing is overwritten, what is missing is made
    again = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "s").iterdir()}
    assert {name for name in made if made[name] != again[name]} == {"influx_token"}


def secrets_made(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "make_secrets.py"), str(folder), *words]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_the_tool_says_what_it_made_what_was_there_and_what_comes_next(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    first = secrets_made(folder).stdout
    assert "unchanged" not in first
    assert all(path.name in first.partition("\n")[0] for path in folder.iterdir())
    assert f"PANTAU_MQTT_URL_FILE={folder}/mqtt_url" in first
    again = secrets_made(folder).stdout
    assert "made in" not in again
    assert "unchanged" in again
    assert "another broker" not in again
    assert "another broker" in secrets_made(folder, "--broker", "10.0.0.5").stdout


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("host", "host:1884"),
        ("host:21884", "host:21884"),
        ("[::1]:8884", "[::1]:8884"),
        ("[::1]", "[::1]:1884"),
    ],
)
def test_the_tool_takes_the_brokers_port(tmp_path: Path, given: str, made: str) -> None:
    assert secrets_made(tmp_path / "s", "--broker", given).returncode == 0
    for name in ("mqtt_url", "mqtt_admin_url"):
        assert (tmp_path / "s" / name).read_text(encoding="utf-8").strip().endswith(f"@{made}")


@pytest.mark.parametrize("given", ["", "a:b", "a:0", "a:70000", "mqtt://a", "::1", "a:1:2", "a/b"])
def test_the_tool_refuses_what_is_no_address(tmp_path: Path, given: str) -> None:
    done = secrets_made(tmp_path / "s", "--broker", given)
    assert (done.returncode, "expected host" in done.stderr) == (2, True)
    assert not (tmp_path / "s").exists()


def test_only_the_tool_has_the_brokers_administrator() -> None:
    holders = [name for name, secret in each("secrets") if "admin" in str(secret)]
    assert holders == ["tool"]
    assert services()["tool"]["profiles"] == ["tool"]  # never started by `up`
    words = CliRunner().invoke(make_cli(), [*services()["tool"]["command"], "--help"])
    assert words.exit_code == 0


def test_the_brokers_first_users_are_put_where_its_configuration_looks_for_them() -> None:
    start = services()["mosquitto"]["command"][-1]
    config = (ROOT / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8")
    file = re.search(r"^plugin_opt_config_file (\S+)$", config, re.MULTILINE)
    assert file
    assert start.count(file[1]) == 2
    assert "-m 600" in start
    assert "/run/secrets/dynamic_security" in start
    assert "dynamic_security" in services()["mosquitto"]["secrets"]


def test_secrets_that_are_read_are_given() -> None:
    for name, service in services().items():
        given = {f"/run/secrets/{item}" for item in service.get("secrets", []) if isinstance(item, str)}
        for variable, value in service.get("environment", {}).items():
            assert not variable.endswith("_FILE") or value in given, f"{name}: {variable}"
        for read in re.findall(r"/run/secrets/\w+", str(service.get("healthcheck"))):
            assert read in given, f"{name}: {read}"


def test_variables_are_known_to_those_who_read_them() -> None:
    for name, service in services().items():
        for variable in service.get("environment", {}):
            if name in FOREIGN:
                assert FOREIGN[name].fullmatch(variable), f"{name}: {variable}"
            else:
                assert variable.removesuffix("_FILE") in KNOWN, f"{name}: {variable}"
    for name in OURS:
        given = {variable.removesuffix("_FILE") for variable in services()[name]["environment"]}
        assert {"PANTAU_CITY", "PANTAU_MQTT_URL", "PANTAU_DATABASE_URL", "PANTAU_DATA"} <= given


def test_commands_exist() -> None:
    for name in OURS:
        program, command, option, part = services()[name]["command"]
        assert (program, option, part) == ("pantau", "--only", name)
        assert part in PARTS
        helped = CliRunner().invoke(make_cli(), [command, "--help"])
        assert helped.exit_code == 0
        assert "only" in helped.output


def test_every_part_runs_once() -> None:
    assert sorted(service["command"][-1] for name, service in services().items() if name in OURS) == sorted(
        PARTS
    )


def test_paths_exist_in_the_project() -> None:
    for name, volume in each("volumes"):
        source = volume.split(":")[0]
        assert not source.startswith("/"), f"{name}: {source} would be a path of one machine"
        if source.startswith("."):
            assert (ROOT / source).exists(), f"{name}: {source}"


def test_addresses_and_ports_meet() -> None:
    settings = services()["status"]["environment"]
    port = settings["PANTAU_HTTP"].rpartition(":")[2]
    assert services()["status"]["ports"] == [f"{port}:{port}"]
    assert f"127.0.0.1:{port}/readyz" in services()["status"]["healthcheck"]["test"][-1]
    assert settings["PANTAU_INFLUX_URL"] == "http://influxdb:8086"
    assert settings["PANTAU_INFLUX_ORG"] == services()["influxdb"]["environment"]["DOCKER_INFLUXDB_INIT_ORG"]
    assert (
        settings["PANTAU_INFLUX_BUCKET"]
        == services()["influxdb"]["environment"]["DOCKER_INFLUXDB_INIT_BUCKET"]
    )
    config = (ROOT / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8")
    devices, ours = re.findall(r"^listener (\d+)$", config, re.MULTILINE)
    assert services()["mosquitto"]["ports"] == [
        f"{devices}:{devices}"
    ]  # ours is reached from our network alone
    assert f":{int(ours):04X} 01 " in services()["ingest"]["healthcheck"]["test"][-1]
    assert f"-p {ours} " in services()["mosquitto"]["healthcheck"]["test"][-1]
    targets = {volume.split(":")[1] for volume in services()["mosquitto"]["volumes"]}
    for path in re.findall(r"^(?:include_dir|persistence_location) (\S+)$", config, re.MULTILINE):
        assert path.rstrip("/") in targets, f"mosquitto.conf names {path}, which is not mounted"


def copied() -> list[str]:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line.split()[1:-1] for line in dockerfile.splitlines() if line.startswith("COPY ")]
    return [path for line in lines if not line[0].startswith("--from") for path in line]


def test_the_dockerfile_copies_what_exists_and_the_ignore_file_lets_it() -> None:
    allowed = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line[:1] == "!"
    }
    assert copied()
    for path in copied():
        assert (ROOT / path).exists(), path
    assert set(copied()) == allowed


def test_the_image_holds_the_city_folder_that_compose_names() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "COPY cities /srv/pantau/cities" in dockerfile
    for name in OURS:
        assert services()[name]["environment"]["PANTAU_CITY"].startswith("/srv/pantau/cities/")
