"""TLS with the real broker: whom the service believes, whom the broker believes, what the doctor says about both."""

import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.doctor.checks import certificates
from app.doctor.finding import Context, Finding
from app.settings import load_settings
from ingest.access import writes_of
from ingest.dynsec import Credential, DynamicSecurity
from ingest.mqtt import PahoDialogue, PahoPublisher
from pantau.errors import ConfigError, Unavailable
from tests.peers import SecuredBroker, free_port, secured, service
from tests.peers.device import NOT_AUTHORIZED, device
from tests.peers.process import ROOT, folder
from tests.peers.service import CITIES
from tools.make_certs import Authority, Pair

pytestmark = pytest.mark.real

OWN = writes_of("contoh", "water_level", "awan-1")
PASSWORD = "invented"


class Secure:
    """A broker with TLS and the folder with the certificates."""

    def __init__(self, broker: SecuredBroker, home: Path, port: int, mutual: int) -> None:
        self.broker = broker
        self.home = home
        self.port = port
        self.mutual = mutual

    def url(
        self, user: str = "awan", password: str = PASSWORD, ca: str = "ca.crt", host: str = "127.0.0.1"
    ) -> str:
        return f"mqtts://{user}:{password}@{host}:{self.port}?ca_file={self.home / ca}"

    def client_url(self, name: str) -> str:
        files = f"ca_file={self.home}/ca.crt&cert_file={self.home}/{name}.crt&key_file={self.home}/{name}.key"
        return f"mqtts://127.0.0.1:{self.mutual}?{files}"


def shipped_tls(home: Path, port: int, mutual: int, ours: int) -> str:
    """conf.d/tls.conf.example with all its listeners switched on, on free ports."""
    example = (ROOT / "mosquitto" / "conf.d" / "tls.conf.example").read_text(encoding="utf-8")
    text = re.sub(
        r"^#(?=[a-z])", "", example.replace("/mosquitto/config/conf.d", str(home)), flags=re.MULTILINE
    )
    for shipped, free in ((8883, port), (8885, mutual), (8884, ours)):
        text, count = re.subn(
            rf"^listener {shipped}$", f"listener {free} 127.0.0.1", text, flags=re.MULTILINE
        )
        assert count == 1, f"listener {shipped}"
    return text


@contextmanager
def serving(server: Pair, authority: Authority) -> Iterator[Secure]:
    with folder("tls") as home:
        authority.write(home, "ca")
        server.write(home, "server")
        Authority.new("somebody else").write(home, "other")
        port, mutual = free_port(), free_port()
        (home / "tls.conf").write_text(shipped_tls(home, port, mutual, free_port()), encoding="utf-8")
        for key in home.glob("*.key"):
            key.chmod(0o644)  # a broker that is not root reads its key as user mosquitto
        with secured(extra=home) as broker, DynamicSecurity(broker.admin_url) as admin:
            admin.add(Credential(id="awan", role="device", write=OWN), PASSWORD)
            yield Secure(broker, home, port, mutual)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.new()


@pytest.fixture(scope="module")
def secure(authority: Authority) -> Iterator[Secure]:
    with serving(authority.server(["127.0.0.1", "broker.example"]), authority) as found:
        with DynamicSecurity(found.broker.admin_url) as admin:
            admin.add(Credential(id="cert-1", role="device", write=OWN, certificate=True), "")
        authority.client("cert-1").write(found.home, "cert-1")
        authority.client("stranger").write(found.home, "stranger")
        authority.client("cert-1", days=-3).write(found.home, "late")
        Authority.new().client("cert-1").write(found.home, "forged")
        yield found


def findings(url: str) -> list[Finding]:
    settings = load_settings({"PANTAU_CITY": str(CITIES / "contoh"), "PANTAU_MQTT_URL": url})
    return list(certificates.look(Context(settings)))


def test_a_device_comes_in_over_tls_with_the_rights_that_it_has(secure: Secure) -> None:
    with device(secure.url()) as one:
        assert one.code == 0
        assert one.may_write(OWN[0])
        assert not one.may_write("pantau/v1/contoh/water_level/awan-2")
    with device(secure.url(password="wrong")) as one:
        assert one.code == NOT_AUTHORIZED


def test_the_service_runs_over_tls(secure: Secure) -> None:
    # use_username_as_clientid is for devices: the service's two connections would throw each other out there.
    with folder("tls-service") as home:
        for name in ("ca.crt", "server.crt", "server.key"):
            (home / name).write_bytes((secure.home / name).read_bytes())
        port = free_port()
        text = shipped_tls(home, free_port(), free_port(), port)
        (home / "tls.conf").write_text(text, encoding="utf-8")
        with secured(extra=home) as broker:
            url = broker.url.replace("mqtt://", "mqtts://").replace(f":{broker.peer.port}", f":{port}")
            with service(f"{url}?ca_file={home}/ca.crt") as running:
                assert running.get("/readyz")["degraded"] == []


def test_a_server_that_a_foreign_authority_signed_is_not_believed(secure: Secure) -> None:
    with (
        pytest.raises(ConfigError, match="certificate verify failed"),
        PahoDialogue(secure.url(ca="other.crt"), "x"),
    ):
        pass


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # paho's socket of a failed handshake
def test_the_services_publisher_sends_nothing_to_a_server_that_it_does_not_believe(secure: Secure) -> None:
    publisher = PahoPublisher(secure.url(ca="other.crt"), "x")
    try:
        assert publisher.start(1.0) is False
        with pytest.raises(Unavailable):
            publisher.publish(OWN[0], b"1")
    finally:
        publisher.stop()


