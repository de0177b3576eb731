"""Webhook: a signed POST of the alert's JSON to a partner's server.

Headers ``Notice-Id`` (the same for every repetition: receivers drop what they have seen), ``Pantau-Timestamp`` (seconds
since 1970) and ``Pantau-Signature: v1=`` + HMAC-SHA256 in hex, with the contact's secret, over timestamp, dot, body.
"""

import hmac
import ssl
import time
from functools import cache
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

import certifi
import msgspec
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    SSLError,
)

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
        timeout = urllib3.Timeout(connect=min(timeout_s, 5.0), read=timeout_s)
        try:
            answer = _pool().request(
                "POST", address.address, body=body, headers=_headers(notice, body, address), timeout=timeout,
                retries=False, redirect=False, preload_content=False,
            )  # fmt: skip
        except (NewConnectionError, ConnectTimeoutError, SSLError) as error:
            return Outcome(Sent.RETRY, type(error).__name__)
        except (LocationValueError, UnicodeError, ValueError) as error:
            return Outcome(Sent.NEVER, type(error).__name__)
        except HTTPError as error:
            return Outcome(Sent.UNKNOWN, f"{type(error).__name__} after connecting")
        outcome = _outcome(answer)
        _let_go(answer)
        return outcome


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
    parts = urlsplit(address.address)
    if parts.username is not None:
        given = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers |= urllib3.util.make_headers(basic_auth=given)
    if address.secret:
        headers["Pantau-Signature"] = signature(address.secret, timestamp, body)
    return headers


def _outcome(answer: urllib3.BaseHTTPResponse) -> Outcome:
    status, detail = answer.status, f"HTTP {answer.status}"
    if 200 <= status < 300:
        return Outcome(Sent.DELIVERED, detail)
    if status in _AGAIN or status >= 500:
        return Outcome(Sent.RETRY, detail, _seconds(answer.headers.get("Retry-After", "")))
    return Outcome(Sent.NEVER, detail)


def _seconds(retry_after: str) -> float | None:
    """Seconds of a Retry-After; its other form, a date, is left to our own back-off."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None


def _let_go(answer: urllib3.BaseHTTPResponse) -> None:
    """Keep the connection of a receiver that says no more than its status: nobody waits for what else it might say."""
    if answer.status == HTTPStatus.NO_CONTENT or answer.headers.get("Content-Length") == "0":
        answer.drain_conn()
        answer.release_conn()
    else:
        answer.close()


@cache
def _pool() -> urllib3.PoolManager:
    """One for all threads: connections are kept, and certificates are read once, which takes longer than a notice."""
    return urllib3.PoolManager(
        num_pools=50, maxsize=4, ssl_context=ssl.create_default_context(cafile=certifi.where())
    )


CHANNEL = Webhook()
