"""Reads the environment once into one frozen object and reports every problem together.

The only file that may look at ``os.environ``. A secret can come from a file: ``NAME_FILE`` names it.
"""

import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from app.clock import RealClock, ScaledClock
from pantau.errors import ConfigError

__all__ = ["KNOWN", "InfluxSettings", "Settings", "load_settings", "recordings_folder", "secret_files"]

KNOWN: dict[str, str] = {
    "PANTAU_CITY": "folder of the city",
    "PANTAU_MQTT_URL": "broker, mqtt://[user:password@]host:port or mqtts://",
    "PANTAU_MQTT_ADMIN_URL": "the same broker with its administrator's name and password, for `pantau device`",
    "PANTAU_DATABASE_URL": "sqlite:///file or postgresql+psycopg://user:password@host/name",
    "PANTAU_INFLUX_URL": "InfluxDB 2; unset: readings stay in the database",
    "PANTAU_INFLUX_TOKEN": "its token",
    "PANTAU_INFLUX_ORG": "its organisation",
    "PANTAU_INFLUX_BUCKET": "its bucket",
    "PANTAU_HTTP": "host:port of the API and the page",
    "PANTAU_DATA": "folder for artifacts and the default database",
    "PANTAU_CLOCK": "start,speed[,anchor]: an exercise on simulated time; unset: real time",
    "PANTAU_RECORDINGS": "folder of recordings for tests, replay and backtest",
}
"""Every variable there is; each may also be given as ``NAME_FILE``."""


class InfluxSettings(msgspec.Struct, frozen=True):
    """Where readings are forwarded to."""

    url: str
    token: str
    org: str
    bucket: str


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The installation's settings.

    Attributes:
        http: host and port.
        simulated: (start ms, speed, anchor ms or None) of an exercise, None on real time.
        mqtt_admin_url: None where nobody enrols devices.
    """

    city: Path
    mqtt_url: str
    database_url: str
    influx: InfluxSettings | None
    http: tuple[str, int]
    data: Path
    simulated: tuple[int, float, int | None] | None = None
    mqtt_admin_url: str | None = None

    @property
    def clock(self) -> RealClock | ScaledClock:
        """A clock of the kind the settings ask for; without an anchor it starts now."""
        return RealClock() if self.simulated is None else ScaledClock(*self.simulated)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment.

    Raises:
        ConfigError: with one line for every setting that is missing or wrong.
    """
    env, problems = _with_files(os.environ if environ is None else environ)

    def parse(name: str, default: str, reader: Callable[[str], Any]) -> Any:
        try:
            return reader(env.get(name, default))
        except ValueError as error:
            problems.append(f"{name} is {_without_password(env.get(name, default))!r}: {error}")
            return None

    data = Path(env.get("PANTAU_DATA", "data"))
    city = parse("PANTAU_CITY", _default_city(), _folder)
    mqtt_url = parse("PANTAU_MQTT_URL", "mqtt://127.0.0.1:1883", _mqtt_url)
    admin_url = parse("PANTAU_MQTT_ADMIN_URL", "", lambda text: _mqtt_url(text) if text else None)
    database_url = parse("PANTAU_DATABASE_URL", f"sqlite:///{data / 'pantau.db'}", _database_url)
    http = parse("PANTAU_HTTP", "127.0.0.1:8000", _host_port)
    simulated = parse("PANTAU_CLOCK", "", _clock)
    influx = _influx(env, problems)
    problems += [
        f"{name} is not a setting of Pantau; known are {', '.join(KNOWN)}"
        for name in env
        if name.startswith("PANTAU_") and name not in KNOWN and name != "PANTAU_CACHE"
    ]
    if problems:
        raise ConfigError(*problems)
    return Settings(
        city=city,
        mqtt_url=mqtt_url,
        database_url=database_url,
        influx=influx,
        http=http,
        data=data,
        simulated=simulated,
        mqtt_admin_url=admin_url,
    )


