"""A broker's reason code in, words for the log out."""

__all__ = ["reason_text"]

_THREE = {
    1: "it does not speak MQTT 3.1.1",
    2: "client id not allowed",
    3: "server unavailable",
    4: "wrong user or password",
    5: "not authorized",
}
_FIVE = {
    0x00: "normal disconnection",
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "implementation specific error",
    0x84: "it does not speak MQTT 5",
    0x85: "client id not allowed",
    0x86: "wrong user or password",
    0x87: "not authorized",
    0x88: "server unavailable",
    0x89: "server busy",
    0x8A: "banned",
    0x8B: "server shutting down",
    0x8C: "bad authentication method",
    0x8D: "keep-alive timeout",
    0x8E: "session taken over: another client has our client id",
    0x8F: "topic filter invalid",
    0x90: "topic name invalid",
    0x93: "receive maximum exceeded",
    0x94: "topic alias invalid",
    0x95: "packet too large",
    0x96: "message rate too high",
    0x97: "quota exceeded",
    0x98: "administrative action",
    0x99: "payload format invalid",
    0x9A: "retained messages not supported",
    0x9B: "QoS not supported",
    0x9C: "use another server",
    0x9D: "server moved",
    0x9E: "shared subscriptions not supported",
    0x9F: "connection rate exceeded",
    0xA0: "maximum connect time",
    0xA1: "subscription identifiers not supported",
    0xA2: "wildcard subscriptions not supported",
}


def reason_text(code: int, *, five: bool) -> str:
    """Words for a CONNACK's or DISCONNECT's code; of MQTT 5, else 3.1.1 (some brokers answer with a code of 3.1.1)."""
    return (_FIVE.get(code) if five else None) or _THREE.get(code) or f"reason code {code}"
