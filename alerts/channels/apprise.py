"""Apprise: one URL reaches e-mail, Telegram, WhatsApp gateways, SMS and a hundred more (github.com/caronc/apprise).

The contact's address is an Apprise URL, e.g. ``mailtos://user:password@host?to=...``, ``tgram://token/chat``, ``json://host``.
Apprise says yes or no and not why: no is tried again, unless the attempt took as long as we let it wait for an answer;
then it may have arrived.
"""

import logging
import time
import warnings
from functools import cache
from typing import Any

from apprise import Apprise, NotifyType

from alerts.channel import Address, Notice, Outcome, Sent
from alerts.loopback import is_loopback
from pantau.ports import Publisher

__all__ = ["CHANNEL", "AppriseChannel"]

_TO_THE_HOST = frozenset({"json", "jsons", "xml", "xmls", "form", "forms"})
"""Schemes that end at the host in the URL; all others can be passed on, which an exercise must not be."""
_TYPES = (NotifyType.SUCCESS, NotifyType.INFO, NotifyType.WARNING, NotifyType.FAILURE)


class AppriseChannel:
    """One URL a contact; several targets in one URL share one outcome, so give each its own contact."""

    name = "apprise"
    removes_duplicates = False
    uses_broker = False
    signs = False

    def problem(self, address: str, city: str) -> str:
        """What is wrong with a URL; it is not repeated, since it may hold a password or a number."""
        del city
        return (
            ""
            if _plugin(address)
            else "Apprise knows no service for this URL; see docs/alerts.md for examples"
        )

    def send(
        self, notice: Notice, address: Address, publisher: Publisher | None, timeout_s: float
    ) -> Outcome:
        """Hand it to Apprise; where the text is too long for the service, the short one."""
        del publisher
        plugin = _plugin(address.address)
        if plugin is None:
            return Outcome(Sent.NEVER, "no service for this URL")
        if notice.exercise and not _stays_here(address.address, plugin):
            return Outcome(Sent.NEVER, "exercise")
        # A host that cannot be reached shows within 4 s at most, an answer that does not come only after all of it.
        plugin.socket_connect_timeout, plugin.socket_read_timeout = min(4.0, timeout_s / 2), timeout_s
        long = len(notice.title) + len(notice.text) + 2 > plugin.body_maxlen
        title, body = ("", notice.short) if long else (notice.title, notice.text)
        began = time.monotonic()
        done: bool = plugin.notify(body=body, title=title, notify_type=_TYPES[notice.severity])
        if done:
            return Outcome(Sent.DELIVERED)
        waited = time.monotonic() - began
        if waited >= timeout_s:
            return Outcome(Sent.UNKNOWN, f"{plugin.service_name}: no answer within {waited:.1f} s")
        return Outcome(Sent.RETRY, f"{plugin.service_name}: not accepted")


def _plugin(url: str) -> Any:
    """Apprise's own object for exactly one URL, None when there is none."""
    _load()
    return Apprise.instantiate(url, suppress_exceptions=True)


@cache
def _load() -> None:
    """Make Apprise look for its services, which takes a second; once a process."""
    # Apprise logs recipients' numbers and addresses; our own log tells the outcome without them.
    logging.getLogger("apprise").disabled = True
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # Apprise 2.2 imports imghdr, which Python 3.13 drops
        Apprise.instantiate("json://127.0.0.1", suppress_exceptions=True)


def _stays_here(url: str, plugin: Any) -> bool:
    scheme = url.partition("://")[0].lower()
    return scheme in _TO_THE_HOST and is_loopback(url) and is_loopback(f"//{plugin.host}")


CHANNEL = AppriseChannel()
