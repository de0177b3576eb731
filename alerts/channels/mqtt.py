"""MQTT: the notice as JSON on a topic of our own broker, for desks, sirens and apps that subscribe.

Topics are ``pantau/v1/{city}/notices/...``: beside ``public/``, whose retained messages have their own form, and apart
from what devices publish, so that a notice can never come back as a reading.
"""

from alerts.channel import Address, Notice, Outcome, Sent
from alerts.channels.webhook import body_of
from pantau.errors import Unavailable
from pantau.ports import Publisher

__all__ = ["CHANNEL", "Mqtt"]

_LONGEST = 65_535
"""Bytes of a topic in MQTT."""


class Mqtt:
    """Delivered means that the broker has it (QoS 1); subscribers drop a repeated ``notice_id``."""

    name = "mqtt"
    removes_duplicates = True
    uses_broker = True
    signs = False

    def problem(self, address: str, city: str) -> str:
        """What is wrong with a topic; without ``city`` any city's is right."""
        parts = address.split("/")
        right = len(parts) >= 5 and parts[:2] == ["pantau", "v1"] and parts[3] == "notices" and all(parts)
        right = (
            right
            and not set(address) & {"+", "#", "\0"}
            and len(address.encode(errors="replace")) <= _LONGEST
        )
        if right and city in {"", parts[2]}:
            return ""
        return f"a topic for notices is pantau/v1/{city or '{city}'}/notices/<word>, without + and #, got {address!r}"

    def send(
        self, notice: Notice, address: Address, publisher: Publisher | None, timeout_s: float
    ) -> Outcome:
        """Publish it, not retained: a notice is news, and the state of things is under ``public/``."""
        del timeout_s  # the publisher has its own
        if self.problem(address.address, ""):
            return Outcome(Sent.NEVER, "no usable topic")
        if publisher is None:
            return Outcome(Sent.RETRY, "no connection to the broker in this process")
        try:
            publisher.publish(address.address, body_of(notice))
        except Unavailable as error:
            return Outcome(Sent.RETRY, error.reason, error.retry_after_s)
        return Outcome(Sent.DELIVERED)


CHANNEL = Mqtt()
