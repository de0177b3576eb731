"""What one service alone may have: a lock beside its database, and its HTTP port; taken before any peer is met.

Two services with one name at the broker throw each other out, so the second one has to end before it gets there.
"""

import errno
import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from pantau.errors import ConfigError

__all__ = ["bound", "locked"]


def locked(database: Path) -> IO[str]:
    """The lock on a database's ingest; held until it is closed, or the process ends in whatever way.

    Raises:
        ConfigError: another process holds it.
    """
    path = database.with_name(f"{database.name}.lock")
    try:
        file = os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR, 0o600), "r+", encoding="ascii")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}; check owner and rights") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        pid = file.read().strip() or "unknown"
        file.close()
        raise ConfigError(f"{database} is in use by another pantau run (pid {pid})") from error
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def bound(host: str, port: int) -> list[socket.socket]:
    """Sockets on every address of the host, not yet listening.

    Raises:
        ConfigError: the port is somebody's, or the address is none of this machine's.
    """
    found: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            made = socket.socket(family, kind, protocol)
            found.append(made)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind(address)
    except OSError as error:
        for made in found:
            made.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"{host}:{port} is in use: is another pantau running?") from error
        raise ConfigError(f"PANTAU_HTTP {host}:{port} cannot be listened on: {error.strerror}") from error
    return found
