"""Broker URLs: what is in them, and errors that never tell the password."""

from pathlib import Path

import pytest

from ingest.endpoint import Endpoint
from pantau.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://localhost", Endpoint("localhost", 1883)),
        ("mqtt://localhost/", Endpoint("localhost", 1883)),
        ("mqtts://broker.example", Endpoint("broker.example", 8883, tls=True)),
        ("mqtt://10.0.0.1:1884", Endpoint("10.0.0.1", 1884)),
        ("mqtt://[::1]:1884", Endpoint("::1", 1884)),
        ("mqtt://ani:p%40ss%3A%2F@b", Endpoint("b", 1883, user="ani", password="p@ss:/")),
        ("mqtts://b?ca_file=/etc/ca.pem", Endpoint("b", 8883, tls=True, ca_file="/etc/ca.pem")),
        (
            "mqtts://b?ca_file=/a&cert_file=/c.pem&key_file=/k%20k.pem&version=5",
            Endpoint("b", 8883, True, None, None, "/a", "/c.pem", "/k k.pem", "5"),
        ),
        ("mqtt://b?version=3.1.1", Endpoint("b", 1883, version="3.1.1")),
    ],
)
def test_a_url_is_read(url: str, expected: Endpoint) -> None:
    assert Endpoint.of(url) == expected


def test_user_and_password_given_apart_win() -> None:
    assert Endpoint.of("mqtt://ani:old@b", "budi", "new") == Endpoint("b", 1883, user="budi", password="new")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "b:1883",
        "http://b",
        "mqtt://",
        "mqtt://b:x",
        "mqtt://b:99999",
        "mqtt://b/topic",
        "mqtt://u:geheim@b?x=1",
        "mqtt://u:geheim@b?version=4",
    ],
)
def test_another_url_is_an_error_without_the_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Endpoint.of(url)
    assert "mqtt://[user:password@]host[:port]" in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mqtt://u:geheim@b?ca_file=/a", "ca_file without TLS; write mqtts://"),
        ("mqtts://u:geheim@b?key_file=/a", "key_file without cert_file"),
    ],
)
def test_options_that_do_not_fit_are_told_apart(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        Endpoint.of(url)
    assert "geheim" not in str(caught.value)


def test_without_tls_there_is_no_context_and_with_it_one_that_checks() -> None:
    assert Endpoint.of("mqtt://b").tls_context() is None
    context = Endpoint.of("mqtts://b").tls_context()
    assert context is not None
    assert context.check_hostname


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_files_that_are_no_certificates_are_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "x.pem"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"ca_file .*x\.pem"):
        Endpoint.of(f"mqtts://b?ca_file={file}").tls_context()
    with pytest.raises(ConfigError, match=r"cert_file and key_file .*x\.pem"):
        Endpoint.of(f"mqtts://b?cert_file={file}").tls_context()


def test_in_logs_it_stands_without_the_password() -> None:
    assert str(Endpoint.of("mqtts://ani:geheim@b")) == "mqtts://b:8883"