def test_a_server_of_another_name_is_not_believed(secure: Secure) -> None:
    with (
        pytest.raises(ConfigError, match="Hostname mismatch"),
        PahoDialogue(secure.url(host="localhost"), "x"),
    ):
        pass


def test_an_expired_server_is_not_believed_and_the_doctor_says_why(authority: Authority) -> None:
    with serving(authority.server(["127.0.0.1"], days=-2), authority) as expired:
        with pytest.raises(ConfigError, match="expired"), PahoDialogue(expired.url(), "x"):
            pass
        bad = [finding for finding in findings(expired.url()) if finding.status == "error"]
        assert len(bad) == 1
        assert "has expired" in bad[0].text
        assert "renew" in bad[0].do


def test_the_doctor_warns_before_a_certificate_ends(authority: Authority) -> None:
    with serving(authority.server(["127.0.0.1"], days=20), authority) as soon:
        by_status = {finding.status: finding for finding in findings(soon.url())}
        assert set(by_status) == {"ok", "warning"}  # the authority's own lasts longer
        assert "19 days" in by_status["warning"].text


def test_the_doctor_tells_who_is_not_trusted(secure: Secure) -> None:
    assert {finding.status for finding in findings(secure.url())} == {"ok"}
    assert any("is not trusted" in finding.text for finding in findings(secure.url(ca="other.crt")))
    assert any("is not trusted" in finding.text for finding in findings(secure.url(host="localhost")))
    late = [finding for finding in findings(secure.client_url("late")) if finding.status == "error"]
    assert any("cert_file" in finding.text and "expired" in finding.text for finding in late)


@pytest.mark.parametrize(
    ("days", "status"),
    [(-1, "error"), (0, "error"), (1, "warning"), (29, "warning"), (30, "ok"), (400, "ok")],
)
def test_a_certificates_end_is_judged_by_the_days_left(days: int, status: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert certificates.judged("it", now + timedelta(days=days), now).status == status


def test_a_client_certificate_is_a_way_in_without_a_password(secure: Secure) -> None:
    with device(secure.client_url("cert-1")) as one:
        assert one.code == 0
        assert one.may_write(OWN[0])
        assert not one.may_write("pantau/v1/contoh/water_level/awan-2")
        assert not one.may_read(OWN[0])


@pytest.mark.parametrize("name", ["late", "forged"])
def test_expired_and_forged_client_certificates_are_refused(secure: Secure, name: str) -> None:
    with pytest.raises((Unavailable, ConfigError)), PahoDialogue(secure.client_url(name), "x", timeout_s=5.0):
        pass


def test_who_shows_no_certificate_is_refused(secure: Secure) -> None:
    url = f"mqtts://awan:{PASSWORD}@127.0.0.1:{secure.mutual}?ca_file={secure.home}/ca.crt"
    with pytest.raises((Unavailable, ConfigError)), PahoDialogue(url, "x", timeout_s=5.0):
        pass


def test_a_certificate_of_somebody_who_is_not_enrolled_may_do_nothing(secure: Secure) -> None:
    with device(secure.client_url("stranger")) as one:
        if one.code == 0:
            assert not one.may_write(OWN[0])
            assert not one.may_read("#")


def test_a_revoked_certificate_is_thrown_out_and_may_do_nothing_more(
    secure: Secure, authority: Authority
) -> None:
    with DynamicSecurity(secure.broker.admin_url) as admin:
        admin.add(Credential(id="cert-2", role="device", write=OWN, certificate=True), "")
    authority.client("cert-2").write(secure.home, "cert-2")
    with device(secure.client_url("cert-2")) as one:
        assert one.may_write(OWN[0])
        with DynamicSecurity(secure.broker.admin_url) as admin:
            admin.revoke("cert-2")
        assert one.ended.get(timeout=5) != 0
    with device(secure.client_url("cert-2")) as one:
        assert one.code != 0 or not one.may_write(OWN[0])


def test_plain_text_on_the_tls_port_is_refused(secure: Secure) -> None:
    began = time.monotonic()
    with (
        pytest.raises(Unavailable),
        PahoDialogue(f"mqtt://awan:x@127.0.0.1:{secure.port}", "x", timeout_s=5.0),
    ):
        pass
    assert time.monotonic() - began < 10


def test_the_tool_makes_what_openssl_believes_and_overwrites_nothing(tmp_path: Path) -> None:
    made = tmp_path / "certs"
    command = [sys.executable, str(ROOT / "tools" / "make_certs.py"), str(made)]
    subprocess.run(
        [*command, "--server", "broker.example", "--client", "awan"], check=True, capture_output=True
    )
    assert {path.name for path in made.iterdir()} == {
        f"{name}.{suffix}" for name in ("ca", "server", "awan") for suffix in ("crt", "key")
    }
    assert all(path.stat().st_mode & 0o077 == 0 for path in made.glob("*.key"))
    context = ssl.create_default_context(cafile=str(made / "ca.crt"))
    context.load_cert_chain(made / "awan.crt", made / "awan.key")
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    again = subprocess.run([*command, "--client", "awan"], check=False, capture_output=True, text=True)
    assert again.returncode == 1
    assert "move it away" in again.stderr
    assert before == {path.name: path.read_bytes() for path in made.iterdir()}
