#!/usr/bin/env python3
"""Writes the recorded Sparkplug B messages of our tests with an encoder that is not ours: pysparkplug.

    tools/sparkplug_cases.py            # makes a throw-away venv, installs pysparkplug there, writes, removes the venv

pysparkplug needs paho-mqtt 1, we need 2, so it is in no lock of ours and only its bytes are committed:
``tests/cases/formats/sparkplug_b/<case>/message.bin`` (one message each; topic and options in the case's meta.toml) and
``tests/ingest/sparkplug_b/<n>-<what>.bin`` (the life of one gateway, for tests of several messages). What wrote them
stands in ``tests/ingest/sparkplug_b/WRITTEN_BY``. All times are fixed, so a second run changes nothing.
"""

import importlib
import subprocess
import sys
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

VERSION = "0.6.1"
ROOT = Path(__file__).parents[1]
CASES = ROOT / "tests" / "cases" / "formats" / "sparkplug_b"
LIFE = ROOT / "tests" / "ingest" / "sparkplug_b"
T = 1_767_323_045_000
"""2026-01-02T03:04:05Z, a second before the cases' received_at."""
DAY = 86_400_000
_ALIAS = {"Level": 7, "Rain": 8}


def main() -> int:
    """Write all files; without pysparkplug, do it in a venv that has it."""
    if find_spec("pysparkplug") is None:
        with tempfile.TemporaryDirectory() as home:
            subprocess.run([sys.executable, "-m", "venv", home], check=True)
            python = f"{home}/bin/python"
            subprocess.run([python, "-m", "pip", "install", "-q", f"pysparkplug=={VERSION}"], check=True)
            return subprocess.run([python, __file__], check=False).returncode
    encoder = Encoder(importlib.import_module("pysparkplug"))
    written = 0
    for name, payload in cases(encoder).items():
        written += write(CASES / name / "message.bin", payload)
    for index, (name, payload) in enumerate(life(encoder).items()):
        written += write(LIFE / f"{index:02}-{name}.bin", payload)
    by = f"pysparkplug {version('pysparkplug')}, protobuf {version('protobuf')} (tools/sparkplug_cases.py)\n"
    written += write(LIFE / "WRITTEN_BY", by.encode())
    print(f"{written} files changed")
    return 0


def write(path: Path, payload: bytes) -> int:
    """Write a file where it is not so already; 1 when it was not."""
    if path.exists() and path.read_bytes() == payload:
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(payload)
    return 1


class Encoder:
    """What the recordings need of pysparkplug."""

    def __init__(self, library: Any) -> None:
        self.lib = library
        self.types = library.DataType

    def metric(self, name: str | None, kind: str, value: object, **more: Any) -> Any:
        """A metric at T unless ``at`` says otherwise; ``kind`` is a name of pysparkplug's DataType."""
        at = more.pop("at", T)
        return self.lib.Metric(at, name, self.types[kind], value=value, is_null=value is None, **more)

    def nbirth(self, *metrics: Any, bd_seq: int = 3, at: int = T) -> bytes:
        """A birth of a node: bdSeq and the rebirth control, then its metrics."""
        head = [
            self.metric("bdSeq", "INT64", bd_seq, at=at),
            self.metric("Node Control/Rebirth", "BOOLEAN", value=False, at=at),
        ]
        return bytes(self.lib.NBirth(at, 0, (*head, *metrics)).encode())

    def dbirth(self, *metrics: Any, seq: int = 1, at: int = T) -> bytes:
        """A birth of a device."""
        return bytes(self.lib.DBirth(at, seq, metrics).encode())

    def data(self, *metrics: Any, seq: int = 2, at: int = T, typed: bool = False) -> bytes:
        """Data of a node or a device; data types left out unless ``typed``."""
        return bytes(self.lib.DData(at, seq, metrics).encode(include_dtypes=typed))

    def ndeath(self, bd_seq: int, at: int = T) -> bytes:
        """A death of a node, with the time at which the will was written."""
        return bytes(self.lib.NDeath(at, self.metric("bdSeq", "INT64", bd_seq, at=at)).encode())

    def ddeath(self, seq: int, at: int = T) -> bytes:
        """A death of a device."""
        return bytes(self.lib.DDeath(at, seq).encode())

    def rebirth(self, at: int = T) -> bytes:
        """The request that we send, as pysparkplug would."""
        metric = self.metric("Node Control/Rebirth", "BOOLEAN", value=True, at=at)
        return bytes(self.lib.NCmd(at, (metric,)).encode(include_dtypes=True))

    def with_quality(self, quality: int) -> bytes:
        """Data with the property Quality, which pysparkplug has no words for: written on its protobuf classes."""
        payload = importlib.import_module("pysparkplug._protobuf").Payload()
        payload.ParseFromString(self.data(self.metric("Level", "DOUBLE", 150.0), typed=True))
        payload.metrics[0].properties.keys.append("Quality")
        value = payload.metrics[0].properties.values.add()
        value.type, value.int_value = 3, quality
        return bytes(payload.SerializeToString())


