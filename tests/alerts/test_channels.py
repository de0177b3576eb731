"""What is special about each channel."""

import hmac
import json
import time
from hashlib import sha256

import pytest

from alerts.channel import Outcome, Sent
from alerts.channels import apprise, mqtt, webhook
from alerts.channels.webhook import MAX_BODY, body_of
from alerts.loopback import is_loopback
from tests.alerts.receivers import Receiver, a_notice, contact, http_receiver, smtp_receiver

TOPIC = "pantau/v1/contoh/notices/posko"


def post(receiver: Receiver, **fields: object) -> Outcome:
    return webhook.CHANNEL.send(a_notice(**fields), contact(receiver.url), None, 2.0)


def test_a_webhook_is_signed_as_documented() -> None:
    with http_receiver() as receiver:
        post(receiver)
        got = receiver.requests[0]
    timestamp = got.headers["pantau-timestamp"]
    signed = hmac.new(b"s3cret", f"{timestamp}.".encode() + got.body, sha256).hexdigest()
    assert got.headers["pantau-signature"] == f"v1={signed}"
    assert got.headers["notice-id"] == "notice-1"
    assert got.headers["content-type"] == "application/json"
    assert abs(int(timestamp) - time.time()) < 60


def test_a_webhooks_body_is_the_alert_with_words_beside_it() -> None:
    with http_receiver() as receiver:
        post(receiver, exercise=True)
        body = json.loads(receiver.requests[0].body)
    assert (body["id"], body["siaga"], body["hazard"]) == ("a1", 2, "flood")
    assert {key: body[key] for key in ("title", "language", "role", "exercise", "notice_id")} == {
        "title": "Siaga 2 (Siaga): Bendung Hulu", "language": "id", "role": "posko", "exercise": True,
        "notice_id": "notice-1",
    }  # fmt: skip
    assert body["text"].startswith("Bendung Hulu naik")
    assert body["short"] == "Siaga 2: Bendung Hulu"


def test_a_repeated_notice_has_the_same_id_and_the_same_body() -> None:
    with http_receiver() as receiver:
        receiver.script = [500]
        assert post(receiver).sent is Sent.RETRY
        assert post(receiver).sent is Sent.DELIVERED
        first, second = receiver.requests
    assert first.headers["notice-id"] == second.headers["notice-id"]
    assert first.body == second.body


def test_without_a_secret_nothing_is_signed() -> None:
    with http_receiver() as receiver:
        webhook.CHANNEL.send(a_notice(), contact(receiver.url, secret=""), None, 2.0)
        assert "pantau-signature" not in receiver.requests[0].headers


@pytest.mark.parametrize(
    ("answer", "sent", "retry_after_s"),
    [
        (200, Sent.DELIVERED, None), (204, Sent.DELIVERED, None), (202, Sent.DELIVERED, None),
        ((429, {"Retry-After": "7"}), Sent.RETRY, 7.0), ((503, {"Retry-After": "120"}), Sent.RETRY, 120.0),
        ((503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), Sent.RETRY, None),
        ((429, {"Retry-After": "-1"}), Sent.RETRY, None), (500, Sent.RETRY, None), (502, Sent.RETRY, None),
        (408, Sent.RETRY, None), (400, Sent.NEVER, None), (401, Sent.NEVER, None), (404, Sent.NEVER, None),
        (410, Sent.NEVER, None), ((302, {"Location": "http://127.0.0.1:9/"}), Sent.NEVER, None),
    ],
)  # fmt: skip
def test_an_answer_means_what_http_says(
    answer: int | tuple[int, dict[str, str]], sent: Sent, retry_after_s: float | None
) -> None:
    with http_receiver() as receiver:
        receiver.script = [answer]
        outcome = post(receiver)
    assert (outcome.sent, outcome.retry_after_s) == (sent, retry_after_s)


def test_a_redirect_is_not_followed() -> None:
    with http_receiver() as elsewhere, http_receiver() as receiver:
        receiver.script = [(307, {"Location": elsewhere.url})]
        assert post(receiver).sent is Sent.NEVER
        assert elsewhere.requests == []


def test_a_body_that_no_receiver_should_have_to_take_is_not_sent() -> None:
    with http_receiver() as receiver:
        assert post(receiver, text="x" * MAX_BODY).sent is Sent.NEVER
        assert receiver.requests == []


def test_an_answer_of_any_size_is_not_read() -> None:
    with http_receiver() as receiver:
        receiver.script = [(200, {"X-Filler": "y" * 10_000})]
        assert post(receiver).sent is Sent.DELIVERED


