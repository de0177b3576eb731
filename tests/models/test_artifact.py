"""Artifacts: what goes in comes out, and what is not what its card says never comes out."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from skops import io

from models import artifact, features
from pantau.errors import ConfigError
from tests.detector_bench import forest_data

KIND = "water_level"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(copytree(forest_data() / "models", tmp_path / "models"))


@pytest.fixture
def version(folder: Path) -> str:
    (found,) = artifact.versions(folder, KIND)
    return found


def test_a_saved_model_scores_as_before(folder: Path, version: str, tmp_path: Path) -> None:
    loaded = artifact.load(folder, KIND, version)
    artifact.save(loaded, tmp_path / "elsewhere")
    again = artifact.load(tmp_path / "elsewhere", KIND, version)
    rows = np.random.default_rng(1).normal(size=(100, len(features.NAMES)))
    assert (again.model.score_samples(rows) == loaded.model.score_samples(rows)).all()
    assert list((tmp_path / "elsewhere").rglob("*.part")) == []


def test_promotion_is_one_file_that_names_the_version(folder: Path, version: str) -> None:
    assert (folder / KIND / "CURRENT").read_text() == f"{version}\n"
    (folder / KIND / "CURRENT").unlink()
    assert artifact.current(folder, KIND) is None
    artifact.promote(folder, KIND, version)
    assert artifact.current(folder, KIND) == version


def test_only_a_version_that_is_there_can_be_promoted(folder: Path, version: str) -> None:
    with pytest.raises(ConfigError, match=f"no version '000000000000'; there is: {version}"):
        artifact.promote(folder, KIND, "000000000000")


def test_a_version_that_cannot_be_loaded_is_not_promoted(folder: Path, version: str) -> None:
    (folder / KIND / "CURRENT").unlink()
    (folder / KIND / version / "model.skops").write_bytes(b"")
    with pytest.raises(ConfigError, match="SHA-256"):
        artifact.promote(folder, KIND, version)
    assert artifact.current(folder, KIND) is None


@pytest.mark.parametrize("text", ["", "../../etc", "latest", "\xff"])
def test_current_holds_a_version_and_nothing_else(folder: Path, version: str, text: str) -> None:
    (folder / KIND / "CURRENT").write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=f"is no version; expected one of: {version}"):
        artifact.current(folder, KIND)


def _edit(card: dict[str, object], **fields: object) -> bytes:
    return json.dumps({**card, **fields}).encode()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda _: b"", "is not a card"),
        (lambda _: b"[]", "is not a card"),
        (lambda card: _edit(card, kind="rain"), r"is of rain/.*, expected water_level/"),
        (lambda card: _edit(card, features=["value"]), r"features \('value',\), this release makes"),
        (lambda card: _edit(card, model_sha256="0" * 64), "the card says 0000"),
        (lambda card: _edit(card, estimator="KMeans"), "is a IsolationForest, the card says KMeans"),
        (lambda card: _edit(card, libraries={"scikit-learn": "0.1.2"}), "made with scikit-learn '0.1.2'"),
    ],
)
def test_a_card_that_does_not_fit_is_refused_with_what_to_do(
    folder: Path, version: str, change: Callable[[dict[str, object]], bytes], expected: str
) -> None:
    path = folder / KIND / version / "card.json"
    path.write_bytes(change(json.loads(path.read_bytes())))
    with pytest.raises(ConfigError, match=expected) as error:
        artifact.load(folder, KIND, version)
    assert "train" in str(error.value)


def _replace_model(folder: Path, version: str, body: bytes) -> None:
    """As somebody would who can write the folder: the card fits the new file."""
    import hashlib

    path = folder / KIND / version
    (path / "model.skops").write_bytes(body)
    card = json.loads((path / "card.json").read_bytes())
    (path / "card.json").write_bytes(_edit(card, model_sha256=hashlib.sha256(body).hexdigest()))


class _Stranger:
    """A type that no card may bring."""

    def __init__(self) -> None:
        self.order = "whatever its author likes"


def test_a_model_of_types_we_did_not_look_at_is_refused(folder: Path, version: str) -> None:
    _replace_model(folder, version, io.dumps(_Stranger()))
    with pytest.raises(ConfigError, match=r"types we do not trust: .*_Stranger"):
        artifact.load(folder, KIND, version)


def test_another_estimator_is_refused(folder: Path, version: str) -> None:
    _replace_model(folder, version, io.dumps(LinearRegression()))
    with pytest.raises(ConfigError, match="is a LinearRegression"):
        artifact.load(folder, KIND, version)


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04", b"\x80\x04]\x94."])
def test_a_file_that_is_no_skops_is_refused(folder: Path, version: str, body: bytes) -> None:
    _replace_model(folder, version, body)
    with pytest.raises(ConfigError, match="cannot be read"):
        artifact.load(folder, KIND, version)


def test_a_folder_without_a_card_is_no_version(folder: Path) -> None:
    (folder / KIND / "aaaaaaaaaaaa").mkdir()
    assert "aaaaaaaaaaaa" not in artifact.versions(folder, KIND)
    with pytest.raises(ConfigError, match=r"card\.json: cannot be read"):
        artifact.load(folder, KIND, "aaaaaaaaaaaa")
