"""The broker as the service meets it: may we come in and subscribe, and what does it hold for a service that is slow.

mosquitto tells nobody its limits, so they are tried: messages to ourselves, below ``pantau/doctor``, that are not
acknowledged until no more come. With mosquitto's defaults 20 are on the way and 1,000 wait, and the rest is lost.
"""

import secrets
from collections.abc import Iterator

from app.doctor.finding import Context, Finding
from ingest.access import SCRATCH
from ingest.decode import Decoder
from ingest.mqtt import PahoDialogue
from pantau.city import City
from pantau.errors import Unavailable

__all__ = ["look", "tried"]

_TRIED = 2_200
"""More than a broker with 1,000 on the way and mosquitto's default of 1,000 waiting can hold."""
_FEW = 200
_QUIET_S = 1.0
_SYS = "$SYS/broker/"
_TOLD = ("version", "uptime", "clients/connected", "clients/expired", "publish/messages/dropped")
_CONFIG = "take mosquitto/mosquitto.conf of this project"


def look(context: Context) -> Iterator[Finding]:
    """Everything about the broker."""
    url = context.settings.mqtt_url
    with PahoDialogue(url, _name()) as broker:
        yield Finding("ok", "it lets us in")
        if context.city is not None:
            yield _subscribing(broker, context.city)
        scratch = f"{SCRATCH}/{secrets.token_hex(8)}"
        if broker.subscribe(scratch):
            yield Finding("note", f"its limits are not checked: this user may not subscribe to {SCRATCH}/#")
        else:
            with PahoDialogue(url, _name()) as sender:
                yield from tried(broker, sender, scratch)
    yield from _counters(url)


def tried(broker: PahoDialogue, sender: PahoDialogue, topic: str) -> Iterator[Finding]:
    """What the broker holds for a subscriber that does not acknowledge; leaves nothing behind."""
    for number in range(_TRIED):
        sender.send(topic, str(number).encode())
    held = []
    while (message := broker.receive(_QUIET_S)) is not None:
        held.append(message)
    on_the_way = total = len(held)
    for message in held:
        broker.ack(message)
    while total < _TRIED and (message := broker.receive(_QUIET_S)) is not None:
        broker.ack(message)
        total += 1
    if total == 0:
        yield Finding(
            "error", f"what we publish to {SCRATCH}/# does not come back", "correct its rights (ACL)"
        )
        return
    text = f"it sends {on_the_way} messages before an acknowledgement"
    if on_the_way < _FEW:
        advice = f"max_inflight_messages 1000 ({_CONFIG}): so few cap us at under 1,000 messages/s"
        yield Finding("warning", text, advice)
    else:
        yield Finding("ok", text)
    if total < _TRIED:
        advice = f"max_queued_messages 1000000 ({_CONFIG}): readings are lost whenever we are away"
        yield Finding(
            "error", f"of {_TRIED} messages for a slow subscriber {_TRIED - total} were lost", advice
        )
    else:
        yield Finding("ok", f"it kept all of {_TRIED} messages for a slow subscriber")


def _name() -> str:
    return f"pantau-doctor-{secrets.token_hex(6)}"


def _subscribing(broker: PahoDialogue, city: City) -> Finding:
    filters = Decoder(city).filters
    denied = broker.subscribe(*filters, qos=0)
    broker.unsubscribe(*filters)
    while broker.receive(0.1) is not None:
        pass  # readings that came meanwhile: at QoS 0, so nothing is taken from the service
    if denied:
        return Finding(
            "error",
            f"it denies {', '.join(denied)}",
            "give the service the role `pantau`, or correct its ACL",
        )
    return Finding("ok", f"we may subscribe to all {len(filters)} filters of the city")


def _counters(url: str) -> Iterator[Finding]:
    """What it tells of itself; a broker without $SYS may end the connection of whoever asks."""
    told: dict[str, str] = {}
    try:
        with PahoDialogue(url, _name()) as broker:
            broker.subscribe(*(_SYS + name for name in _TOLD), qos=0)
            while len(told) < len(_TOLD) and (message := broker.receive(_QUIET_S)) is not None:
                told[message.topic.removeprefix(_SYS)] = message.payload.decode("utf-8", "replace")
    except Unavailable:
        told = {}
    if not told:
        yield Finding("note", "it tells nothing of itself ($SYS): drops are not checked")
        return
    up, connected = told.get("uptime", "?"), told.get("clients/connected", "?")
    yield Finding("ok", f"{told.get('version', '?')}, up for {up}, {connected} clients")
    dropped = told.get(_TOLD[-1], "?")
    if dropped.isdigit() and int(dropped):
        advice = "its queue was full (were we away?), or a client is slow; the count ends with the broker's next start"
        yield Finding("warning", f"it has dropped {dropped} messages since its start", advice)
    elif dropped.isdigit():
        yield Finding("ok", "it has dropped no message since its start")
