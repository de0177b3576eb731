"""All detectors: what lies in ``models/detectors`` and what other packages announce, found by name."""

from pathlib import Path
from typing import Protocol, runtime_checkable

from models.detector import Configurable, Detector
from pantau import registry

__all__ = ["Rivalled", "configure", "detectors"]


@runtime_checkable
class Rivalled(Protocol):
    """A detector with trained models, of which another version may run beside it in shadow."""

    def challenger(self, data: Path) -> Detector | None:
        """The detector called ``<name>_challenger``, whose ``shadow`` is True; None when no version is on trial."""
        ...


def detectors() -> dict[str, Detector]:
    """Every detector by name.

    Raises:
        PluginError: a file does not keep the contract.
    """
    found: dict[str, Detector] = registry.find("models.detectors", "DETECTOR", Detector, "name")
    return dict(found)


def configure(found: dict[str, Detector], data: Path) -> None:
    """Give the data folder to those detectors that keep something there, and put their challengers beside them.

    Args:
        found: of ``detectors``; challengers are added.
        data: ``PANTAU_DATA``.
    """
    for detector in list(found.values()):
        if isinstance(detector, Configurable):
            detector.configure(data)
        rival = detector.challenger(data) if isinstance(detector, Rivalled) else None
        if rival is not None:
            found[rival.name] = rival
