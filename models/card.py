"""Cards of trained models: what a model is, what it was made of, and who decided what about it; plain data.

``models.artifact`` keeps them in folders, ``models.cardtext`` writes them for people.
"""

from pathlib import Path
from typing import Any, Literal

import msgspec

from models.baseline import Baseline

__all__ = ["KEPT", "ROLES", "Card", "Note", "Role", "Step", "Stored", "again"]

KEPT = "the kept readings"
"""``Card.source`` of a model that learnt from the store."""
Role = Literal["live", "challenger"]
ROLES: tuple[Role, ...] = ("live", "challenger")


def again(family: str, name: str, source: str = "") -> str:
    """What to do about a version that cannot be used; a command that is taken as it stands, but for FILE.

    Args:
        source: of its card, where that can be read.
    """
    of = "kind" if family == "forest" else "station"
    learnt = "--store" if source == KEPT else "FILE"
    hint = f" (FILE was {source})" if source and source != KEPT else ""
    return f"train again with `pantau train {learnt} --model {family} --{of} {name}`{hint}"


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is; ``card.json``.

    Attributes:
        version: hash of data, features and parameters: the same training gives the same version.
        family, name: the shelf it belongs to.
        kind: of the readings.
        estimator: class of the model.
        features: what it is asked with, in order.
        data: SHA-256 of the readings it learnt from and was tried on.
        source: where they came from, in words.
        start, end: their period, ms since 1970 UTC.
        stations: readings per station (or ``station/sensor``).
        names: of those stations, for people; what is not in it goes by its id.
        unit: of the readings and of errors (``mae_6h``); empty where it is not known.
        params: of the estimator.
        quantiles: of the raw score on the training readings; they turn it into 0..1.
        metrics: what readings that it has not learnt from gave; a figure that is undefined is left out.
        baselines: the same figures of something simpler, under the same names.
        limits: what a user must not conclude, sentences.
        inputs: per station what its readings were like, for the watch on drift.
        shares: per station the highest share of strange readings over two weeks of training, for the same.
        libraries: versions it was made with.
        format: of the model's file.
        model_sha256: of the model's file.
    """

    version: str
    family: str
    name: str
    kind: str
    estimator: str
    features: tuple[str, ...]
    data: str
    source: str = ""
    start: int
    end: int
    stations: dict[str, int]
    names: dict[str, str] = {}
    unit: str = ""
    params: dict[str, Any]
    quantiles: dict[str, float] = {}
    metrics: dict[str, float]
    baselines: dict[str, float] = {}
    limits: tuple[str, ...] = ()
    inputs: dict[str, Baseline] = {}
    shares: dict[str, float] = {}
    libraries: dict[str, str]
    format: str = "json"
    model_sha256: str = ""


class Stored(msgspec.Struct, frozen=True):
    """A card with the bytes of its model, which are what the card says.

    Attributes:
        path: the version's own folder, for messages.
    """

    card: Card
    body: bytes
    path: Path

    @property
    def again(self) -> str:
        """What to do about an artifact that cannot be used."""
        return again(self.card.family, self.card.name, self.card.source)


class Note(msgspec.Struct, frozen=True):
    """Who did something to a shelf, when (ms since 1970 UTC) and why; goes to ``HISTORY.jsonl``."""

    at: int
    by: str = ""
    why: str = ""


class Step(msgspec.Struct, frozen=True):
    """One line of ``HISTORY.jsonl``.

    Attributes:
        what: promoted, rolled_back, retired, shadowed or unshadowed.
        version: it is about, empty when a spoilt file was taken away.
        before: the version that was in its place, empty when none was.
    """

    at: int
    what: str
    version: str
    before: str = ""
    by: str = ""
    why: str = ""
