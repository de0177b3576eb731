"""Who may talk to the broker, asked of and told to mosquitto's dynamic-security plugin over MQTT.

Commands go to ``$CONTROL/dynamic-security/v1`` as JSON, answers come back beside it; only the administrator may. The
plugin is the one place where credentials are kept: it writes its file at each change, and ends the connections of
whoever loses a right.

Source:
    mosquitto, plugins/dynamic-security/README.md; behaviour tried with 2.0.11.
"""

import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from ingest.access import ROLES, allow
from ingest.endpoint import Endpoint
from ingest.mqtt import PahoDialogue
from pantau.errors import ConfigError, PantauError, Unavailable

__all__ = ["Credential", "DynamicSecurity"]

_TOPIC = "$CONTROL/dynamic-security/v1"
_PAGE = 500
"""Clients asked for at once: an answer stays below the broker's limit for one message."""


class Credential(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One device's, gateway's or partner's way in; its secret is not in here.

    Attributes:
        id: the user name.
        role: ``device``, ``gateway`` or ``partner``.
        city: folder of the city that it was made for.
        stations: ids, each with ``/sensor`` where it may send only that.
        write: topics it may publish to.
        read: topics it may subscribe to.
        made_at: ms.
        certificate: it shows a certificate of this name instead of a password.
        disabled: the broker knows it and does not let it in.
    """

    id: str
    role: str
    city: str = ""
    stations: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    made_at: int = 0
    certificate: bool = False
    disabled: bool = False


class DynamicSecurity:
    """A conversation with the plugin; use it as a context manager.

    Args:
        url: of the broker, with the administrator's name and password.
        timeout_s: how long to wait for an answer.
    """

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        self._endpoint = Endpoint.of(url)
        self._timeout_s = timeout_s
        self._dialogue = PahoDialogue(
            self._endpoint, f"pantau-admin-{secrets.token_hex(6)}", timeout_s=timeout_s
        )

    def __enter__(self) -> "DynamicSecurity":  # noqa: PYI034 - nobody inherits from this
        """Connect as the administrator.

        Raises:
            ConfigError: the broker refuses the administrator, or he is none.
            Unavailable: it does not answer.
        """
        self._dialogue.__enter__()
        try:
            self._listen()
        except BaseException:
            self._dialogue.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        self._dialogue.__exit__()

    def credentials(self) -> list[Credential]:
        """All that Pantau has made, by id; the installation's own users and those of others are left out."""
        found: list[Credential] = []
        offset = 0
        while True:
            page = self._ask(command="listClients", verbose=True, count=_PAGE, offset=offset)
            clients = page["clients"]
            found += [one for one in map(_credential, clients) if one is not None]
            offset += len(clients)
            if not clients or offset >= page["totalCount"]:
                return sorted(found, key=lambda one: one.id)

    def add(self, credential: Credential, password: str) -> None:
        """Let somebody in.

        Args:
            credential: the topics of a partner are those of the role and left out.
            password: "" for one that shows a certificate.

        Raises:
            ConfigError: the id is taken.
        """
        client: dict[str, Any] = {
            "username": credential.id,
            "textname": credential.role,
            "textdescription": msgspec.json.encode(credential).decode(),
        }
        if password:
            client["password"] = password
        # Without a right first: a taken id must be found out before the role of that name is touched.
        problem = self._try(command="createClient", **client)
        if problem:
            raise ConfigError(
                f"credential {credential.id!r}: {problem}; revoke it first or take another name"
            )
        shared = credential.role in ROLES
        role = credential.role if shared else credential.id
        acls = ROLES[role] if shared else allow(credential.write, credential.read)
        if self._try(command="createRole", rolename=role, acls=acls) and not shared:
            self._ask(command="modifyRole", rolename=role, acls=acls)  # what an interrupted one left behind
        self._ask(command="addClientRole", username=credential.id, rolename=role)

    def set_password(self, id_: str, password: str) -> None:
        """Change a password; whoever is connected with the old one is thrown out.

        Raises:
            ConfigError: there is no such credential.
        """
        self._known(id_)
        self._ask(command="setClientPassword", username=id_, password=password)

    def revoke(self, id_: str) -> None:
        """Throw somebody out for good: the connection ends at once, a persistent session is gone.

        Raises:
            ConfigError: there is no such credential.
        """
        credential = self._known(id_)
        last = secrets.token_urlsafe(24)
        self._ask(command="setClientPassword", username=id_, password=last)
        # The broker forgets a session when its owner connects with a clean one. Best effort: nothing reaches it anyway.
        endpoint = msgspec.structs.replace(self._endpoint, user=id_, password=last)
        with suppress(PantauError), PahoDialogue(endpoint, id_, timeout_s=2.0):
            pass
        self._ask(command="deleteClient", username=id_)
        if credential.role not in ROLES:
            self._try(command="deleteRole", rolename=id_)

    def _listen(self) -> None:
        if self._dialogue.subscribe(f"{_TOPIC}/response"):
            raise ConfigError(
                f"{self._endpoint}: user {self._endpoint.user!r} may not ask {_TOPIC}: it is not the "
                "administrator; correct PANTAU_MQTT_ADMIN_URL"
            )

    def _known(self, id_: str) -> Credential:
        found = self.credentials()
        for credential in found:
            if credential.id == id_:
                return credential
        near = [one.id for one in found if id_ in one.id or any(id_ in name for name in one.stations)]
        hint = f"; did you mean {', '.join(near[:5])}?" if near else ""
        raise ConfigError(f"no credential {id_!r}: see `pantau device list`{hint}")

    def _ask(self, **command: Any) -> dict[str, Any]:
        """The answer's data.

        Raises:
            ConfigError: the plugin refuses.
        """
        answer = self._answer(command)
        if "error" in answer:
            raise ConfigError(f"{self._endpoint}: {command['command']}: {answer['error']}")
        return dict(answer.get("data", {}))

    def _try(self, **command: Any) -> str:
        """What the plugin has against it; empty when nothing."""
        return str(self._answer(command).get("error", ""))

    def _answer(self, command: dict[str, Any]) -> dict[str, Any]:
        token = secrets.token_hex(8)
        body = {"commands": [{**command, "correlationData": token}]}
        self._dialogue.send(_TOPIC, msgspec.json.encode(body))
        deadline = time.monotonic() + self._timeout_s
        while (left := deadline - time.monotonic()) > 0:
            message = self._dialogue.receive(left)
            if message is None:
                break
            self._dialogue.ack(message)
            for answer in _responses(message.payload):
                if answer.get("correlationData") == token:
                    return answer
        raise Unavailable(
            "broker",
            f"{self._endpoint}: no answer to {command['command']}: is the dynamic-security plugin loaded "
            "(mosquitto.conf), and may this user ask it?",
        )


def _responses(payload: bytes) -> Sequence[dict[str, Any]]:
    with suppress(msgspec.DecodeError, RecursionError):
        return msgspec.json.decode(payload, type=dict[str, list[dict[str, Any]]]).get("responses", [])
    return []


def _credential(client: dict[str, Any]) -> Credential | None:
    """What we noted when we made it; None for a client that we did not make."""
    with suppress(msgspec.DecodeError, msgspec.ValidationError):
        noted = msgspec.json.decode(client.get("textdescription", ""), type=Credential)
        if noted.id == client["username"]:
            return msgspec.structs.replace(noted, disabled=bool(client.get("disabled")))
    return None
