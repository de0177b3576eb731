"""What ``pantau replay`` and ``pantau simulate`` share: which clock, which broker, what is said at the end."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
import typer

from app.clock import RealClock, ScaledClock
from app.settings import Settings
from ingest.outbox import DiskOutbox
from pantau.city import City
from pantau.errors import ConfigError
from simulators.emission import emissions
from simulators.fault_text import parse_faults
from simulators.faults import Fault, Injected, inject
from simulators.publish import MqttPublisher
from simulators.replay import Played, play, sleep_until
from simulators.row import Row

__all__ = ["Pace", "Playback", "pace_of", "tell"]

_CONNECT_S = 10.0
_FLUSH_S = 60.0

Pace = tuple[RealClock | ScaledClock, int]
"""The clock to send by, and what is added to the times of the rows, ms."""


def pace_of(settings: Settings, start: int, *, speed: float | None, as_if_now: bool) -> Pace:
    """Clock and shift for rows that begin at ``start`` (ms).

    With ``PANTAU_CLOCK`` that clock decides, and readings bear its times. On real time the rows keep their own times,
    whatever the speed, unless they are shifted to begin now.

    Raises:
        ConfigError: the options contradict each other or ``PANTAU_CLOCK``.
    """
    clock = settings.clock
    if isinstance(clock, ScaledClock):
        if speed is not None and speed != clock.speed:
            raise ConfigError(
                f"--speed {speed:g}: PANTAU_CLOCK already says {clock.speed:g}; leave --speed away"
            )
        return clock, clock.now() - start if as_if_now else 0
    if speed is not None and speed <= 0:
        raise ConfigError(f"--speed {speed:g}: expected a number above 0")
    if not as_if_now:
        return ScaledClock(start, speed or 1.0), 0
    if speed not in {None, 1.0}:
        raise ConfigError(
            f"--as-if-now with --speed {speed:g}: readings would bear times ahead of a service on real time;"
            " start service and replay with the same PANTAU_CLOCK instead"
        )
    return clock, clock.now() - start


class Playback(msgspec.Struct, kw_only=True):
    """How a stream of rows is sent.

    Attributes:
        faults: as written on the command line.
        outbox: file that keeps unsent messages; None: in memory.
        truth: file that gets what the faults injected, one JSON object a line; None: nowhere.
    """

    settings: Settings
    city: City
    faults: str = ""
    seed: int = 0
    outbox: Path | None = None
    truth: Path | None = None

    def send(self, rows: Iterable[Row], start: int, pace: Pace) -> dict[str, object]:
        """Play rows that begin at ``start`` (ms) to the broker; returns what was sent and injected, for a summary.

        Raises:
            ConfigError: the faults cannot be read.
            Unavailable: the broker is away; a disk outbox keeps what it has not taken.
        """
        clock, shift = pace
        injected: list[Injected] = []
        faults = parse_faults(self.faults, self.city, start + shift)
        stream = inject(emissions(rows, self.city, shift_ms=shift), faults, seed=self.seed, truth=injected)
        outbox = DiskOutbox(self.outbox) if self.outbox else None
        with MqttPublisher(self.settings.mqtt_url, outbox=outbox) as publisher:
            if outbox is None:
                publisher.wait_connected(_CONNECT_S)
            played = play(stream, self.city, publisher, sleep_until(clock))
            publisher.flush(_FLUSH_S)
        self._write_truth(injected)
        return _summary(played, faults, injected)

    def _write_truth(self, injected: list[Injected]) -> None:
        if self.truth is not None:
            self.truth.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in injected))


def tell(summary: Mapping[str, object], *, as_json: bool) -> None:
    """What was done, on stdout: a line a fact, or one JSON object."""
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
        return
    for key, value in summary.items():
        text = str(value)
        if isinstance(value, dict):
            text = ", ".join(f"{name} {number}" for name, number in value.items())
        elif isinstance(value, list):
            text = ", ".join(map(str, value))
        typer.echo(f"{key.replace('_', ' '):<18}{text or '-'}")


def _summary(played: Played, faults: list[Fault], injected: list[Injected]) -> dict[str, object]:
    counts = {fault.name: 0 for fault in faults}
    for one in injected:
        counts[one.fault] += 1
    return {"messages": played.messages, "injected": counts}
