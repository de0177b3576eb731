"""Faults that are not a kill of the service: InfluxDB's, and a disk that is full. Each is a ``Faults`` of ``pair``."""

import contextlib
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from tests.faults.hostile import Hostile
from tests.faults.outcome import rows
from tests.faults.pair import Died, Faults, Flow, Ground, Result, wait_for
from tests.peers import Influx

BAD_POINT = b"value=99999.0,"
"""In a line of the store: values out of range, of which the load has one in 500; InfluxDB is made to refuse them."""
_DISK_MB = 24


def influx_kills(influx: Influx, hostile: Hostile, times: int) -> Faults:
    """InfluxDB is killed when it has a write and has not answered, and comes back seconds later."""

    def happen(place: Ground, _flow: Flow, result: Result) -> None:
        place.victim.launch()
        place.victim.subscribed()
        for number in range(times):
            time.sleep(2.0)
            hostile.mid_write = influx.kill
            wait_for(lambda: hostile.mid_write is None, 60)
            time.sleep(3.0)
            influx.start()
            if number % 2:  # and the service with it, while it does not know what became of the write
                _kill_service(place, result, "while InfluxDB was dying")
        result.notes.append(f"InfluxDB killed {times} times mid-write")

    return happen


def influx_answers(hostile: Hostile, away_s: float) -> Faults:
    """InfluxDB says 429, 503, hangs, and is gone for ``away_s``; one service kill in each of them."""

    def happen(place: Ground, _flow: Flow, result: Result) -> None:
        place.victim.launch()
        place.victim.subscribed()
        time.sleep(3.0)
        hostile.status, hostile.retry_after = 429, 2
        _stay(place, result, "while InfluxDB said 429", 10)
        hostile.status, hostile.retry_after = 503, None
        _stay(place, result, "while InfluxDB said 503", 10)
        hostile.status = None
        hostile.hang_s = 30.0
        _stay(place, result, "while InfluxDB hung", 25)
        hostile.hang_s = 0.0
        hostile.vanish()
        _stay(place, result, "while InfluxDB was away", away_s)
        told = rows(
            place.victim.database, "SELECT 1 FROM alerts WHERE hazard = 'system' AND scope LIKE '%influxdb'"
        )
        hostile.come()
        if away_s > 90:
            assert told, "nobody was told that InfluxDB is away"
            result.notes.append(f"away for {away_s:.0f} s, which was an alert")
        result.notes.append(f"InfluxDB's answers: {dict(hostile.answers)}")

    return happen


def _stay(place: Ground, result: Result, where: str, seconds: float) -> None:
    began = time.monotonic()
    wait_for(lambda: "influxdb" in _degraded(place), 40)
    time.sleep(max(0.0, seconds / 2 - (time.monotonic() - began)))
    _kill_service(place, result, where)
    place.victim.subscribed()
    time.sleep(max(0.0, seconds - (time.monotonic() - began)))


def _kill_service(place: Ground, result: Result, where: str) -> None:
    """Once something is in flight, which at hundreds of messages a second is nearly always."""
    deadline = time.monotonic() + 5
    while not place.wire.in_flight and time.monotonic() < deadline:
        time.sleep(0.001)
    place.victim.kill()
    time.sleep(0.05)
    (
        result.died.append(Died(where, place.wire.in_flight))
        if place.wire.in_flight
        else result.idle.append(where)
    )
    place.victim.launch()


def _degraded(place: Ground) -> list[str]:
    with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
        return list(place.victim.http.get("/readyz").json()["degraded"])
    return []


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A tmpfs on the folder, where we may mount one; else nothing, and the disk is filled by a limit on file sizes."""
    mounted = os.geteuid() == 0 and _quiet(
        "mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", str(folder)
    )
    try:
        yield
    finally:
        if mounted:
            _quiet("umount", "--lazy", str(folder))


def _quiet(*command: str) -> bool:
    found = shutil.which(command[0])
    return (
        found is not None
        and not subprocess.run([found, *command[1:]], capture_output=True, check=False).returncode
    )


def disk_full(full_s: float = 8.0) -> Faults:
    """The disk fills up under load, stays full, and there is room again; the service is killed meanwhile as well."""

    def happen(place: Ground, _flow: Flow, result: Result) -> None:
        place.victim.launch()
        place.victim.subscribed()
        time.sleep(3.0)
        with _filled(place) as how:
            wait_for(lambda: "database" in _degraded(place), 30)
            time.sleep(0.5)
            acknowledged = place.wire.acknowledged
            time.sleep(full_s)
            more = place.wire.acknowledged - acknowledged
            assert not more, f"{more} messages were acknowledged on a full disk"
            assert place.wire.in_flight
        told = place.victim.output().count("commit_failed")
        result.notes.append(
            f"disk full ({how}): {told} commits failed and told, none acknowledged in {full_s:.0f} s"
        )
        wait_for(lambda: place.wire.acknowledged > acknowledged, 30)
        wait_for(lambda: "database" not in _degraded(place), 30)
        with _filled(place):
            wait_for(lambda: "database" in _degraded(place), 30)
            place.victim.kill()
            time.sleep(0.05)
            result.died.append(Died("on a full disk", place.wire.in_flight))
        place.victim.launch()
        place.victim.subscribed()

    return happen


@contextlib.contextmanager
def _filled(place: Ground) -> Iterator[str]:
    data = place.victim.database.parent
    if os.path.ismount(data):
        ballast = data / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield f"tmpfs of {_DISK_MB} MB"
        ballast.unlink()
        return
    size = max(file.stat().st_size for file in data.glob("pantau.db-wal"))
    _, hard = resource.prlimit(place.victim.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(place.victim.pid, resource.RLIMIT_FSIZE, (size, hard))
    yield "limit on file sizes"
    with contextlib.suppress(ProcessLookupError, AssertionError):
        resource.prlimit(place.victim.pid, resource.RLIMIT_FSIZE, (hard, hard))


Made = Callable[[], tuple[Influx, str, str]]
