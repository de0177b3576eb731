"""The shipped broker configuration, in a real mosquitto: it starts, and the ACL does what it says."""

import queue
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.peers import Broker, mosquitto
from tests.peers.process import ROOT
from tools.make_secrets import RESERVED, mosquitto_hash

pytestmark = pytest.mark.real

FOLDER = ROOT / "mosquitto"
PROFILES = ("mosquitto.conf", "durable.conf")
PASSWORD = secrets.token_urlsafe()
USERS = ("pantau", "partner", "depok", "manggarai", "health", "status", "alert", "public")

NOT_AUTHORIZED = 135  # MQTT 5, a publish or a connection
WAIT = 10.0


def rewritten(profile: str) -> str:
    """The shipped file with the container's paths and port replaced, nothing else."""
    text = (FOLDER / profile).read_text(encoding="utf-8")
    text, ports = re.subn(r"^listener 1883$", "listener {port} 127.0.0.1", text, flags=re.MULTILINE)
    assert ports == 1
    text = text.replace("/mosquitto/config/passwd", "{home}/passwd").replace("/mosquitto/data/", "{home}/")
    return text.replace("/mosquitto/config/acl", str(FOLDER / "acl"))


@contextmanager
def running(profile: str, tmp_path: Path) -> Iterator[Broker]:
    passwd = tmp_path / "passwd"
    passwd.write_text("".join(f"{user}:{mosquitto_hash(PASSWORD)}\n" for user in USERS), encoding="utf-8")
    with mosquitto(config=rewritten(profile).replace("{home}/passwd", str(passwd))) as broker:
        yield broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running("mosquitto.conf", tmp_path_factory.mktemp("broker")) as peer:
        yield peer


@contextmanager
def connected(broker: Broker, user: str | None, password: str = PASSWORD) -> Iterator[tuple[Client, int]]:
    """A client and the reason code of its connection."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    if user is not None:
        client.username_pw_set(user, password)
    answers: queue.Queue[int] = queue.Queue()
    client.on_connect = lambda _client, _userdata, _flags, reason, _properties: answers.put(reason.value)
    client.reconnect_delay_set(60, 60)  # a refused client must not knock again
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        yield client, answers.get(timeout=WAIT)
    finally:
        client.disconnect()
        client.loop_stop()


def publish(broker: Broker, user: str, topic: str) -> int:
    """Reason code of a QoS 1 publish by that user; 0 or 16 (nobody subscribed) is accepted."""
    with connected(broker, user) as (client, _):
        reasons: queue.Queue[int] = queue.Queue()
        client.on_publish = lambda _client, _userdata, _mid, reason, _properties: reasons.put(reason.value)
        client.publish(topic, b"1", qos=1)
        return reasons.get(timeout=WAIT)


def accepted(broker: Broker, user: str, topic: str) -> bool:
    code = publish(broker, user, topic)
    assert code in {0, 16, NOT_AUTHORIZED}
    return code != NOT_AUTHORIZED


def received(broker: Broker, user: str, topics: dict[str, str]) -> set[str]:
    """Which of the topics (topic: by whom it is published) that user gets who subscribes to everything."""
    got: set[str] = set()
    with ExitStack() as stack:
        reader, _ = stack.enter_context(connected(broker, user))
        subscribed, complete = threading.Event(), threading.Event()
        reader.on_subscribe = lambda *_: subscribed.set()

        def keep(_client: Client, _userdata: object, message: MQTTMessage) -> None:
            got.add(message.topic)
            if message.topic == "pantau/v1/contoh/public/end":
                complete.set()

        reader.on_message = keep
        reader.subscribe("#", qos=1)
        assert subscribed.wait(WAIT)
        for topic, writer in topics.items():
            assert accepted(broker, writer, topic), f"{writer} could not write {topic}"
        # What comes after all others has overtaken nothing: then everything that would come has come.
        assert accepted(broker, "pantau", "pantau/v1/contoh/public/end")
        complete.wait(2.0)
    return got - {"pantau/v1/contoh/public/end"}


@pytest.mark.parametrize("profile", PROFILES)
def test_starts_and_serves(profile: str, tmp_path: Path) -> None:
    with running(profile, tmp_path) as broker:
        assert accepted(broker, "depok", "pantau/v1/contoh/water_level/depok")
        assert not re.search(r"error|unknown|deprecat", broker.output(), re.IGNORECASE), broker.output()
        broker.stop()
        assert (broker.home / "mosquitto.db").exists(), "the profile does not save"
        broker.start()


def test_the_profiles_differ_in_the_saving_alone() -> None:
    def settings(profile: str) -> set[str]:
        lines = (FOLDER / profile).read_text(encoding="utf-8").splitlines()
        return {line for line in lines if line and not line.startswith("#")}

    different = settings(PROFILES[0]) ^ settings(PROFILES[1])
    assert different
    assert all(line.startswith("autosave_") for line in different)


def test_anonymous_and_wrong_passwords_are_refused(broker: Broker) -> None:
    for user, password in ((None, ""), ("depok", "wrong"), ("nobody", PASSWORD)):
        with connected(broker, user, password) as (_, code):
            assert code == NOT_AUTHORIZED


@pytest.mark.parametrize(
    ("user", "topic", "allowed"),
    [
        ("depok", "pantau/v1/contoh/water_level/depok", True),
        ("depok", "pantau/v1/contoh/water_level/depok/radar", True),
        ("depok", "pantau/v1/contoh/crowd_count/depok", True),
        ("depok", "pantau/v1/contoh/water_level/manggarai", False),
        ("depok", "pantau/v1/contoh/water_level/manggarai/depok", False),
        ("depok", "pantau/v1/contoh/water_level/depok/a/b", False),
        ("depok", "pantau/v1/contoh/public/status/depok", False),
        ("depok", "pantau/v1/contoh/public/depok", False),
        ("depok", "pantau/v2/contoh/water_level/depok", False),
        ("depok", "something/else", False),
        ("depok", "$SYS/broker/uptime", False),
        ("health", "pantau/v1/contoh/public/health", False),
        ("status", "pantau/v1/contoh/public/status/depok", False),
        ("alert", "pantau/v1/contoh/public/alert/flood", False),
        ("partner", "pantau/v1/contoh/public/status/depok", False),
        ("partner", "pantau/v1/contoh/water_level/partner", False),
        ("partner", "pantau/v1/contoh/water_level/partner/main", False),
        ("pantau", "pantau/v1/contoh/public/status/depok", True),
        ("pantau", "pantau/v1/contoh/public/health", True),
        ("pantau", "pantau/v1/contoh/public/alert/flood/31.74", True),
        ("pantau", "pantau/v1/contoh/water_level/depok", False),
    ],
)
def test_writes(broker: Broker, user: str, topic: str, allowed: bool) -> None:
    assert accepted(broker, user, topic) is allowed


def test_names_that_mean_something_are_never_given_to_devices() -> None:
    assert {"public", "status", "alert", "health", "pantau", "partner"} <= RESERVED


def test_who_reads_what(broker: Broker) -> None:
    public = {"pantau/v1/contoh/public/status/depok": "pantau"}
    device = {"pantau/v1/contoh/water_level/depok": "depok"}
    assert received(broker, "partner", public | device) == set(public)
    assert received(broker, "pantau", public | device) == set(public | device)
    assert received(broker, "manggarai", public | device) == set()
