"""A city of four stations for tests of ingest; nothing is read from a folder."""

from pantau import registry
from pantau.city import Binding, City
from pantau.kind import Kind
from pantau.station import Station

__all__ = ["T0", "small_city"]

T0 = 1_767_322_800_000
"""2026-01-02T03:00:00Z."""

_WORDS = ("Normal", "Waspada", "Siaga", "Awas")


def small_city(*bindings: Binding) -> City:
    stations = [
        Station(id="116", name="Bendung Katulampa", kind="water_level", hazard="flood", group="ciliwung"),
        Station(id="rob-1", name="Pasar Ikan", kind="water_level", hazard="tidal", group="rob-1"),
        Station(id="hujan", name="Gadog", kind="rain", hazard="flood", group="hujan"),
        Station(id="monas", name="Silang Monas", kind="crowd_count", hazard="density", group="monas"),
    ]
    return City(
        id="contoh",
        name="Contoh",
        timezone="Asia/Jakarta",
        languages=("id", "en"),
        label={"id": _WORDS},
        advice={"id": _WORDS},
        emergency_number="112",
        kinds=registry.find("pantau.kinds", "KIND", Kind, "name"),
        stations={station.id: station for station in stations},
        ladders={},
        links=(),
        warns={},
        areas={},
        rivers={},
        bindings=bindings,
        recipients=(),
        names={"katulampa": ("116",)},
    )
