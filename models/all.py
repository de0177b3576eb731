"""All detectors: what lies in ``models/detectors`` and what other packages announce, found by name."""

from collections.abc import Mapping
from pathlib import Path

from models.detector import Configurable, Detector
from pantau import registry

__all__ = ["configure", "detectors"]


def detectors() -> dict[str, Detector]:
    """Every detector by name.

    Raises:
        PluginError: a file does not keep the contract.
    """
    found: dict[str, Detector] = registry.find("models.detectors", "DETECTOR", Detector, "name")
    return dict(found)


def configure(found: Mapping[str, Detector], data: Path) -> None:
    """Give the data folder to those detectors that keep something there.

    Args:
        found: of ``detectors``.
        data: ``PANTAU_DATA``.
    """
    for detector in found.values():
        if isinstance(detector, Configurable):
            detector.configure(data)