def _default_city() -> str:
    """The city that comes with the project: ``cities/default`` holds its folder's name."""
    cities = Path(__file__).resolve().parent.parent / "cities"
    note = cities / "default"
    return str(cities / note.read_text(encoding="utf-8").strip()) if note.is_file() else "cities"


def recordings_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where recordings lie: ``PANTAU_RECORDINGS``, by default beside the project."""
    default = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "recordings"
    return Path((os.environ if environ is None else environ).get("PANTAU_RECORDINGS", default))


def secret_files(environ: Mapping[str, str] | None = None) -> dict[str, Path]:
    """Files that hold settings, by the name of the variable (``..._FILE``) that names them."""
    env = os.environ if environ is None else environ
    return {name: Path(env[name]) for name in (f"{known}_FILE" for known in KNOWN) if env.get(name)}


def _with_files(environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The PANTAU_ variables with ``NAME_FILE`` replaced by the file's content; empty ones count as unset."""
    env = {name: value for name, value in environ.items() if name.startswith("PANTAU_") and value != ""}
    problems = []
    for name in [name for name in env if name.endswith("_FILE")]:
        path, plain = env.pop(name), name.removesuffix("_FILE")
        if plain in env:
            problems.append(f"{name} and {plain} are both set; keep one")
            continue
        try:
            text = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else error.reason
            problems.append(f"{name} names {path!r}, which cannot be read ({why}); check path and rights")
            continue
        if text:
            env[plain] = text
        else:
            problems.append(f"{name} names {path!r}, which is empty; write the value into it")
    return env, problems


def _without_password(text: str) -> str:
    """A URL as it may be shown in a complaint."""
    return re.sub(r"(//[^/@:]*:)[^/@]*@", r"\1***@", text)


def _folder(text: str) -> Path:
    path = Path(text)
    if not (path / "city.toml").is_file():
        msg = "expected a city's folder with city.toml in it"
        raise ValueError(msg)
    return path


def _mqtt_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
        msg = "expected mqtt://host:port or mqtts://host:port"
        raise ValueError(msg)
    _ = parts.port  # raises ValueError itself when it is no number
    return text


def _database_url(text: str) -> str:
    if not text.startswith(("sqlite:///", "postgresql+psycopg://", "postgresql://")):
        msg = "expected sqlite:///file or postgresql+psycopg://user:password@host/name"
        raise ValueError(msg)
    return text.replace("postgresql://", "postgresql+psycopg://", 1)


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        msg = "expected host:port, e.g. 127.0.0.1:8000"
        raise ValueError(msg)
    return host.strip("[]"), int(port)


def _clock(text: str) -> tuple[int, float, int | None] | None:
    if not text:
        return None
    parts = text.split(",")
    expected = (
        "expected start,speed[,anchor]: RFC 3339 with offset, a number above 0, real epoch milliseconds"
    )
    if len(parts) not in {2, 3}:
        raise ValueError(expected)
    try:
        start = datetime.fromisoformat(parts[0])
        speed = float(parts[1])
        anchor = int(parts[2]) if len(parts) == 3 else None
    except ValueError:
        raise ValueError(expected) from None
    if start.tzinfo is None or not 0 < speed < 1e9:
        raise ValueError(expected)
    return round(start.timestamp() * 1000), speed, anchor


def _influx(env: Mapping[str, str], problems: list[str]) -> InfluxSettings | None:
    names = [f"PANTAU_INFLUX_{word}" for word in ("URL", "TOKEN", "ORG", "BUCKET")]
    given = [name for name in names if name in env]
    if not given:
        return None
    problems.extend(
        f"{name} is not set, but {given[0]} is: set all four or none" for name in names if name not in env
    )
    url = env.get(names[0], "")
    if url and not url.startswith(("http://", "https://")):
        problems.append(f"{names[0]} is {url!r}: expected http://host:port or https://host:port")
    return InfluxSettings(*(env.get(name, "") for name in names))
