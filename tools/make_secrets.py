"""Makes the secrets of a new installation: random values, one file each, for docker-compose.yml or systemd.

    python tools/make_secrets.py secrets

Nothing is ever overwritten: run it again for a file that is missing. Standard library only, so that it runs before
anything is installed. ``dynamic-security.json`` is the broker's first file of users: the administrator and the service.
Devices come afterwards, with `pantau device add`.
"""

import argparse
import json
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # run as a script: our packages lie beside it, not on the path

from ingest.access import first_config  # noqa: E402 - after the path is right

_USERS = "dynamic-security.json"


class Folder:
    """A folder of secrets that only its owner may enter."""

    def __init__(self, path: Path) -> None:
        self.path = path
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
        if not path.exists():
            path.touch(mode=mode)
            path.write_text(content + "\n", encoding="utf-8")
        return path.read_text(encoding="utf-8").strip()


def make(path: Path, host: str) -> None:
    """Makes what is missing of the installation's secrets.

    Args:
        path: the folder.
        host: where the broker is.
    """
    folder = Folder(path)
    postgres = folder.secret("postgres_password")
    folder.once("database_url", f"postgresql+psycopg://pantau:{postgres}@postgres:5432/pantau")
    folder.secret("influx_password")
    folder.secret("influx_token")
    pantau = folder.secret("mqtt_password")
    admin = folder.once("mqtt_admin_password", secrets.token_urlsafe(24), mode=0o600)
    folder.once("mqtt_url", f"mqtt://pantau:{pantau}@{host}:1884")
    folder.once("mqtt_admin_url", f"mqtt://admin:{admin}@{host}:1884", mode=0o600)
    if not (path / _USERS).exists():
        users = json.dumps(first_config({"admin": admin, "pantau": pantau}), indent=1)
        folder.once(_USERS, users, mode=0o600)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the files go; keep it out of git")
    parser.add_argument("--broker", default="mosquitto", help="its host name; 127.0.0.1 without containers")
    options = parser.parse_args()
    make(options.folder, options.broker)
    print(f"secrets are in {options.folder}/; what was there is unchanged")


if __name__ == "__main__":
    main()
