"""Who may write and read what at the broker: credentials and roles in, the broker's own words for them out.

mosquitto's dynamic-security plugin keeps them. Its release 2.0 puts no user name into a topic (``%u`` came with 2.1),
so each device has a role of its own that names its topics. Measured with 10,000 devices: the broker starts in 0.2 s,
has 65 MB, and takes a new device in 0.2 s. Standard library only: ``tools/make_secrets.py`` runs before anything is
installed.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable
from typing import Any

__all__ = [
    "RESERVED",
    "ROLES",
    "SCRATCH",
    "allow",
    "first_config",
    "new_id",
    "problem_of_id",
    "problem_of_topic",
    "stored_password",
    "writes_of",
]

RESERVED = frozenset({"admin", "pantau", "partner", "public"})
"""User names that no device gets: the installation's own, and what would read as something else."""

SCRATCH = "pantau/doctor"
"""Below it ``pantau doctor`` talks to itself; no device may write there and the service does not listen."""

_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ROUNDS = 10_000
"""Of PBKDF2-HMAC-SHA512; mosquitto's own tool takes 101. More cost an attacker more and a connect 5 ms."""
_DEFAULTS = {
    "publishClientSend": False,
    "publishClientReceive": False,
    "subscribe": False,
    "unsubscribe": True,
}


def allow(write: Iterable[str] = (), read: Iterable[str] = ()) -> list[dict[str, Any]]:
    """ACL entries that let a client publish to and subscribe to these topics; all else is denied by default."""
    entries = [("publishClientSend", topic) for topic in write]
    entries += [(kind, topic) for topic in read for kind in ("subscribePattern", "publishClientReceive")]
    return [{"acltype": kind, "topic": topic, "priority": 0, "allow": True} for kind, topic in entries]


ROLES: dict[str, list[dict[str, Any]]] = {
    "admin": allow(write=("$CONTROL/dynamic-security/#",), read=("$CONTROL/dynamic-security/#", "$SYS/#")),
    # It may write as devices do: `pantau refused retry` sends their messages again. "#" does not hold $SYS and $CONTROL
    # when something is published, yet it does when somebody subscribes: hence the denial, asked first.
    "pantau": [
        *allow(write=("#",), read=("#", "$SYS/#")),
        {"acltype": "subscribePattern", "topic": "$CONTROL/#", "priority": 1, "allow": False},
    ],
    "partner": allow(read=("pantau/v1/+/public/#",)),
}
"""Roles that many may have; a device's own is named like the device."""


def writes_of(city: str, kind: str, station: str, sensor: str = "") -> tuple[str, ...]:
    """Topics of a station's readings, or of one sensor of it."""
    own = f"pantau/v1/{city}/{kind}/{station}"
    return (f"{own}/{sensor}",) if sensor else (own, f"{own}/+")


def new_id(name: str) -> str:
    """An id for a new credential: never that of an earlier one, so that no old session or copy is taken over."""
    return f"{name}-{secrets.token_hex(3)}"


def problem_of_id(name: str) -> str:
    """What is wrong with the id of a credential; empty when nothing is."""
    if not _ID.fullmatch(name):
        return f"{name!r} is no id: expected at most 64 letters, digits, _ . -"
    if name in RESERVED or name.startswith("pantau-"):
        return f"{name!r} is taken by the installation itself: choose another id"
    return ""


def problem_of_topic(topic: str) -> str:
    """Why a device may not be given this topic filter; empty when it may."""
    levels = topic.split("/")
    if not topic or topic.startswith("$") or levels[0] in {"+", "#"}:
        return f"topic {topic!r}: expected one that begins with a name, e.g. frigate/#"
    if any(("+" in level or "#" in level) and len(level) > 1 for level in levels) or "#" in levels[:-1]:
        return f"topic {topic!r}: + and # stand alone in a level, # last"
    if levels[0] == "pantau":
        return f"topic {topic!r}: those below pantau/ come from the stations, name these instead"
    return ""


def stored_password(password: str) -> dict[str, Any]:
    """A password as the plugin's file keeps it: PBKDF2-HMAC-SHA512, salted."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    return {
        "password": base64.b64encode(digest).decode(),
        "salt": base64.b64encode(salt).decode(),
        "iterations": _ROUNDS,
    }


def first_config(passwords: dict[str, str]) -> dict[str, Any]:
    """The plugin's first file: these users, each with the role of its name; nobody else, nothing else allowed.

    Args:
        passwords: by user name, a key of ``ROLES``.
    """
    return {
        "clients": [
            {"username": name, "roles": [{"rolename": name}], **stored_password(password)}
            for name, password in passwords.items()
        ],
        "roles": [{"rolename": name, "acls": acls} for name, acls in ROLES.items()],
        "defaultACLAccess": _DEFAULTS,
    }
