"""Where the broker is: ``mqtt://[user:password@]host[:port]``, or ``mqtts://`` with an optional ``?ca_file=path``."""

from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from pantau.errors import ConfigError

__all__ = ["Endpoint"]

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_EXPECTED = "expected mqtt://[user:password@]host[:port] or mqtts://...[?ca_file=path]"


class Endpoint(msgspec.Struct, frozen=True):
    """A broker's address and how to show oneself there; ``ca_file`` is a certificate authority of one's own."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None

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
        options = parse_qs(parts.query)
        if (
            parts.scheme not in _PORTS
            or not parts.hostname
            or parts.path.strip("/")
            or set(options) - {"ca_file"}
        ):
            raise ConfigError(f"broker URL {parts.scheme}://{parts.hostname or ''}: {_EXPECTED}")
        return cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            tls=parts.scheme == "mqtts",
            user=user or _decoded(parts.username),
            password=password or _decoded(parts.password),
            ca_file=options.get("ca_file", [None])[0],
        )


def _decoded(text: str | None) -> str | None:
    return unquote(text) if text else None
