"""Our clock: readings more than two minutes ahead of it are flagged, so a clock that is behind refuses good ones.

Compared with the kernel's own judgement, with clocks of peers that are asked anyway, and with a time server only when
one is named: nothing else of Pantau asks the internet for anything.
"""

import ctypes
import socket
import struct
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import httpx
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from app.database import open_engine
from app.doctor.finding import Context, Finding
from pantau.errors import ConfigError

__all__ = ["ask_ntp", "judged", "look"]

_OFF_S = 2.0
_WRONG_S = 60.0
"""Half of the two minutes that a reading may be ahead."""
_NTP_PORT = 123
_NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900 to 1970."""
_TIMEX_BYTES = 512
_TIME_ERROR = 5
_SYNC = "start a time service (systemd-timesyncd, chrony)"


def look(context: Context) -> Iterator[Finding]:
    """What every clock at hand says."""
    asked = None if context.ntp is None else _ntp(context.ntp)
    yield asked or Finding("note", "no time server was asked: --ntp HOST does")
    yield _kernel(known_right=asked is not None and asked.status == "ok")
    influx = context.settings.influx
    if influx is not None:
        yield _influx(influx.url)
    if context.settings.database_url.startswith("postgresql"):
        yield _postgres(context.settings.database_url)


def judged(whom: str, offset_s: float) -> Finding:
    """What it means that our clock must be put forward by ``offset_s`` to agree with somebody's."""
    where = "behind" if offset_s > 0 else "ahead of"
    if abs(offset_s) < _OFF_S:
        return Finding("ok", f"our clock agrees with that of {whom} ({offset_s:+.1f} s)")
    said = f"our clock is {abs(offset_s):.1f} s {where} that of {whom}"
    return Finding(
        "error" if abs(offset_s) >= _WRONG_S else "warning", said, f"find out which is wrong; {_SYNC}"
    )


def ask_ntp(server: str, timeout_s: float = 3.0) -> float:
    """Seconds by which our clock must be put forward to agree with a time server.

    Args:
        server: host or host:port.

    Raises:
        ConfigError: the port is no number.
        OSError: it does not answer, or not as an NTP server.

    Source:
        RFC 5905, section 7.3 (packet) and 8 (offset); SNTP asks once.
    """
    host, _, port = server.partition(":") if server.count(":") <= 1 else (server.strip("[]"), "", "")
    if port and not port.isdigit():
        raise ConfigError(f"--ntp {server!r}: expected host or host:port")
    where = socket.getaddrinfo(host, int(port or _NTP_PORT), type=socket.SOCK_DGRAM)[0]
    with socket.socket(where[0], socket.SOCK_DGRAM) as line:
        line.settimeout(timeout_s)
        line.connect(where[4])
        sent = time.time()
        line.send(b"\x23" + bytes(47))  # version 4, client
        answer = line.recv(512)
        came = time.time()
    if len(answer) < 48 or answer[0] & 7 != 4 or not answer[1]:
        raise OSError(f"{server} gave no time (not synchronised itself, or no NTP server)")
    heard, said = (_seconds(answer[start : start + 8]) for start in (32, 40))
    return ((heard - sent) + (said - came)) / 2


def _seconds(stamp: bytes) -> float:
    whole, part = struct.unpack("!II", stamp)
    if whole < 2**31:
        whole += 2**32  # the count begins anew in 2036
    return float(whole - _NTP_EPOCH_S + part / 2**32)


def _ntp(server: str) -> Finding:
    try:
        return judged(f"time server {server}", ask_ntp(server))
    except OSError as error:
        return Finding("note", f"time server {server} did not answer ({error}): not checked")


def _kernel(*, known_right: bool) -> Finding:
    """Whether a time service tells the kernel that the clock is right (Linux); a machine's host may keep it instead."""
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        state = -1
    if state == _TIME_ERROR:
        said = "the kernel says that nobody keeps its clock right"
        return Finding("note" if known_right else "warning", said, _SYNC)
    if state < 0:
        return Finding("note", "the kernel does not say whether its clock is kept right")
    return Finding("ok", "the kernel says that its clock is kept right")


def _influx(url: str) -> Finding:
    """Its answer carries a date, in whole seconds."""
    try:
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=5, trust_env=False)
        said = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (httpx.HTTPError, KeyError, ValueError):
        return Finding("note", "InfluxDB told no time: not checked")
    return judged("InfluxDB", said + 0.5 - time.time())


def _postgres(url: str) -> Finding:
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            said = connection.execute(select(text("extract(epoch from clock_timestamp())"))).scalar()
    except SQLAlchemyError:
        return Finding("note", "PostgreSQL told no time: not checked")
    finally:
        engine.dispose()
    return judged("PostgreSQL", float(said or 0) - time.time())
