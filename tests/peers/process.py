"""A server as a child process: started, waited for, killed, started again; gone when the tests are."""

import atexit
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]

START_TIMEOUT = 60.0  # seconds; influxd needs 1 to 3, four times that beside a build on two cores
STOP_TIMEOUT = 20.0

_alive: set["Peer"] = set()


def missing(reason: str) -> NoReturn:
    """Skips the test with the reason; under ``CI=true`` fails it, so that CI cannot pass by leaving things out."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"missing on this machine: {reason}", pytrace=False)
    pytest.skip(reason)


def program(name: str, hint: str) -> str:
    """Path of a program on PATH or in Debian's sbin, or ``missing``."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
    return found or missing(f"{name} is not installed; {hint}")


def built(tool: str) -> str:
    """Path of the binary that ``tools/<tool>`` has built before (it never builds here: a test would time out)."""
    done = subprocess.run([ROOT / "tools" / tool, "--path"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or missing(
        f"no {tool} on this machine; run tools/{tool}. {done.stderr.strip()}"
    )


def free_port() -> int:
    """A TCP port that was free a moment ago, below those that the kernel gives to outgoing connections.

    One of those could be somebody's by the time that the server starts: with several brokers and thousands of
    connections on one machine that happens.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def folder(name: str) -> Iterator[Path]:
    """A temporary folder that a server running as another user may enter."""
    with tempfile.TemporaryDirectory(prefix=f"pantau-{name}-", ignore_cleanup_errors=True) as path:
        Path(path).chmod(0o755)
        yield Path(path)


class Peer:
    """One server process. Subclasses give the command and say when it is ready."""

    user: str | None = None  # to run as, when the tests run as root
    stop_signal = signal.SIGTERM

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.host = "127.0.0.1"
        self.port = port
        self.log = home / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether the server answers. A listening port is enough unless a subclass knows better."""
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), timeout=1):
            return True
        return False

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self) -> None:
        """Starts the server and returns when it is ready."""
        assert self._process is None, "started already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_guard(self.user), *self.command()],
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        _alive.add(self)
        deadline = time.monotonic() + START_TIMEOUT
        while not self.ready():
            code = self._process.poll()
            if code is not None or time.monotonic() > deadline:
                self.kill()
                state = (
                    f"ended with {code}" if code is not None else f"was not ready in {START_TIMEOUT:.0f} s"
                )
                pytest.fail(f"{self.command()[0]} {state}:\n{self.output()[-3000:]}", pytrace=False)
            time.sleep(0.02)

    def output(self) -> str:
        """What the server has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def kill(self) -> None:
        """``kill -9``: what was not on disk is gone. The data stay for the next ``start()``."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """An orderly end."""
        self._end(self.stop_signal)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        _alive.discard(self)
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _guard(user: str | None) -> list[str]:
    """What stands before a command: the server dies with us even if we are killed, and is ``user``'s if we are root."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return [] if user is None or os.geteuid() != 0 else ["runuser", "-u", user, "--"]
    switch = [f"--reuid={user}", f"--regid={user}", "--init-groups"] if user and os.geteuid() == 0 else []
    return [setpriv, "--pdeathsig=KILL", *switch, "--"]


@atexit.register
def _kill_all() -> None:
    for peer in list(_alive):
        peer.kill()
