"""``pantau decode`` and ``pantau refused`` as a person calls them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from app.cli import make_cli
from app.clock import VirtualClock
from app.commands.refused import Choice, retry
from app.database import create_tables, open_engine, unit_of_work
from ingest.decode import Refused
from ingest.format import Message
from ingest.refused import keep, listing
from pantau.errors import ConfigError, Unavailable
from tests.ingest.small_city import T0
from tests.peers import mosquitto

CITY = "cities/contoh"
RECEIVED = "2026-01-02T03:04:06Z"


class Sent:
    """A publisher that remembers, and loses the broker after some messages when a test wants it."""

    def __init__(self, most: int = 1000) -> None:
        self.sent: list[tuple[str, bytes, bool]] = []
        self._most = most

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        if len(self.sent) >= self._most:
            raise Unavailable("broker", "gone")
        self.sent.append((topic, payload, retain))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(f"sqlite:///{tmp_path}/pantau.db")
    create_tables(opened)
    yield opened
    opened.dispose()


def call(*arguments: str, env: dict[str, str] | None = None, stdin: bytes | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(
        make_cli(), list(arguments), env={"PANTAU_CITY": CITY, **(env or {})}, input=stdin
    )
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def fill(engine: Engine, *codes: str, payload: bytes = b"{}") -> None:
    with unit_of_work(engine) as connection:
        keep(connection, [
            Refused(Message(f"pantau/v1/contoh/{n}", payload, T0 + n, retain=True), code, f"why {n}")
            for n, code in enumerate(codes)
        ])  # fmt: skip


def retried(engine: Engine) -> list[int]:
    with engine.connect().execution_options(reading=True) as connection:
        return sorted(kept.id for kept in listing(connection) if kept.retried_at == T0 + 99)


def test_a_payload_shows_its_readings_and_refusals_one_object_a_line(tmp_path: Path) -> None:
    file = tmp_path / "payload.json"
    file.write_text(
        json.dumps([{"observed_at": "2026-01-02T03:04:05Z", "value": 1}, {"value": 2}]), encoding="utf-8"
    )
    code, output = call("decode", "--format", "native", str(file), "--received-at", RECEIVED, "--json")
    first, second = [json.loads(line) for line in output.splitlines()]
    assert code == 1
    assert first["reading"]["value"] == 1.0
    assert "flag" not in first["reading"]
    assert (second["refused"]["code"], second["refused"]["index"]) == ("missing_field", 1)


def test_a_good_payload_is_read_from_stdin_on_a_topic_of_ones_own() -> None:
    topic = "pantau/v1/contoh/water_level/awan-1/radar"
    payload = b'{"observed_at": "2026-01-02T03:04:05Z", "value": -3, "unit": "m"}'
    code, output = call(
        "decode", "--format", "native", "-", "--topic", topic, "--received-at", RECEIVED, stdin=payload
    )
    assert code == 0
    assert "awan-1/radar water_level -300" in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "morse", "-"], "only [a-z_, ]*frigate, native"),
        (["--format", "frigate", "-"], "--topic is missing"),
        (["--format", "native", "no such file"], "cannot be read"),
        (["--format", "native", "-", "--received-at", "2026-01-02"], "with an offset"),
        (["--format", "native", "-", "--received-at", "noon"], "with an offset"),
    ],
)
def test_a_wrong_call_says_what_to_do(arguments: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        call("decode", *arguments)


def test_refused_messages_are_listed_with_their_reasons(engine: Engine) -> None:
    fill(engine, "not_json", "wrong_unit", "not_json")
    env = {"PANTAU_DATABASE_URL": str(engine.url)}
    code, output = call("refused", "list", "--json", "--code", "not_json", "--limit", "1", env=env)
    assert (code, [json.loads(line) for line in output.splitlines()]) == (0, [{
        "id": 3, "received_at": "2026-01-02T03:00:00.002Z", "topic": "pantau/v1/contoh/2", "code": "not_json",
        "reason": "why 2", "size": 2, "retained": True, "retried_at": None, "payload": "{}",
    }])  # fmt: skip
    code, output = call("refused", "list", env=env)
    assert code == 0
    assert output.splitlines()[-1] == "not_json 2, wrong_unit 1"


def test_a_code_that_no_message_has_is_told_with_those_there_are(engine: Engine) -> None:
    fill(engine, "not_json", "wrong_unit")
    env = {"PANTAU_DATABASE_URL": str(engine.url)}
    done = CliRunner().invoke(make_cli(), ["refused", "list", "--code", "nonsense", "--json"], env=env)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no refused message has the code 'nonsense': there are not_json, wrong_unit" in done.stderr
    assert CliRunner().invoke(make_cli(), ["refused", "list", "--code", "not_json"], env=env).stderr == ""


def test_a_database_without_the_table_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pantau run"):
        call("refused", "list", env={"PANTAU_DATABASE_URL": f"sqlite:///{tmp_path}/empty.db"})


@pytest.mark.parametrize("arguments", [[], ["--all", "--code", "x"], ["--id", "1", "--all"]])
def test_retry_wants_to_know_exactly_which(arguments: list[str]) -> None:
    with pytest.raises(ConfigError, match="exactly one"):
        call("refused", "retry", *arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--id", "2", "--id", "99"], "no refused message has the id 99; nothing was sent"),
        (["--code", "nonsense"], "no refused message has the code 'nonsense': there are a, b"),
    ],
)
def test_retry_of_what_is_not_there_is_an_error_and_sends_nothing(
    engine: Engine, arguments: list[str], words: str
) -> None:
    fill(engine, "a", "b")
    nowhere = {"PANTAU_DATABASE_URL": str(engine.url), "PANTAU_MQTT_URL": "mqtt://127.0.0.1:9"}
    done = CliRunner().invoke(
        make_cli(), ["refused", "retry", *arguments], env={"PANTAU_CITY": CITY, **nowhere}
    )
    assert done.exit_code == 1
    assert words in done.stderr
    assert retried(engine) == []


def test_retry_publishes_once_in_order_and_never_retained(engine: Engine) -> None:
    fill(engine, *["wrong_unit"] * 250)
    publisher = Sent()
    assert retry(engine, publisher, VirtualClock(T0 + 99), Choice()) == (250, [])
    assert publisher.sent == [(f"pantau/v1/contoh/{n}", b"{}", False) for n in range(250)]
    assert retry(engine, publisher, VirtualClock(T0 + 99), Choice()) == (0, [])


def test_retry_by_code_and_by_id_takes_no_others(engine: Engine) -> None:
    fill(engine, "a", "b", "a", "b")
    assert retry(engine, Sent(), VirtualClock(T0 + 99), Choice(code="b")) == (2, [])
    assert retried(engine) == [2, 4]
    assert retry(engine, Sent(), VirtualClock(T0 + 99), Choice(ids=[1, 2])) == (2, [])
    assert retried(engine) == [1, 2, 4]


def test_retry_leaves_alone_what_would_do_harm_and_says_why(engine: Engine) -> None:
    fill(engine, "retained_without_time", "not_json")
    done, left = retry(engine, Sent(), VirtualClock(T0 + 99), Choice())
    assert (done, [kept.code for kept in left]) == (1, ["retained_without_time"])


def test_when_the_broker_goes_away_what_was_sent_is_marked(engine: Engine) -> None:
    fill(engine, "a", "a", "a")
    with pytest.raises(Unavailable):
        retry(engine, Sent(most=2), VirtualClock(T0 + 99), Choice())
    assert retried(engine) == [1, 2]


@pytest.mark.real
def test_retry_goes_through_a_real_broker(engine: Engine) -> None:
    fill(engine, "wrong_unit", "retained_without_time")
    with mosquitto() as broker:
        env = {"PANTAU_DATABASE_URL": str(engine.url), "PANTAU_MQTT_URL": broker.url}
        code, output = call("refused", "retry", "--all", "--json", env=env)
    answer = json.loads(output.splitlines()[-1])
    assert (code, answer["retried"], [left["id"] for left in answer["left"]]) == (1, 1, [2])
