"""Where the broker is: ``mqtt://[user:password@]host[:port]`` or ``mqtts://...``, with options after a ``?``.

``ca_file`` is a certificate authority of one's own, ``cert_file`` and ``key_file`` are the certificate that we show
(all three need mqtts://), ``version`` is the MQTT version that the receiver speaks: 3.1.1 (default) or 5.
"""

import ssl
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from pantau.errors import ConfigError

__all__ = ["Endpoint"]

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_FILES = ("ca_file", "cert_file", "key_file")
_VERSIONS = ("3.1.1", "5")
_EXPECTED = (
    "expected mqtt://[user:password@]host[:port] or mqtts://...[?ca_file=path&cert_file=path&key_file=path], "
    "either with version=3.1.1 or version=5 as an option"
)


class Endpoint(msgspec.Struct, frozen=True):
    """A broker's address and how to show oneself there.

    Attributes:
        ca_file: certificates of the authorities that we believe; those of the system when None.
        cert_file: our own certificate, for a broker that asks for one.
        key_file: its key; None when it stands in ``cert_file``.
        version: of MQTT, for the receiver; the publisher speaks 3.1.1, which every broker knows.
    """

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    version: str = "3.1.1"

    def __str__(self) -> str:
        """Without the password, for logs."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"

    @classmethod
    def of(cls, url: str, user: str | None = None, password: str | None = None) -> "Endpoint":
        """Read a URL; user and password given apart win over those in it.

        Raises:
            ConfigError: it is not such a URL. The text never holds the password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"broker URL: {error}; {_EXPECTED}") from None
        where = f"broker URL {parts.scheme}://{parts.hostname or ''}"
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        version = options.pop("version", _VERSIONS[0])
        if (
            parts.scheme not in _PORTS
            or not parts.hostname
            or parts.path.strip("/")
            or set(options) - set(_FILES)
            or version not in _VERSIONS
        ):
            raise ConfigError(f"{where}: {_EXPECTED}")
        if options and parts.scheme != "mqtts":
            raise ConfigError(
                f"{where}: {', '.join(sorted(options))} without TLS; write mqtts://, or leave it out"
            )
        if "key_file" in options and "cert_file" not in options:
            raise ConfigError(
                f"{where}: key_file without cert_file; name the certificate of this key as well"
            )
        return cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            tls=parts.scheme == "mqtts",
            user=user or _decoded(parts.username),
            password=password or _decoded(parts.password),
            version=version,
            **options,
        )

    def tls_context(self) -> ssl.SSLContext | None:
        """What a TLS connection needs, read from the files anew (they may be renewed); None without TLS.

        Raises:
            ConfigError: a file is not there, or holds no certificate or key that fits.
        """
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise ConfigError(
                f"{self}: ca_file {self.ca_file}: {error}; expected certificates as PEM"
            ) from None
        if self.cert_file is not None:
            try:
                context.load_cert_chain(self.cert_file, self.key_file, password=_no_password)
            except OSError as error:
                files = " and ".join(name for name in (self.cert_file, self.key_file) if name)
                raise ConfigError(
                    f"{self}: cert_file and key_file {files}: {error}; expected a certificate and its key as PEM"
                ) from None
        return context


def _decoded(text: str | None) -> str | None:
    return unquote(text) if text else None


def _no_password() -> str:
    """Without this, OpenSSL would ask at the terminal of a service; a key with a password is an error."""
    return ""
