"""Asks a public feed politely: an address in, its answer or None for "not changed" out, or why there is none.

Bounded in size, time and redirects, because a feed is somebody else's machine: it may hang, drip, or send anything.
"""

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from ingest.bridge import Answer
from pantau.errors import Unavailable

__all__ = ["MOST_BYTES", "NotThere", "Web", "retry_after_s", "same_place"]

MOST_BYTES = 8_000_000
"""Of an answer, unpacked; feeds of whole countries have a tenth of it."""
_ANSWER_S = 60.0
"""For an answer as a whole, however slowly it drips."""
_QUIET_S = 20.0
"""Without a byte."""
_MOST_REDIRECTS = 3
_REDIRECTS = {301, 302, 303, 307, 308}
_OURS_TO_WAIT = {408, 425, 429}
"""Answers of the 4xx kind that say "later", not "no"."""


class NotThere(Unavailable):
    """The feed answers, but has nothing at this address (4xx): other addresses of it may do well."""


class Web:
    """A client for one feed; used by one thread.

    Args:
        agent: who we are, for the feed's owner.
        trust_env: whether a proxy of the environment is used.
    """

    def __init__(
        self, agent: str, *, most_bytes: int = MOST_BYTES, answer_s: float = _ANSWER_S, trust_env: bool = True
    ) -> None:
        self._most_bytes = most_bytes
        self._answer_s = answer_s
        self._client = httpx.Client(
            headers={"User-Agent": agent, "Accept-Encoding": "gzip"},
            timeout=min(_QUIET_S, answer_s),
            follow_redirects=False,
            trust_env=trust_env,
        )

    def close(self) -> None:
        """Give connections back."""
        self._client.close()

    def get(self, url: str, *, etag: str = "", last_modified: str = "") -> Answer | None:
        """The answer of an address; None: it has not changed since the answer that had this tag or date.

        Redirects are followed on the same host only.

        Raises:
            Unavailable: no answer, a wrong one, too large, or a redirect to another host; with the feed's own wish when
                to come again. ``NotThere`` when only this address is wrong.
        """
        conditions = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        headers = {name: text for name, text in conditions.items() if text}
        deadline = time.monotonic() + self._answer_s
        here = httpx.URL(url)
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                with self._client.stream("GET", here, headers=headers) as response:
                    if response.status_code not in _REDIRECTS:
                        return self._read(response, url, deadline, conditional=bool(headers))
                    here = _followed(here, response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable("feed", f"{url}: {str(error) or type(error).__name__}") from None
        raise Unavailable(
            "feed", f"{url}: more than {_MOST_REDIRECTS} redirects; correct the url in city.toml"
        )

    def _read(
        self, response: httpx.Response, url: str, deadline: float, *, conditional: bool
    ) -> Answer | None:
        if response.status_code == HTTPStatus.NOT_MODIFIED and conditional:
            return None
        if response.status_code != HTTPStatus.OK:
            _raise_for(response, url)
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > self._most_bytes:
                raise Unavailable("feed", f"{url}: the answer has more than {self._most_bytes} bytes")
            if time.monotonic() > deadline:
                raise Unavailable("feed", f"{url}: the answer took longer than {self._answer_s:g} s")
        return Answer(
            url, bytes(body), response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
        )


def _followed(here: httpx.URL, response: httpx.Response) -> httpx.URL:
    there = here.join(response.headers.get("Location", ""))
    # From http to https of the same host is the one other place that is still the same.
    upgraded = (
        here.scheme == "http" and there.scheme == "https" and here.host == there.host and there.port is None
    )
    if not (same_place(str(here), str(there)) or upgraded):
        raise Unavailable(
            "feed", f"{here}: redirects to {there}, another host: not followed; if it is right, "
            "write it into city.toml",
        )  # fmt: skip
    return there


def _raise_for(response: httpx.Response, url: str) -> None:
    status = response.status_code
    why = f"{url}: answered {status} {response.reason_phrase}".rstrip()
    wait = retry_after_s(response.headers.get("Retry-After", ""), time.time())
    if 400 <= status < 500 and status not in _OURS_TO_WAIT and wait is None:
        raise NotThere("feed", why)
    raise Unavailable("feed", why, retry_after_s=wait)


def same_place(one: str, other: str) -> bool:
    """Whether two addresses have the same scheme, host and port."""
    try:
        first, second = httpx.URL(one), httpx.URL(other)
    except httpx.InvalidURL:
        return False
    return (first.scheme, first.host, first.port) == (second.scheme, second.host, second.port)


def retry_after_s(text: str, now_s: float) -> float | None:
    """Seconds that a ``Retry-After`` asks for, which is a number or a date; None when it is neither.

    Source:
        RFC 9110, section 10.2.3.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:  # "-0000"
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.fromtimestamp(now_s, UTC)).total_seconds())
