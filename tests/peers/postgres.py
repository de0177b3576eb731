"""PostgreSQL: a cluster of its own in a temporary folder, run as user ``postgres`` where the tests run as root."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg

from tests.peers.process import Peer, folder, free_port, missing, program


class Postgres(Peer):
    """A running server; ``url`` is a SQLAlchemy URL, what ``PANTAU_DATABASE_URL`` takes."""

    user = "postgres"
    stop_signal = signal.SIGINT  # "fast": sessions are ended, data are flushed

    def __init__(self, home: Path, port: int, binaries: Path, password: str) -> None:
        super().__init__(home, port)
        self._binaries = binaries
        self._password = password
        self.url = self._url("postgres")

    def command(self) -> Sequence[str]:
        # fsync off: a killed process loses nothing by it, only a power cut would, and tests are much faster.
        settings = {"listen_addresses": self.host, "unix_socket_directories": str(self.home), "fsync": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [
            str(self._binaries / "postgres"),
            "-D",
            str(self.home / "data"),
            "-p",
            str(self.port),
            *options,
        ]

    def ready(self) -> bool:
        with (
            contextlib.suppress(psycopg.OperationalError),
            psycopg.connect(self._dsn("postgres"), connect_timeout=2),
        ):
            return True
        return False

    def new_database(self) -> str:
        """SQLAlchemy URL of a fresh, empty database, so that tests share one server without meeting."""
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self._url(name)

    def _dsn(self, database: str) -> str:
        return f"postgresql://postgres:{self._password}@{self.host}:{self.port}/{database}"

    def _url(self, database: str) -> str:
        return self._dsn(database).replace("postgresql://", "postgresql+psycopg://", 1)


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Runs PostgreSQL, the newest that Debian has installed or the one on PATH."""
    initdb = _initdb()
    with folder("postgres") as home:
        password = secrets.token_urlsafe()
        secret = home / "password"
        secret.write_text(password, encoding="utf-8")
        as_user: list[str] = []
        if os.geteuid() == 0:
            for path in (home, secret):
                shutil.chown(path, "postgres", "postgres")
            as_user = [program("runuser", "it is part of util-linux"), "-u", "postgres", "--"]
        options = ["--username=postgres", f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8"]
        command = [*as_user, str(initdb), "-D", str(home / "data"), *options, "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(command, check=True, capture_output=True, cwd=home)
        server = Postgres(home, free_port(), initdb.parent, password)
        try:
            server.start()
            yield server
        finally:
            server.kill()


def _initdb() -> Path:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if debian:
        return debian[-1]
    found = shutil.which("initdb")
    return (
        Path(found) if found else missing("PostgreSQL's initdb is not installed; tools/apt-peers installs it")
    )
