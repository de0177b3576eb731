"""Makes the secrets of a new installation: random values, one file each, for docker-compose.yml or systemd.

    python tools/make_secrets.py secrets [--device katulampa ...]

Nothing is ever overwritten: run it again to add a device or a file that is missing. Standard library only, so that it
runs before anything is installed. Devices' passwords go to ``devices.csv`` for those who set them up.
"""

import argparse
import base64
import csv
import hashlib
import re
import secrets
from pathlib import Path

# What mosquitto 2 reads: $7$ = PBKDF2-HMAC-SHA512. Its own tool writes 101 rounds; more cost an attacker more and a
# connect 5 ms.
ROUNDS = 10_000

# Names that mean something in the topic tree or the ACL; a device of that name would reach what is not its own.
RESERVED = frozenset({"alert", "health", "pantau", "partner", "public", "status"})


def mosquitto_hash(password: str) -> str:
    """The password as it stands in mosquitto's password file, after the name and a colon."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ROUNDS)
    return f"$7${ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


class Folder:
    """A folder of secrets, each readable by its owner and group only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def secret(self, name: str) -> str:
        """The secret of that name, made on first use."""
        return self.once(name, secrets.token_urlsafe(24))

    def once(self, name: str, content: str) -> str:
        """The file's content; written only if there is none yet."""
        path = self.path / name
        if not path.exists():
            self.write(name, content)
        return path.read_text(encoding="utf-8").strip()

    def write(self, name: str, content: str) -> None:
        """Writes a file with narrow rights from its first byte on.

        World-readable inside a folder that only its owner may enter: compose mounts each file alone into a container
        whose server runs as a user of its own, and file secrets carry the rights of the file.
        """
        path = self.path / name
        path.touch(mode=0o644)
        path.write_text(content + "\n", encoding="utf-8")


def make(path: Path, devices: list[str]) -> None:
    """Makes what is missing of the installation's secrets."""
    folder = Folder(path)
    postgres = folder.secret("postgres_password")
    folder.once("database_url", f"postgresql+psycopg://pantau:{postgres}@postgres:5432/pantau")
    folder.secret("influx_password")
    folder.secret("influx_token")
    pantau = folder.secret("mqtt_password")
    folder.once("mqtt_url", f"mqtt://pantau:{pantau}@mosquitto:1883")
    users = {"pantau": pantau, "partner": folder.secret("mqtt_partner_password")}
    users |= _devices(path / "devices.csv", devices)
    _add_users(folder, users)


def _devices(path: Path, names: list[str]) -> dict[str, str]:
    """Passwords of all devices, the new ones appended to ``devices.csv``."""
    known: dict[str, str] = {}
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            known = {row["station"]: row["password"] for row in csv.DictReader(file)}
    for name in names:
        if name in RESERVED or not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            message = f"device {name!r}: expected a station's id (letters, digits, _ . -), none of {sorted(RESERVED)}"
            raise SystemExit(message)
        known.setdefault(name, secrets.token_urlsafe(24))
    if known:
        path.touch(mode=0o600)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([("station", "password"), *sorted(known.items())])
    return known


def _add_users(folder: Folder, users: dict[str, str]) -> None:
    """Adds the users that the password file does not have yet; the lines that are there stay as they are."""
    path = folder.path / "mosquitto_passwd"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    there = {line.partition(":")[0] for line in lines}
    lines += [f"{name}:{mosquitto_hash(password)}" for name, password in users.items() if name not in there]
    folder.write("mosquitto_passwd", "\n".join(lines))


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the files go; keep it out of git")
    parser.add_argument("--device", action="append", default=[], help="a station's id that shall have a user")
    options = parser.parse_args()
    make(options.folder, options.device)
    print(f"secrets are in {options.folder}/; what was there is unchanged")


if __name__ == "__main__":
    main()
