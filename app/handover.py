"""A new credential in, the words for whoever gets it out: its rights, a line to try it with, what nobody will hear."""

from collections.abc import Iterator

from ingest.access import ROLES
from ingest.dynsec import Credential
from ingest.endpoint import Endpoint
from ingest.topic import may_meet
from pantau.city import City

__all__ = ["may_read", "page", "sample", "unheard"]

_PLAIN, _TLS, _BY_CERTIFICATE = 1883, 8883, 8885
"""Listeners for devices of the broker as it is shipped: mosquitto.conf and conf.d/tls.conf.example."""
_OF_DEVICES = {1884: _PLAIN, 1883: _PLAIN, 8884: _TLS, 8883: _TLS}
"""Port of the service or of devices -> that of devices, as shipped."""


def may_read(credential: Credential) -> tuple[str, ...]:
    """Topics it may subscribe to; those of a partner are its role's."""
    if credential.role != "partner":
        return credential.read
    return tuple(entry["topic"] for entry in ROLES["partner"] if entry["acltype"] == "subscribePattern")


def page(credential: Credential, password: str) -> str:
    """User name, password and rights, one a line."""
    rows = [("user name", credential.id), ("password", password or "none: by certificate")]
    rows += [("may write", topic) for topic in credential.write]
    rows += [("may read", topic) for topic in may_read(credential)]
    return "\n".join(f"{name:<10} {text}" for name, text in rows)


def sample(city: City, credential: Credential, admin_url: str) -> str:
    """A command that tries the credential, and what is to be known for it.

    The password is not in it: on a command line all users of the machine can read it. mosquitto's clients take it from
    a file instead. What is sent is no reading, for a wrong level on a live gauge would be believed.

    Args:
        admin_url: of the broker; devices are thought to reach it at the same host.
    """
    broker = Endpoint.of(admin_url)
    port = _OF_DEVICES.get(broker.port)
    by_tls = " --cafile ca.crt" if port == _TLS else ""
    way = f"-h {broker.host} -p {port or 'PORT'}{by_tls} -u {credential.id}"
    if credential.certificate:
        files = f"--cafile ca.crt --cert {credential.id}.crt --key {credential.id}.key"
        way = f"-h {broker.host} -p {_BY_CERTIFICATE} {files}"
    if credential.role == "partner":
        lines = [f"mosquitto_sub {way} -t 'pantau/v1/{city.id}/public/#' -v"]
    else:
        lines = [f"mosquitto_pub {way} -q 1 -d -t '{_topic(city, credential)}' {_message(credential)}"]
    lines = ["try it:", *(f"  {line}" for line in lines)]
    if not credential.certificate:
        name = lines[1].split()[0]
        lines.append(
            f"  first put the line `-P PASSWORD` into ~/.config/{name}, with mode 600: as a word of the command every "
            "user of that machine could read it"
        )
    if _is_native(credential):
        lines.append(
            "  it is refused as `missing_field` (`pantau refused list`): so it came, and no gauge shows a wrong level"
        )
    lines.append(f"  the host is the broker's as the device reaches it{_of_port(broker, port, credential)}")
    return "\n".join(lines)


def _of_port(broker: Endpoint, port: int | None, credential: Credential) -> str:
    """What is to be known of the port: only the shipped ones are known, and the service's own is never a device's."""
    if credential.certificate or port == _TLS:
        return ""
    if port == _PLAIN:
        return f"; by TLS port {_TLS} and --cafile ca.crt"
    return (
        f"; PORT is that of its listener for devices, {_PLAIN} as shipped, or {_TLS} with --cafile ca.crt "
        f"({broker.port} is where PANTAU_MQTT_ADMIN_URL goes: the service's own listener, which devices do not reach)"
    )


def unheard(city: City, credential: Credential) -> Iterator[str]:
    """Topics it may write and no binding of the city hears."""
    for topic in credential.write:
        if not topic.startswith("pantau/") and not any(may_meet(one.topic, topic) for one in city.bindings):
            yield topic


def _is_native(credential: Credential) -> bool:
    return bool(credential.write) and credential.write[0].startswith("pantau/")


def _message(credential: Credential) -> str:
    return """-m '{"value": 0}'""" if _is_native(credential) else "-f A_MESSAGE_OF_ITS_FORMAT"


def _topic(city: City, credential: Credential) -> str:
    """One that it may write: its first, with a station of the kind or a word where a wildcard is."""
    levels = credential.write[0].split("/")
    if _is_native(credential) and levels[4] == "+":
        levels[4] = next(one.id for one in city.stations.values() if one.kind == levels[3])
    return "/".join("LEVEL" if level in {"+", "#"} else level for level in levels)