def cases(e: Encoder) -> dict[str, bytes]:
    """One message each, by case."""
    level = e.metric("Level", "DOUBLE", 150.5)
    good = e.data(level, typed=True)
    return {
        "nbirth_with_values": e.nbirth(e.metric("Level", "FLOAT", 151.25), e.metric("Rain", "DOUBLE", None)),
        "dbirth_with_aliases": e.dbirth(
            e.metric("Level", "INT16", -45, alias=7),
            e.metric("Rain", "FLOAT", 0.2, alias=8),
            e.metric("Pump/Running", "BOOLEAN", value=True, alias=9),
        ),
        "data_by_name": good,
        "data_before_birth": e.data(
            e.metric(None, "INT16", -45, alias=7), e.metric(None, "FLOAT", 0.2, alias=8)
        ),
        "negative_int8": e.data(e.metric("Level", "INT8", -1), typed=True),
        "negative_int64": e.data(e.metric("Level", "INT64", -165), typed=True),
        "uint32_is_not_minus_one": e.data(e.metric("Level", "UINT32", 4_294_967_295), typed=True),
        "integer_without_datatype": e.data(e.metric("Level", "INT32", -1)),
        "float_in_metres": e.data(e.metric("Level", "FLOAT", 2.01), typed=True),
        "historical": e.data(
            e.metric("Level", "DOUBLE", 140.0, at=T - 7_200_000, is_historical=True),
            e.metric("Level", "DOUBLE", 141.0, at=T - 3_600_000, is_historical=True),
            level,
            typed=True,
        ),
        "transient": e.data(e.metric("Level", "DOUBLE", 150.0, is_transient=True), typed=True),
        "null": e.data(e.metric("Level", "DOUBLE", None), e.metric("Rain", "DOUBLE", 1.5), typed=True),
        "boolean": e.data(e.metric("Level", "BOOLEAN", value=True), typed=True),
        "text": e.data(e.metric("Level", "STRING", "150"), typed=True),
        "nan": e.data(e.metric("Level", "DOUBLE", float("nan")), typed=True),
        "stale_quality": e.with_quality(500),
        "good_quality": e.with_quality(192),
        "time_of_the_payload": e.data(e.metric("Level", "DOUBLE", 150.0, at=None), at=T - 2_000, typed=True),
        "time_of_1970": e.data(e.metric("Level", "DOUBLE", 150.0, at=12_345), typed=True),
        "time_in_seconds": e.data(e.metric("Level", "DOUBLE", 150.0, at=T // 1000), typed=True),
        "cut_off": good[:-5],
        "retained": good,
        "other_group": good,
        "other_node": good,
        "command": e.rebirth(),
        "no_such_type": good,
        "node_death": e.ndeath(3, T - DAY),
        "device_death": e.ddeath(9),
    }


def life(e: Encoder) -> dict[str, bytes]:
    """A gateway with one device: born, reports by alias, loses a message, is reborn, dies; with times as it goes."""

    def device(at: int, aliases: dict[str, int]) -> tuple[Any, ...]:
        return (
            e.metric("Level", "INT16", -45, alias=aliases["Level"], at=at),
            e.metric("Rain", "FLOAT", 0.2, alias=aliases["Rain"], at=at),
            e.metric("Serial", "STRING", "A-1", alias=10, at=at),
        )

    def values(at: int, seq: int, level: int, rain: float, aliases: dict[str, int]) -> bytes:
        return e.data(
            e.metric(None, "INT16", level, alias=aliases["Level"], at=at),
            e.metric(None, "FLOAT", rain, alias=aliases["Rain"], at=at),
            seq=seq,
            at=at,
        )

    swapped = {"Level": 8, "Rain": 7}
    voltage = e.metric("Supply Voltage", "FLOAT", 12.1, alias=1)
    return {
        "nbirth": e.nbirth(voltage, bd_seq=3, at=T),
        "dbirth": e.dbirth(*device(T, _ALIAS), seq=1, at=T),
        "ddata": values(T + 1_000, 2, -44, 0.4, _ALIAS),
        "ddata-next": values(T + 2_000, 3, -43, 0.6, _ALIAS),
        "ddata-after-a-gap": values(T + 5_000, 6, -40, 1.2, _ALIAS),
        "ddeath": e.ddeath(7, T + 6_000),
        "dbirth-again": e.dbirth(*device(T + 7_000, _ALIAS), seq=8, at=T + 7_000),
        "ndeath": e.ndeath(3, T),
        "nbirth-of-the-next-session": e.nbirth(voltage, bd_seq=4, at=T + 20_000),
        "dbirth-with-swapped-aliases": e.dbirth(*device(T + 20_000, swapped), seq=1, at=T + 20_000),
        "ddata-with-swapped-aliases": values(T + 21_000, 2, -30, 2.5, swapped),
        "rebirth": e.rebirth(),
    }


if __name__ == "__main__":
    sys.exit(main())
