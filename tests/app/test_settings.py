"""The environment, read once: every problem is told at the same time, and nothing is guessed."""

from pathlib import Path

import pytest

from app.clock import RealClock, ScaledClock
from app.settings import KNOWN, InfluxSettings, Settings, load_settings, recordings_folder
from pantau.errors import ConfigError

CITY = str(Path(__file__).parents[2] / "cities" / "contoh")
INFLUX = {
    "PANTAU_INFLUX_URL": "http://127.0.0.1:8086", "PANTAU_INFLUX_TOKEN": "t", "PANTAU_INFLUX_ORG": "o",
    "PANTAU_INFLUX_BUCKET": "b",
}  # fmt: skip


def load(**more: str) -> Settings:
    return load_settings({"PANTAU_CITY": CITY, "HOME": "/root", **more})


def problems(**more: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(**more)
    return str(caught.value).splitlines()


def test_little_has_to_be_set() -> None:
    settings = load()
    assert (settings.mqtt_url, settings.http) == ("mqtt://127.0.0.1:1883", ("127.0.0.1", 8000))
    assert settings.database_url == "sqlite:///data/pantau.db"
    assert (settings.influx, settings.simulated) == (None, None)
    assert isinstance(settings.clock, RealClock)


def test_the_default_database_lies_in_the_data_folder() -> None:
    assert load(PANTAU_DATA="/srv/pantau").database_url == "sqlite:////srv/pantau/pantau.db"


def test_an_empty_variable_counts_as_unset() -> None:
    assert load(PANTAU_MQTT_URL="", PANTAU_CLOCK="").mqtt_url == "mqtt://127.0.0.1:1883"


def test_all_problems_are_told_at_once_each_by_its_name(tmp_path: Path) -> None:
    told = problems(
        PANTAU_CITY=str(tmp_path), PANTAU_MQTT_URL="http://broker", PANTAU_DATABASE_URL="mysql://x", PANTAU_HTTP="8000",
        PANTAU_CLOCK="yesterday", PANTAU_INFLUX_URL="ftp://x", PANTAU_SPEED="3", PANTAU_INFLUX_ORG_FILE="/nowhere",
    )  # fmt: skip
    named = {line.split(" ", 1)[0] for line in told}
    assert named == {
        "PANTAU_CITY", "PANTAU_MQTT_URL", "PANTAU_DATABASE_URL", "PANTAU_HTTP", "PANTAU_CLOCK", "PANTAU_INFLUX_URL",
        "PANTAU_INFLUX_TOKEN", "PANTAU_INFLUX_BUCKET", "PANTAU_INFLUX_ORG", "PANTAU_SPEED", "PANTAU_INFLUX_ORG_FILE",
    }  # fmt: skip


@pytest.mark.parametrize("url", ["mqtt://broker", "mqtts://u:p@broker:8883", "mqtt://[::1]:1883"])
def test_a_broker_may_be_named_with_or_without_port_user_and_tls(url: str) -> None:
    assert load(PANTAU_MQTT_URL=url).mqtt_url == url


@pytest.mark.parametrize(
    "url", ["broker:1883", "mqtt://", "tcp://broker", "mqtt://broker:99999", "mqtt://broker:x"]
)
def test_what_is_no_broker_is_a_problem(url: str) -> None:
    [problem] = problems(PANTAU_MQTT_URL=url)
    assert problem.startswith("PANTAU_MQTT_URL")


def test_postgresql_is_reached_through_psycopg_whichever_way_it_is_written() -> None:
    assert load(PANTAU_DATABASE_URL="postgresql://u:p@h/d").database_url == "postgresql+psycopg://u:p@h/d"
    assert load(PANTAU_DATABASE_URL="postgresql+psycopg://h/d").database_url == "postgresql+psycopg://h/d"


@pytest.mark.parametrize(
    ("text", "found"),
    [("0.0.0.0:80", ("0.0.0.0", 80)), ("[::1]:8000", ("::1", 8000)), ("host:65535", ("host", 65535))],
)
def test_host_and_port(text: str, found: tuple[str, int]) -> None:
    assert load(PANTAU_HTTP=text).http == found


@pytest.mark.parametrize("text", ["8000", ":8000", "host:", "host:http", "host:65536", "host:-1"])
def test_what_is_no_host_and_port_is_a_problem(text: str) -> None:
    assert "expected host:port" in problems(PANTAU_HTTP=text)[0]


# --- secrets from files ---------------------------------------------------------------------------------------------


def test_a_secret_may_come_from_a_file_whose_last_newline_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n", encoding="utf-8")
    plain = {name: value for name, value in INFLUX.items() if name != "PANTAU_INFLUX_TOKEN"}
    settings = load(**plain, PANTAU_INFLUX_TOKEN_FILE=str(tmp_path / "token"))
    assert settings.influx == InfluxSettings("http://127.0.0.1:8086", "s3cret", "o", "b")


def test_both_the_secret_and_its_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x", encoding="utf-8")
    assert problems(**INFLUX, PANTAU_INFLUX_TOKEN_FILE=str(tmp_path / "token")) == [
        "PANTAU_INFLUX_TOKEN_FILE and PANTAU_INFLUX_TOKEN are both set; keep one"
    ]


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), (b"\xff\xfe", "invalid start byte"), (b" \n", "is empty")]
)
def test_a_file_that_gives_no_secret_is_a_problem(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    [problem] = problems(PANTAU_MQTT_URL_FILE=str(path))
    assert problem.startswith(f"PANTAU_MQTT_URL_FILE names {str(path)!r}")
    assert words in problem


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_variable_may_come_from_a_file(tmp_path: Path, name: str) -> None:
    good = {"PANTAU_CITY": CITY, **INFLUX, "PANTAU_MQTT_URL": "mqtt://a", "PANTAU_DATABASE_URL": "sqlite:///x",
            "PANTAU_HTTP": "a:1", "PANTAU_DATA": "d", "PANTAU_CLOCK": "2026-01-01T00:00:00Z,1,0",
            "PANTAU_RECORDINGS": "r", "PANTAU_MQTT_ADMIN_URL": "mqtt://admin:x@a"}  # fmt: skip
    (tmp_path / "value").write_text(good[name], encoding="utf-8")
    from_file = {key: value for key, value in good.items() if key != name} | {
        f"{name}_FILE": str(tmp_path / "value")
    }
    assert load_settings(from_file) == load_settings(good)


# --- unknown names, influx, clock -----------------------------------------------------------------------------------


def test_a_misspelt_variable_is_told_with_the_names_there_are() -> None:
    [problem] = problems(PANTAU_DATABSE_URL="sqlite:///x")
    assert problem.startswith("PANTAU_DATABSE_URL is not a setting of Pantau; known are PANTAU_CITY, ")


def test_other_programs_variables_are_none_of_our_business() -> None:
    assert load(PATH="/bin", INFLUXD="/x").influx is None


@pytest.mark.parametrize("missing", sorted(INFLUX))
def test_influxdb_needs_all_four_or_none(missing: str) -> None:
    [problem] = problems(**{name: value for name, value in INFLUX.items() if name != missing})
    assert problem.startswith(f"{missing} is not set")
    assert "set all four or none" in problem


def test_a_clock_is_start_and_speed_and_maybe_an_anchor() -> None:
    clock = load(PANTAU_CLOCK="2014-01-29T22:00:00+07:00,1500,1700000000000").clock
    assert isinstance(clock, ScaledClock)
    assert (clock.start_ms, clock.speed, clock.anchor_ms) == (1_391_007_600_000, 1500, 1_700_000_000_000)
    assert clock.exercise


@pytest.mark.parametrize(
    "text",
    ["2014-01-29T22:00:00,1", "2014-01-29T22:00:00Z", "2014-01-29T22:00:00Z,0", "2014-01-29T22:00:00Z,-1", "now,1",
     "2014-01-29T22:00:00Z,nan", "2014-01-29T22:00:00Z,inf", "2014-01-29T22:00:00Z,1,x", "2014-01-29T22:00:00Z,1,2,3"],
)  # fmt: skip
def test_what_is_no_clock_is_told_with_what_is_expected(text: str) -> None:
    [problem] = problems(PANTAU_CLOCK=text)
    assert "expected start,speed[,anchor]" in problem


def test_recordings_lie_beside_the_project_or_where_the_environment_says() -> None:
    assert recordings_folder({"PANTAU_RECORDINGS": "/r"}) == Path("/r")
    assert recordings_folder({}).parts[-3:] == ("shared", "data", "recordings")
