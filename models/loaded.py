"""Loads the promoted models of a family at start: shelves in, models ready to be asked out.

What is missing or broken never stops a service: it is left out with one log line and shown as
``pantau_model_degraded``, the detector does without it, and the rules run on.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from models.artifact import Shelf, shelves
from models.card import Card, Role, Stored
from models.metrics import MODEL_DEGRADED
from pantau.errors import ConfigError

__all__ = ["Loaded", "Role", "loaded"]

_log = structlog.get_logger("pantau.models")

Model = TypeVar("Model")


class Loaded(Generic[Model]):
    """A model that is to be asked.

    Attributes:
        card: what it is.
        model: as its family opens it.
    """

    def __init__(self, card: Card, model: Model) -> None:
        self.card = card
        self.model = model


def loaded(
    folder: Path, family: str, role: Role, opened: Callable[[Stored], Model], detector: str
) -> dict[str, Loaded[Model]]:
    """The live models (or the challengers) of a family by name.

    Args:
        folder: ``PANTAU_DATA/models``.
        opened: makes the model of its bytes; raises ConfigError for what does not fit.
        detector: who asks, for the log.
    """
    found: dict[str, Loaded[Model]] = {}
    for shelf in shelves(folder, family):
        try:
            version = _version(shelf, role)
            if version is None:
                continue
            stored = shelf.load(version)
            found[shelf.name] = Loaded(stored.card, opened(stored))
        except ConfigError as error:
            _log.warning(
                "artifact left out",
                detector=detector,
                family=family,
                name=shelf.name,
                role=role,
                why=str(error),
            )
        else:
            _log.info("artifact loaded", detector=detector, family=family, name=shelf.name, role=role,
                      version=version)  # fmt: skip
        if role == "live":
            MODEL_DEGRADED.labels(family, shelf.name).set(shelf.name not in found)
    return found


def _version(shelf: Shelf, role: Role) -> str | None:
    return shelf.current() if role == "live" else shelf.challenger()
