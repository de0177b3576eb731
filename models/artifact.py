"""Artifacts: a trained model and its card go to a folder, and come back only when both are what they say.

``PANTAU_DATA/models/<kind>/<version>/`` holds ``model.skops`` and ``card.json``; ``<kind>/CURRENT`` names the version
that is live. Promotion is this one file, so it is explicit and can be undone by hand.
"""

import hashlib
import re
import zipfile
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, Protocol

import msgspec

from models import features
from pantau.errors import ConfigError

__all__ = ["Artifact", "Card", "Estimator", "current", "load", "promote", "save", "versions"]

TRUSTED = frozenset({"sklearn.tree._tree.Tree"})
"""Types a model file may hold beyond those skops knows to be harmless. Each was looked at; a new one is a decision."""
_VERSION = re.compile(r"[0-9a-f]{12}")


class Estimator(Protocol):
    """What a model can do, in scikit-learn's words."""

    def score_samples(self, rows: Any, /) -> Any:
        """How ordinary each row is: the lower, the stranger."""
        ...


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is; ``card.json``.

    Attributes:
        version: hash of data, features and parameters: the same training gives the same version.
        data: SHA-256 of the readings it learnt from and was tried on.
        start, end: their period, ms since 1970 UTC.
        stations: readings per station.
        params: of the estimator.
        quantiles: of the raw score on the training readings; they turn it into 0..1.
        metrics: what the last fifth of the readings, not learnt from, gave.
        libraries: versions it was made with.
        model_sha256: of ``model.skops``.
    """

    version: str
    kind: str
    estimator: str
    features: tuple[str, ...]
    data: str
    start: int
    end: int
    stations: dict[str, int]
    params: dict[str, Any]
    quantiles: dict[str, float]
    metrics: dict[str, float]
    libraries: dict[str, str]
    model_sha256: str = ""


class Artifact(msgspec.Struct, frozen=True):
    """A card with its model."""

    card: Card
    model: Estimator


def save(artifact: Artifact, folder: Path) -> Path:
    """Write an artifact below ``folder`` (``PANTAU_DATA/models``); returns its own folder.

    The card is written last and whole: a folder without a card is no artifact.
    """
    from skops import io  # noqa: PLC0415 - half a second of imports that only those with an artifact pay

    target = folder / artifact.card.kind / artifact.card.version
    target.mkdir(parents=True, exist_ok=True)
    body = io.dumps(artifact.model, compression=zipfile.ZIP_DEFLATED)
    _write(target / "model.skops", body)
    card = msgspec.structs.replace(artifact.card, model_sha256=hashlib.sha256(body).hexdigest())
    _write(target / "card.json", msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")
    return target


def load(folder: Path, kind: str, version: str) -> Artifact:
    """Read an artifact and check it: card, hash, features, library, types.

    Raises:
        ConfigError: what is wrong and what to do; the file is never executed, whatever it holds.
    """
    path = folder / kind / version
    card = _card(path / "card.json")
    again = f"train again with `pantau train --kind {kind}`"
    if (card.kind, card.version) != (kind, version):
        raise ConfigError(
            f"{path}/card.json: is of {card.kind}/{card.version}, expected {kind}/{version}; {again}"
        )
    if card.features != features.NAMES:
        raise ConfigError(
            f"{path}/card.json: features {card.features}, this release makes {features.NAMES}; {again}"
        )
    _check_library(path, card, again)
    body = _read(path / "model.skops")
    found = hashlib.sha256(body).hexdigest()
    if found != card.model_sha256:
        raise ConfigError(
            f"{path}/model.skops: SHA-256 is {found}, the card says {card.model_sha256}; {again}"
        )
    return Artifact(card, _model(path, body, card, again))


def _check_library(path: Path, card: Card, again: str) -> None:
    """An estimator's inside may change with a minor release, and wrong numbers would be worse than none."""
    made_with, installed = card.libraries.get("scikit-learn", ""), version_of("scikit-learn")
    if made_with.split(".")[:2] != installed.split(".")[:2]:
        raise ConfigError(
            f"{path}: made with scikit-learn {made_with!r}, installed is {installed!r}; {again}"
        )


def _model(path: Path, body: bytes, card: Card, again: str) -> Estimator:
    from skops import io  # noqa: PLC0415 - see save

    model: Any = None
    try:  # the reader of a strange file may raise anything
        strange = sorted(set(io.get_untrusted_types(data=body)) - TRUSTED)
        model = io.loads(body, trusted=sorted(TRUSTED)) if not strange else None
    except Exception as error:
        raise ConfigError(f"{path}/model.skops: cannot be read ({error}); {again}") from error
    if strange:
        raise ConfigError(f"{path}/model.skops: holds types we do not trust: {', '.join(strange)}; {again}")
    if type(model).__name__ != card.estimator:
        found = type(model).__name__
        raise ConfigError(f"{path}/model.skops: is a {found}, the card says {card.estimator}; {again}")
    estimator: Estimator = model
    return estimator


def versions(folder: Path, kind: str) -> list[str]:
    """Versions of a kind that have a card, in alphabetical order."""
    return sorted(card.parent.name for card in (folder / kind).glob("*/card.json"))


def current(folder: Path, kind: str) -> str | None:
    """The promoted version of a kind, None when none is.

    Raises:
        ConfigError: ``CURRENT`` holds something that is no version.
    """
    path = folder / kind / "CURRENT"
    if not path.is_file():
        return None
    version = _read(path).decode("ascii", "replace").strip()
    if not _VERSION.fullmatch(version):
        known = ", ".join(versions(folder, kind)) or "none"
        raise ConfigError(f"{path}: {version!r} is no version; expected one of: {known}")
    return version


def promote(folder: Path, kind: str, version: str) -> None:
    """Make a version the live one, after it was loaded once to see that it can be.

    Raises:
        ConfigError: there is no such version, or it cannot be loaded.
    """
    if version not in versions(folder, kind):
        known = ", ".join(versions(folder, kind)) or "none"
        raise ConfigError(f"{folder / kind}: no version {version!r}; there is: {known}")
    load(folder, kind, version)
    _write(folder / kind / "CURRENT", f"{version}\n".encode())


def _card(path: Path) -> Card:
    try:
        return msgspec.json.decode(_read(path), type=Card)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{path}: is not a card ({error}); restore the folder or train again") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); restore the folder or train again"
        ) from None


def _write(path: Path, body: bytes) -> None:
    """Whole or not at all: a reader never meets half a file."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(body)
    part.replace(path)
