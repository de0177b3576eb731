"""Families of models: an artifact's bytes in, the model out that its detector asks; what does not fit is refused.

``forest`` is scikit-learn's isolation forest in a skops file, ``forecast`` is plain JSON. Neither can run code while it
is read.
"""

import zipfile
from importlib.metadata import version as version_of
from typing import Any, Protocol

from models import features
from models.card import Stored
from pantau.errors import ConfigError

__all__ = ["TRUSTED", "Estimator", "forecast_of", "forest_of", "opened", "packed"]

TRUSTED = frozenset({"sklearn.tree._tree.Tree"})
"""Types a skops file may hold beyond those skops knows to be harmless. Each was looked at; a new one is a decision."""


class Estimator(Protocol):
    """What a forest can do, in scikit-learn's words."""

    def score_samples(self, rows: Any, /) -> Any:
        """How ordinary each row is: the lower, the stranger."""
        ...


def opened(stored: Stored) -> Any:
    """The model of an artifact, whatever its family.

    Raises:
        ConfigError: what does not fit and what to do.
    """
    return {"forest": forest_of, "forecast": forecast_of}[stored.card.family](stored)


def packed(model: Any) -> bytes:
    """An estimator as a skops file."""
    from skops import io  # noqa: PLC0415 - half a second of imports that only those with a forest pay

    body: bytes = io.dumps(model, compression=zipfile.ZIP_DEFLATED)
    return body


def forest_of(stored: Stored) -> Estimator:
    """The forest of an artifact, once features, library and types were checked; the file is never executed.

    Raises:
        ConfigError: what does not fit and what to do.
    """
    card, path, again = stored.card, stored.path, stored.again
    if card.features != features.NAMES:
        raise ConfigError(
            f"{path}/card.json: features {card.features}, this release makes {features.NAMES}; {again}"
        )
    made_with, installed = card.libraries.get("scikit-learn", ""), version_of("scikit-learn")
    if made_with.split(".")[:2] != installed.split(".")[:2]:
        # An estimator's inside may change with a minor release, and wrong numbers would be worse than none.
        raise ConfigError(
            f"{path}: made with scikit-learn {made_with!r}, installed is {installed!r}; {again}"
        )
    return _estimator(stored)


def _estimator(stored: Stored) -> Estimator:
    from skops import io  # noqa: PLC0415 - see packed

    model: Any = None
    path, again = stored.path / "model.skops", stored.again
    try:  # the reader of a strange file may raise anything
        strange = sorted(set(io.get_untrusted_types(data=stored.body)) - TRUSTED)
        model = io.loads(stored.body, trusted=sorted(TRUSTED)) if not strange else None
    except Exception as error:
        raise ConfigError(f"{path}: cannot be read ({error}); {again}") from error
    if strange:
        raise ConfigError(f"{path}: holds types we do not trust: {', '.join(strange)}; {again}")
    if type(model).__name__ != stored.card.estimator:
        found = type(model).__name__
        raise ConfigError(f"{path}: is a {found}, the card says {stored.card.estimator}; {again}")
    estimator: Estimator = model
    return estimator


def forecast_of(stored: Stored) -> Any:
    """The forecast of an artifact (``models.forecast.Forecast``).

    Raises:
        ConfigError: what does not fit and what to do.
    """
    from models.forecast import Forecast  # noqa: PLC0415 - numpy only for those who have an artifact

    try:
        return Forecast.of_json(stored.body, stored.again)
    except ConfigError as error:
        raise ConfigError(f"{stored.path}/model.json: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{stored.path}/model.json: cannot be read ({error}); {stored.again}") from error
