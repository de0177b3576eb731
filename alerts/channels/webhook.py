"""Webhook: a signed POST of the alert's JSON to a partner's server.

Headers ``Notice-Id`` (the same for every repetition: receivers drop what they have seen), ``Pantau-Timestamp`` (seconds
since 1970) and ``Pantau-Signature: v1=`` + HMAC-SHA256 in hex, with the contact's secret, over timestamp, dot, body.
"""

import hmac
import time
from functools import cache
from urllib.parse import urlsplit

import httpx
import msgspec

from alerts.channel import Address, Notice, Outcome, Sent
from pantau.ports import Publisher

__all__ = ["CHANNEL", "MAX_BODY", "Webhook", "body_of", "signature"]

MAX_BODY = 262_144
"""Bytes; an alert is about two thousand, so more is a mistake of ours that no receiver should have to take."""
_AGAIN = frozenset({408, 425, 429})


class Webhook:
    """Receivers answer 2xx once they have kept the notice."""

    name = "webhook"
    removes_duplicates = True
    uses_broker = False
    signs = True

    def problem(self, address: str, city: str) -> str:
        """What is wrong with a URL."""
        del city
        try:
            parts = urlsplit(address)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            usable = False
        return "" if usable else f"a webhook is https://host/path or http://host/path, got {address!r}"

    def send(
        self, notice: Notice, address: Address, publisher: Publisher | None, timeout_s: float
    ) -> Outcome:
        """Post it; redirects are not followed, since nobody vouches for where they lead."""
        del publisher
        body = body_of(notice)
        if self.problem(address.address, "") or len(body) > MAX_BODY:
            return Outcome(
                Sent.NEVER, "no usable URL" if len(body) <= MAX_BODY else f"body of {len(body)} bytes"
            )
        timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, 5.0))
        try:
            headers = _headers(notice, body, address)
            with _client().stream(
                "POST", address.address, content=body, headers=headers, timeout=timeout
            ) as got:
                return _outcome(got)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Outcome(Sent.RETRY, type(error).__name__)
        except httpx.TransportError as error:
            return Outcome(Sent.UNKNOWN, f"{type(error).__name__} after connecting")
        except (httpx.InvalidURL, UnicodeError) as error:
            return Outcome(Sent.NEVER, type(error).__name__)


def body_of(notice: Notice) -> bytes:
    """The alert in the form of the alerts API, with the words for people beside it; the same bytes each time."""
    words = {
        name: getattr(notice, name) for name in ("title", "text", "short", "language", "role", "exercise")
    }
    return msgspec.json.encode({**notice.alert, **words, "notice_id": notice.id})


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Value of ``Pantau-Signature``."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, "sha256").hexdigest()


def _headers(notice: Notice, body: bytes, address: Address) -> dict[str, str]:
    # The receiver's clock is real, whatever time an exercise plays: it refuses timestamps that are too old.
    timestamp = str(int(time.time()))
    headers = {"Content-Type": "application/json", "Notice-Id": notice.id, "Pantau-Timestamp": timestamp}
    if address.secret:
        headers["Pantau-Signature"] = signature(address.secret, timestamp, body)
    return headers


def _outcome(answer: httpx.Response) -> Outcome:
    status, detail = answer.status_code, f"HTTP {answer.status_code}"
    if 200 <= status < 300:
        return Outcome(Sent.DELIVERED, detail)
    if status in _AGAIN or status >= 500:
        return Outcome(Sent.RETRY, detail, _seconds(answer.headers.get("Retry-After", "")))
    return Outcome(Sent.NEVER, detail)


def _seconds(retry_after: str) -> float | None:
    """Seconds of a Retry-After; its other form, a date, is left to our own back-off."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None


@cache
def _client() -> httpx.Client:
    """One for all threads: connections are kept for a few seconds, and making one costs more than a notice."""
    trust = httpx.create_ssl_context(trust_env=False)  # certificates are read once: that takes longest of all
    return httpx.Client(verify=trust, trust_env=False, follow_redirects=False)


CHANNEL = Webhook()
