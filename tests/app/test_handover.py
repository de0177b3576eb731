"""The line that a new credential is tried with goes to the listener that devices reach."""

import pytest

from app.clock import VirtualClock
from app.handover import sample
from ingest.dynsec import Credential
from pantau import cityfolder
from pantau.city import City
from tests.peers.process import ROOT


@pytest.fixture(scope="module")
def contoh() -> City:
    return cityfolder.load(ROOT / "cities" / "contoh")


def credential(contoh: City, *, certificate: bool = False) -> Credential:
    return Credential(
        id="awan-1-3f9a2c", role="device", city=contoh.id, stations=("awan-1",),
        write=("pantau/v1/contoh/water_level/awan-1",), made_at=VirtualClock(0).now(), certificate=certificate,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("admin_url", "way"),
    [
        ("mqtt://admin:x@10.0.0.1:1884", "-h 10.0.0.1 -p 1883 -u"),
        ("mqtt://admin:x@10.0.0.1", "-h 10.0.0.1 -p 1883 -u"),
        ("mqtts://admin:x@broker.example:8884", "-h broker.example -p 8883 --cafile ca.crt -u"),
        ("mqtts://admin:x@broker.example", "-h broker.example -p 8883 --cafile ca.crt -u"),
    ],
)
def test_the_line_to_try_a_credential_uses_the_listener_for_devices(
    contoh: City, admin_url: str, way: str
) -> None:
    assert way in sample(contoh, credential(contoh), admin_url)


def test_the_services_own_port_is_never_given_to_a_device(contoh: City) -> None:
    said = sample(contoh, credential(contoh), "mqtt://admin:x@127.0.0.1:21884")
    line = next(line for line in said.splitlines() if line.startswith("  mosquitto_pub"))
    assert "-p PORT" in line
    assert "21884" not in line
    assert "listener for devices" in said


def test_a_certificate_is_tried_on_the_listener_for_certificates(contoh: City) -> None:
    said = sample(contoh, credential(contoh, certificate=True), "mqtt://admin:x@127.0.0.1:21884")
    assert "-p 8885" in said
    assert "PORT is" not in said
