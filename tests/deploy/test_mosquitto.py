"""The shipped broker configuration, in a real mosquitto: it starts, and the plugin's roles do what they say."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.access import RESERVED, ROLES, first_config, problem_of_id, writes_of
from ingest.dynsec import Credential, DynamicSecurity
from tests.peers import SecuredBroker, secured
from tests.peers.device import NOT_AUTHORIZED, device, knock
from tests.peers.process import ROOT
from tests.peers.secured import FOLDER

pytestmark = pytest.mark.real

PROFILES = ("mosquitto.conf", "durable.conf")
PASSWORD = "invented"
OWN = writes_of("contoh", "water_level", "depok")


@pytest.fixture(scope="module")
def broker() -> Iterator[SecuredBroker]:
    with secured() as peer:
        with DynamicSecurity(peer.admin_url) as admin:
            admin.add(Credential(id="depok", role="device", write=OWN), PASSWORD)
            admin.add(Credential(id="screen", role="partner"), PASSWORD)
            radar = writes_of("contoh", "water_level", "depok", "radar")
            admin.add(Credential(id="radar", role="device", write=radar), PASSWORD)
        yield peer


def url(broker: SecuredBroker, user: str) -> str:
    if user == "pantau":
        return broker.url
    return broker.admin_url if user == "admin" else broker.url_for(user, PASSWORD)


@pytest.mark.parametrize("profile", PROFILES)
def test_starts_saves_and_serves(profile: str) -> None:
    with secured(profile=profile) as broker:
        with device(broker.url) as pantau:
            assert pantau.may_write("pantau/v1/contoh/public/health")
        said = broker.peer.output().replace("<unknown>", "")  # whoever looked whether it is up
        assert not re.search(r"error|unknown|deprecat", said, re.IGNORECASE)
        broker.peer.stop()
        assert (broker.peer.home / "mosquitto.db").exists(), "the profile does not save"
        broker.peer.start()


def test_the_profiles_differ_in_the_saving_alone() -> None:
    def settings(profile: str) -> set[str]:
        lines = (FOLDER / profile).read_text(encoding="utf-8").splitlines()
        return {line for line in lines if line and not line.startswith("#")}

    different = settings(PROFILES[0]) ^ settings(PROFILES[1])
    assert different
    assert all(line.startswith("autosave_") for line in different)


@pytest.mark.parametrize("port", ["devices", "service"])
def test_anonymous_and_wrong_passwords_are_refused(broker: SecuredBroker, port: str) -> None:
    number = broker.port if port == "devices" else broker.peer.port
    assert knock(None, broker.host, number) == NOT_AUTHORIZED
    for user, password in (("depok", "wrong"), ("nobody", PASSWORD), ("pantau", "wrong"), ("admin", "admin")):
        assert knock(f"mqtt://{user}:{password}@{broker.host}:{number}") == NOT_AUTHORIZED


def test_refusals_are_in_the_log_the_only_place_where_mosquitto_2_0_tells_of_them() -> None:
    with secured("sys_interval 1") as broker:
        knock(broker.url_for("depok", "wrong"))
        refused = [line for line in broker.peer.output().splitlines() if "not authorised" in line]
        assert len(refused) == 1


@pytest.mark.parametrize(
    ("user", "topic", "allowed"),
    [
        ("depok", "pantau/v1/contoh/water_level/depok", True),
        ("depok", "pantau/v1/contoh/water_level/depok/radar", True),
        ("depok", "pantau/v1/contoh/crowd_count/depok", False),
        ("depok", "pantau/v1/contoh/water_level/manggarai", False),
        ("depok", "pantau/v1/contoh/water_level/manggarai/depok", False),
        ("depok", "pantau/v1/contoh/water_level/depok/a/b", False),
        ("depok", "pantau/v1/lain/water_level/depok", False),
        ("depok", "pantau/v1/contoh/public/status/depok", False),
        ("depok", "pantau/v2/contoh/water_level/depok", False),
        ("depok", "pantau/doctor/x", False),
        ("depok", "something/else", False),
        ("depok", "$SYS/broker/uptime", False),
        ("depok", "$CONTROL/dynamic-security/v1", False),
        ("radar", "pantau/v1/contoh/water_level/depok/radar", True),
        ("radar", "pantau/v1/contoh/water_level/depok", False),
        ("screen", "pantau/v1/contoh/public/status/depok", False),
        ("screen", "pantau/v1/contoh/water_level/screen", False),
        ("pantau", "pantau/v1/contoh/public/alert/flood/31.74", True),
        ("pantau", "pantau/v1/contoh/water_level/depok", True),  # `pantau refused retry`
        ("pantau", "$CONTROL/dynamic-security/v1", False),
        ("admin", "pantau/v1/contoh/water_level/depok", False),
        ("admin", "pantau/v1/contoh/public/health", False),
    ],
)
def test_writes(broker: SecuredBroker, user: str, topic: str, allowed: bool) -> None:
    with device(url(broker, user)) as one:
        assert one.may_write(topic) is allowed


@pytest.mark.parametrize(
    ("user", "pattern", "allowed"),
    [
        ("depok", "pantau/v1/contoh/water_level/depok", False),
        ("depok", "pantau/v1/contoh/public/#", False),
        ("depok", "#", False),
        ("depok", "$SYS/#", False),
        ("screen", "pantau/v1/contoh/public/#", True),
        ("screen", "pantau/v1/+/public/status/+", True),
        ("screen", "pantau/v1/contoh/#", False),
        ("screen", "#", False),
        ("screen", "$SYS/#", False),
        ("pantau", "pantau/v1/contoh/water_level/+", True),
        ("pantau", "frigate/+/person", True),
        ("pantau", "$SYS/#", True),
        ("pantau", "$CONTROL/#", False),
        ("admin", "pantau/v1/contoh/water_level/+", False),
    ],
)
def test_reads(broker: SecuredBroker, user: str, pattern: str, allowed: bool) -> None:
    with device(url(broker, user)) as one:
        assert one.may_read(pattern) is allowed


def test_a_partner_hears_what_is_public_and_a_foreign_topic_reaches_nobody(broker: SecuredBroker) -> None:
    with (
        device(url(broker, "screen")) as screen,
        device(url(broker, "pantau")) as pantau,
        device(url(broker, "depok")) as depok,
    ):
        assert screen.may_read("pantau/v1/contoh/public/#")
        assert pantau.may_read("pantau/v1/contoh/#")
        assert depok.may_write(OWN[0])
        assert not depok.may_write("pantau/v1/contoh/water_level/manggarai")
        assert pantau.may_write("pantau/v1/contoh/public/end")
        # What comes after all others has overtaken nothing: then everything that would come has come.
        assert screen.waits_for("pantau/v1/contoh/public/end")
        assert pantau.waits_for("pantau/v1/contoh/public/end")
        assert screen.got == ["pantau/v1/contoh/public/end"]
        assert pantau.got == [OWN[0], "pantau/v1/contoh/public/end"]


def test_nobody_takes_over_the_session_of_pantau_by_its_client_id(broker: SecuredBroker) -> None:
    with device(broker.url, client_id="pantau-contoh") as pantau:
        with device(url(broker, "depok"), client_id="pantau-contoh") as thief:
            assert thief.code == 0
            assert thief.may_write(OWN[0])
        assert pantau.may_write("pantau/v1/contoh/public/health")
        assert pantau.ended.empty()


def test_of_a_copied_credential_only_one_is_connected(broker: SecuredBroker) -> None:
    with device(url(broker, "depok"), client_id="a") as first, device(url(broker, "depok"), client_id="b"):
        assert first.ended.get(timeout=5) != 0


def test_names_of_the_installation_are_never_given_to_devices() -> None:
    assert set(ROLES) <= RESERVED
    assert all(problem_of_id(name) for name in (*RESERVED, "pantau-contoh", "a/b", "+", "", "x" * 65))
    assert not problem_of_id("depok-1.radar_2")


def test_secrets_make_the_brokers_first_users(tmp_path: Path) -> None:
    program = [sys.executable, "-I", str(ROOT / "tools" / "make_secrets.py"), str(tmp_path / "s")]
    subprocess.run(program, check=True, capture_output=True)
    users = json.loads((tmp_path / "s" / "dynamic-security.json").read_text(encoding="utf-8"))
    assert {client["username"] for client in users["clients"]} == {"admin", "pantau"}
    assert users["defaultACLAccess"] == first_config({})["defaultACLAccess"]
    assert not any(
        users["defaultACLAccess"][right] for right in users["defaultACLAccess"] if right != "unsubscribe"
    )
    for name in ("dynamic-security.json", "mqtt_admin_url", "mqtt_admin_password"):
        assert (tmp_path / "s" / name).stat().st_mode & 0o077 == 0
    assert (tmp_path / "s").stat().st_mode & 0o077 == 0
