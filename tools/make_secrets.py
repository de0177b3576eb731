"""Makes the secrets of a new installation: random values, one file each, for docker-compose.yml or systemd.

    python tools/make_secrets.py secrets

Nothing is ever overwritten: run it again for a file that is missing. Standard library only, so that it runs before
anything is installed. ``dynamic-security.json`` is the broker's first file of users: the administrator and the service.
Devices come afterwards, with `pantau device add`.
"""

import argparse
import json
import re
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # run as a script: our packages lie beside it, not on the path

from ingest.access import first_config  # noqa: E402 - after the path is right

_USERS = "dynamic-security.json"
_PORT = 1884
"""Of the service's own listener, as mosquitto.conf has it."""


class Folder:
    """A folder of secrets that only its owner may enter.

    Attributes:
        made, kept: names of the files that were written, and of those that were there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.made: list[str] = []
        self.kept: list[str] = []
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def secret(self, name: str) -> str:
        """The secret of that name, made on first use."""
        return self.once(name, secrets.token_urlsafe(24))

    def once(self, name: str, content: str, mode: int = 0o644) -> str:
        """The file's content; written only if there is none yet, with narrow rights from its first byte on.

        World-readable inside a folder that only its owner may enter: compose mounts each file alone into a container
        whose server runs as a user of its own, and file secrets carry the rights of the file. What only root or you
        read is narrower.
        """
        path = self.path / name
        if path.exists():
            self.kept.append(name)
        else:
            self.made.append(name)
            path.touch(mode=mode)
            path.write_text(content + "\n", encoding="utf-8")
        return path.read_text(encoding="utf-8").strip()


def make(path: Path, broker: str) -> Folder:
    """Makes what is missing of the installation's secrets; returns the folder, which knows what was made.

    Args:
        path: the folder.
        broker: its ``host:port``.
    """
    folder = Folder(path)
    postgres = folder.secret("postgres_password")
    folder.once("database_url", f"postgresql+psycopg://pantau:{postgres}@postgres:5432/pantau")
    folder.secret("influx_password")
    folder.secret("influx_token")
    pantau = folder.secret("mqtt_password")
    admin = folder.once("mqtt_admin_password", secrets.token_urlsafe(24), mode=0o600)
    folder.once("mqtt_url", f"mqtt://pantau:{pantau}@{broker}")
    folder.once("mqtt_admin_url", f"mqtt://admin:{admin}@{broker}", mode=0o600)
    users = json.dumps(first_config({"admin": admin, "pantau": pantau}), indent=1)
    folder.once(_USERS, users, mode=0o600)
    return folder


def address(text: str) -> str:
    """``host:port`` of ``host``, ``host:port`` or either with an IPv6 address in brackets.

    Raises:
        argparse.ArgumentTypeError: it is none of these.
    """
    found = re.fullmatch(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?", text)
    port = int(found[2] or _PORT) if found else 0
    if found is None or not 0 < port < 1 << 16:
        raise argparse.ArgumentTypeError(f"{text!r}: expected host, host:port, [IPv6] or [IPv6]:port")
    return f"{found[1]}:{port}"


def told(folder: Folder, broker: str) -> str:
    """What was made, what was left alone, and what comes next."""
    path = folder.path
    lines = []
    if folder.made:
        lines.append(f"made in {path}/: {', '.join(folder.made)}")
    if folder.kept:
        lines.append(f"was there and is unchanged: {', '.join(folder.kept)}")
    lines += [
        f"{path / name} names another broker than {broker}: correct it, or remove it and call again"
        for name in ("mqtt_url", "mqtt_admin_url")
        if name in folder.kept
        and not (path / name).read_text(encoding="utf-8").strip().endswith(f"@{broker}")
    ]
    if _USERS in folder.made:
        lines += [
            "next (docs/deploy.md):",
            f"  docker compose: export PANTAU_SECRETS={path}, then docker compose up; it takes the files by itself",
            f"  systemd: {path / _USERS} becomes the broker's, readable by its user alone;",
            f"    the service gets PANTAU_MQTT_URL_FILE={path / 'mqtt_url'},",
            f"    `pantau device` PANTAU_MQTT_ADMIN_URL_FILE={path / 'mqtt_admin_url'}",
        ]
    return "\n".join(lines)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the files go; keep it out of git")
    parser.add_argument(
        "--broker", type=address, default=address("mosquitto"),
        help=f"host or host:port of the service's listener ({_PORT} unless said); 127.0.0.1 without containers",
    )  # fmt: skip
    options = parser.parse_args()
    print(told(make(options.folder, options.broker), options.broker))


if __name__ == "__main__":
    main()
