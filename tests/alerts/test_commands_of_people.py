"""``pantau token`` and ``pantau contact``, as an operator types them."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from alerts.store import contacts, tokens
from app.commands import contact, token
from app.database import open_engine
from pantau.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


class Desk:
    """An installation of the invented city in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'pantau.db'}"
        self._cli = typer.Typer()
        token.register(self._cli)
        contact.register(self._cli)

    def types(self, *words: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(self._cli, words, input=stdin)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path)
    (tmp_path / "pantau.db").touch()  # one that is made anew is told
    monkeypatch.setenv("PANTAU_CITY", str(ROOT / "cities" / "contoh"))
    monkeypatch.setenv("PANTAU_DATABASE_URL", made.url)
    return made


def test_a_token_is_printed_once_and_works_until_it_is_revoked(desk: Desk) -> None:
    made = desk.types("token", "add", "Sari")
    assert made.exit_code == 0
    text = made.stdout.strip()
    engine = open_engine(desk.url)
    with engine.connect() as connection:
        assert tokens.operator_of(connection, text) == ("Sari", "operator")
    listed = desk.types("token", "list", "--json")
    entry = json.loads(listed.stdout)
    assert (entry["name"], entry["revoked_at"]) == ("Sari", None)
    assert text not in listed.stdout
    assert desk.types("token", "revoke", entry["id"]).exit_code == 0
    with engine.connect() as connection:
        assert tokens.operator_of(connection, text) is None
    engine.dispose()
    assert "revoked" in desk.types("token", "list").stdout


def test_a_token_is_revoked_by_its_name_while_only_one_in_force_has_it(desk: Desk) -> None:
    def in_force() -> list[str]:
        listed = map(json.loads, desk.types("token", "list", "--json").stdout.splitlines())
        return [one["id"] for one in listed if one["revoked_at"] is None]

    desk.types("token", "add", "Sari")
    (first,) = in_force()
    assert first in desk.types("token", "revoke", "Sari").stdout
    assert in_force() == []
    assert isinstance(desk.types("token", "revoke", first).exception, ConfigError)
    desk.types("token", "add", "Sari")  # the revoked one of that name does not count
    assert desk.types("token", "revoke", "Sari").exit_code == 0
    assert in_force() == []
    for _ in range(2):
        desk.types("token", "add", "Sari")
    both = in_force()
    problem = str(desk.types("token", "revoke", "Sari").exception)
    assert "revoke by id" in problem
    assert all(one in problem for one in both)
    assert in_force() == both
    assert desk.types("token", "revoke", both[0]).exit_code == 0
    assert in_force() == both[1:]
    assert "first column" in str(desk.types("token", "revoke", "Sar").exception)


@pytest.mark.parametrize("words", [
    ("token", "add", "Sari", "--role", "king"), ("token", "add", " "), ("token", "revoke", "nobody"),
    ("contact", "revoke", "99"),
])  # fmt: skip
def test_what_cannot_be_is_said(desk: Desk, words: tuple[str, ...]) -> None:
    assert isinstance(desk.types(*words).exception, ConfigError)


def test_a_webhooks_secret_is_made_and_printed_once(desk: Desk) -> None:
    made = desk.types(
        "contact",
        "add",
        "disaster_agency",
        "webhook",
        "https://posko.example/hook?key=hunter2",
        "--name",
        "Posko",
    )
    assert made.exit_code == 0
    number, secret = made.stdout.split("\n")[0], made.stdout.split()[-1]
    engine = open_engine(desk.url)
    with engine.connect() as connection:
        assert contacts.addresses(connection, [int(number)])[int(number)].secret == secret
    engine.dispose()
    listed = desk.types("contact", "list").stdout + desk.types("contact", "list", "--json").stdout
    assert "https://posko.example/..." in listed
    assert "hunter2" not in listed
    assert secret not in listed
    assert desk.types("contact", "revoke", number).exit_code == 0
    assert isinstance(desk.types("contact", "revoke", number).exception, ConfigError)


def test_a_secret_can_come_from_a_file_and_an_address_from_stdin(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("0123456789abcdef\n", encoding="utf-8")
    words = ("contact", "add", "disaster_agency", "webhook", "-", "--secret-file", str(file))
    made = desk.types(*words, stdin="https://posko.example/hook\n")
    assert made.exit_code == 0
    assert "secret" not in made.stdout
    file.write_text("short", encoding="utf-8")
    assert isinstance(desk.types(*words, stdin="https://posko.example/hook\n").exception, ConfigError)
    assert isinstance(
        desk.types(*words[:-1], str(tmp_path / "none"), stdin="https://x.example\n").exception, ConfigError
    )


def test_every_mistake_in_a_contact_is_said_together(desk: Desk) -> None:
    error = desk.types("contact", "add", "nobody", "webhook", "nonsense").exception
    assert isinstance(error, ConfigError)
    assert len(error.problems) == 2
    assert "expected one of" in error.problems[0]
    error = desk.types("contact", "add", "disaster_agency", "pigeon", "coo").exception
    assert isinstance(error, ConfigError)
    assert "pigeon" in error.problems[0]


def test_a_topic_of_another_city_is_refused(desk: Desk) -> None:
    error = desk.types("contact", "add", "duty_officer", "mqtt", "pantau/v1/lain/notices/x").exception
    assert isinstance(error, ConfigError)


def test_a_channel_the_role_does_not_use_is_refused(desk: Desk) -> None:
    error = desk.types("contact", "add", "mayor", "mqtt", "pantau/v1/contoh/notices/x").exception
    assert isinstance(error, ConfigError)
    assert "recipients.csv" in error.problems[0]


@pytest.mark.parametrize(("address", "safe"), [
    ("tgram://123456:secret/chat", "tgram:///..."), ("https://u:p@h.example/secret", "https://h.example/..."),
    ("pantau/v1/contoh/notices/x", "pantau/v1/contoh/notices/x"), ("mailto://u:p@h.example", "mailto:///..."),
])  # fmt: skip
def test_an_address_is_shown_without_its_secrets(address: str, safe: str) -> None:
    assert contact.shown(address) == safe
