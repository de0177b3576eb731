"""Who may read the secrets: files of settings, private keys, the database with the contacts' addresses."""

import stat
from collections.abc import Iterator
from pathlib import Path

from app.database import file_of
from app.doctor.finding import Context, Finding
from app.settings import secret_files
from ingest.endpoint import Endpoint

__all__ = ["look", "open_to_others"]

_CONTAINER = Path("/run/secrets")
"""docker mounts each secret here alone, readable to the one user that the container has."""


def look(context: Context) -> Iterator[Finding]:
    """Every secret file that other users of the machine can read."""
    files = {**secret_files(), **_others(context)}
    files = {name: path for name, path in files.items() if path.exists()}
    exposed = {name: path for name, path in files.items() if open_to_others(path)}
    for name, path in exposed.items():
        yield Finding("warning", f"{name}: every user of this machine can read {path}", f"chmod 600 {path}")
    if not exposed:
        yield Finding("ok", f"{len(files)} files with secrets, none readable to others")


def open_to_others(path: Path) -> bool:
    """Whether a user who is neither owner nor of the group can read it: the file and every folder above let him."""
    path = path.resolve()
    if path.is_relative_to(_CONTAINER):
        return False
    folders = all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)
    return folders and bool(path.stat().st_mode & stat.S_IROTH)


def _others(context: Context) -> dict[str, Path]:
    found: dict[str, Path] = {}
    key = Endpoint.of(context.settings.mqtt_url).key_file
    if key is not None:
        found["key of the client certificate"] = Path(key)
    file = file_of(context.settings.database_url)
    if file is not None:
        found["database"] = file
        found["database's log"] = file.with_name(f"{file.name}-wal")
        found["database's shared memory"] = file.with_name(f"{file.name}-shm")
    return found
