"""The program and the machine it runs on: versions, and how many files a process may have open."""

import platform
import resource
from collections.abc import Iterator
from importlib.metadata import version

from app.doctor.finding import Context, Finding

__all__ = ["descriptors", "look"]

_LIBRARIES = ("msgspec", "paho-mqtt", "sqlalchemy", "fastapi", "influxdb-client", "scikit-learn")
_ENOUGH = 4096
"""Open files: 2,000 clients of the stream, as many page views, the database's connections."""


def look(context: Context) -> Iterator[Finding]:  # noqa: ARG001 - the shape of a check
    """Versions and limits."""
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    yield Finding("ok", f"pantau {version('pantau')}, Python {platform.python_version()}, {libraries}")
    yield descriptors(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def descriptors(limit: int) -> Finding:
    """What a limit of open files means; it is that of this shell, the service's own may differ."""
    text = f"a process may have {'any number of' if limit == resource.RLIM_INFINITY else limit} files open"
    if 0 <= limit < _ENOUGH:
        advice = f"raise it to {_ENOUGH}: LimitNOFILE= in the systemd unit, ulimits in docker-compose.yml"
        return Finding("warning", text, advice)
    return Finding("ok", text)