@pytest.mark.parametrize("address", [
    "ftp://host/x", "http://", "https:///x", "http://[::1", "http://host:99999/x", "file:///etc/passwd", "host/x",
])  # fmt: skip
def test_a_webhooks_address_is_checked(address: str) -> None:
    assert webhook.CHANNEL.problem(address, "contoh")


@pytest.mark.parametrize(("topic", "right"), [
    (TOPIC, True), ("pantau/v1/contoh/notices/posko/jaga", True), ("pantau/v1/contoh/notices", False),
    ("pantau/v1/contoh/notices/", False), ("pantau/v1/contoh/water_level/hulu", False),
    ("pantau/v1/contoh/public/alert/flood/x", False), ("pantau/v1/contoh/notices/+", False),
    ("pantau/v1/contoh/notices/a#", False), ("pantau/v1/lain/notices/posko", False), ("/" + TOPIC, False),
    ("$SYS/x", False), (TOPIC + "/" + "x" * 66_000, False), (TOPIC + "\0", False),
])  # fmt: skip
def test_a_notice_cannot_be_published_where_it_comes_back_as_a_reading(topic: str, right: bool) -> None:
    assert (mqtt.CHANNEL.problem(topic, "contoh") == "") == right


def test_a_mail_reaches_a_mail_server() -> None:
    with smtp_receiver() as (port, letters):
        url = f"mailto://127.0.0.1:{port}/?from=pantau@contoh.invalid&to=posko@contoh.invalid"
        outcome = apprise.CHANNEL.send(a_notice(), contact(url), None, 5.0)
    assert outcome.sent is Sent.DELIVERED
    assert "posko@contoh.invalid" in letters[0]
    assert "Siaga_2" in letters[0].replace(" ", "_")


def test_a_service_for_short_texts_gets_the_short_one() -> None:
    """The XML service of a receiver here, told that its texts are short: the rule is the same for SMS gateways."""
    with http_receiver() as receiver:
        url = receiver.url.replace("http", "json", 1)
        assert apprise.CHANNEL.send(a_notice(), contact(url), None, 2.0).sent is Sent.DELIVERED
        assert (
            apprise.CHANNEL.send(a_notice(text="x" * 40_000), contact(url), None, 2.0).sent is Sent.DELIVERED
        )
        long, short = (json.loads(request.body) for request in receiver.requests)
    assert long["title"] == "Siaga 2 (Siaga): Bendung Hulu"
    assert "Kampung A" in long["message"]
    assert (short["title"], short["message"]) == ("", "Siaga 2: Bendung Hulu")


@pytest.mark.parametrize("url", [
    "mailto://127.0.0.1:2525/?from=a@b.invalid&to=real@person.invalid", "json://example.invalid/x",
    "json://127.0.0.1, json://example.invalid", "tgram://123456789:abcdefg_hijklmnop/lead2gold/",
])  # fmt: skip
def test_in_an_exercise_apprise_reaches_nothing_that_passes_it_on(url: str) -> None:
    outcome = apprise.CHANNEL.send(a_notice(exercise=True), contact(url), None, 1.0)
    assert outcome.sent is Sent.NEVER


def test_in_an_exercise_apprise_reaches_this_machine() -> None:
    with http_receiver() as receiver:
        url = receiver.url.replace("http", "json", 1)
        assert apprise.CHANNEL.send(a_notice(exercise=True), contact(url), None, 2.0).sent is Sent.DELIVERED


@pytest.mark.parametrize(("url", "here"), [
    ("http://127.0.0.1:8080/x", True), ("http://localhost/x", True), ("http://[::1]:80/", True),
    ("mqtt://127.8.9.1", True),
    ("http://127.0.0.1.example.com/", False), ("http://localhost@example.com/", False), ("http://10.0.0.1/", False),
    ("http://example.com/?x=127.0.0.1", False), ("json://localhost,json://example.com", False), ("", False),
    ("http://localhost\\@example.com/", False), ("+628123", False), (TOPIC, False), ("http://[::1", False),
    ("json://localhost json://example.com", False),
])  # fmt: skip
def test_this_machine_is_told_from_all_others(url: str, here: bool) -> None:
    assert is_loopback(url) == here


def test_the_body_is_the_same_over_mqtt() -> None:
    class Broker:
        sent: bytes = b""

        def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
            assert topic == TOPIC
            assert not retain
            self.sent = payload

    broker = Broker()
    assert mqtt.CHANNEL.send(a_notice(), contact(TOPIC), broker, 1.0).sent is Sent.DELIVERED
    assert broker.sent == body_of(a_notice())
