"""Certificates, the broker's, InfluxDB's and our own: expired ones end the connection, so they are told before."""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from app.doctor.finding import Context, Finding
from ingest.endpoint import Endpoint
from pantau.errors import ConfigError

__all__ = ["judged", "look"]

_SOON_DAYS = 30
_TIMEOUT_S = 10
_RENEW = "renew it, put it in its place, restart who uses it (docs/operations.md, Certificates)"


def look(context: Context) -> Iterator[Finding]:
    """Every certificate that we meet."""
    endpoint = Endpoint.of(context.settings.mqtt_url)
    used = False
    for word, name in (("ca_file", endpoint.ca_file), ("cert_file", endpoint.cert_file)):
        if name is not None:
            used = True
            yield from _file(word, Path(name))
    if endpoint.tls:
        used = True
        try:
            yield from _server("the broker", endpoint.host, endpoint.port, endpoint.tls_context())
        except ConfigError as error:
            yield Finding("error", str(error))
    influx = context.settings.influx
    if influx is not None and influx.url.startswith("https://"):
        used = True
        parts = urlsplit(influx.url)
        yield from _server("InfluxDB", str(parts.hostname), parts.port or 443, ssl.create_default_context())
    if not used:
        yield Finding("note", "no TLS is used: keep broker and InfluxDB inside a network of your own")


def judged(what: str, until: datetime, now: datetime) -> Finding:
    """What a certificate's end means now."""
    days = (until - now).days
    text = f"{what} is valid until {until:%Y-%m-%d %H:%M} UTC"
    if until <= now:
        return Finding("error", f"{what} has expired on {until:%Y-%m-%d %H:%M} UTC", _RENEW)
    if days < _SOON_DAYS:
        return Finding("warning", f"{text}, {days} days", _RENEW)
    return Finding("ok", f"{text}, {days} days")


def _file(word: str, path: Path) -> Iterator[Finding]:
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        yield Finding("error", f"{word} {path}: {error}", "expected certificates as PEM")
        return
    first = min(found, key=lambda one: one.not_valid_after_utc)
    yield judged(f"{word} {path}", first.not_valid_after_utc, datetime.now(UTC))


def _server(word: str, host: str, port: int, trusting: ssl.SSLContext | None) -> Iterator[Finding]:
    """The certificate that a server shows, whether or not it is trusted, and then whether it is."""
    looking = ssl.create_default_context()
    looking.check_hostname, looking.verify_mode = False, ssl.CERT_NONE
    try:
        shown = _shake(host, port, looking)
    except OSError as error:
        yield Finding("error", f"{word} at {host}:{port}: {error}", "is it up, does it speak TLS there?")
        return
    until = x509.load_der_x509_certificate(shown).not_valid_after_utc
    finding = judged(f"the certificate of {word} at {host}:{port}", until, datetime.now(UTC))
    yield finding
    if trusting is not None and finding.status != "error":
        try:
            _shake(host, port, trusting)
        except OSError as error:
            advice = "name the authority that signed it (?ca_file=), or connect by the name that stands in it"
            yield Finding("error", f"{word} at {host}:{port} is not trusted: {error}", advice)


def _shake(host: str, port: int, context: ssl.SSLContext) -> bytes:
    """The server's certificate (DER) of one handshake."""
    with (
        socket.create_connection((host, port), _TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""
