"""Broker URLs: what is in them, and errors that never tell the password."""

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
    ],
)
def test_another_url_is_an_error_without_the_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Endpoint.of(url)
    assert "mqtt://[user:password@]host[:port]" in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_in_logs_it_stands_without_the_password() -> None:
    assert str(Endpoint.of("mqtts://ani:geheim@b")) == "mqtts://b:8883"
