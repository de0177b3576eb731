"""Artifacts: what goes in comes out, what is not what its card says never does, and there is always a way back."""

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from skops import io

from models import features
from models.artifact import Shelf, shelves
from models.card import KEPT, Card, Note, Step, Stored, again
from models.cardtext import card_text
from models.families import forest_of, opened, packed
from models.loaded import loaded
from models.metrics import MODEL_DEGRADED
from pantau.errors import ConfigError
from tests.detector_bench import T0, forest_data

KIND = "water_level"
NOTE = Note(T0, "uji", "a test")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(copytree(forest_data() / "models", tmp_path / "models"))


@pytest.fixture
def shelf(folder: Path) -> Shelf:
    return Shelf(folder, "forest", KIND)


@pytest.fixture
def version(shelf: Shelf) -> str:
    (found,) = shelf.versions()
    return found


def invented(version: str, name: str = "pos-1") -> Card:
    """A card of a forecast that nobody made."""
    return Card(
        version=version, family="forecast", name=name, kind=KIND, estimator="Nobody", features=("value",),
        data="0" * 64, source="an invented river", start=T0, end=T0 + 1, stations={name: 1}, params={"seed": 1},
        metrics={"mae_3h": 2.5}, baselines={"mae_3h": 4.0}, limits=("Invented.",), libraries={"numpy": "2"},
    )  # fmt: skip


def any_body(stored: Stored) -> Stored:
    """Opens whatever is whole."""
    return stored


def made(folder: Path, *versions: str, name: str = "pos-1") -> Shelf:
    found = Shelf(folder, "forecast", name)
    for one in versions:
        found.save(invented(one, name), f"model {one}".encode(), "card\n")
    return found


A, B, C = "a" * 12, "b" * 12, "c" * 12


# --- what goes in comes out ------------------------------------------------------------------------------------------


def test_a_saved_model_scores_as_before(shelf: Shelf, version: str, tmp_path: Path) -> None:
    stored = shelf.load(version)
    model = forest_of(stored)
    other = Shelf(tmp_path / "elsewhere", "forest", KIND)
    other.save(stored.card, packed(model), "")
    again = forest_of(other.load(version))
    rows = np.random.default_rng(1).normal(size=(100, len(features.NAMES)))
    assert (again.score_samples(rows) == model.score_samples(rows)).all()
    assert list((tmp_path / "elsewhere").rglob("*.part")) == []


def test_a_version_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    found = made(tmp_path, A)
    before = {path: path.stat().st_mtime_ns for path in found.path.rglob("*")}
    made(tmp_path, A)
    assert {path: path.stat().st_mtime_ns for path in found.path.rglob("*")} == before


def test_a_version_that_is_broken_is_mended_by_training_again(tmp_path: Path) -> None:
    found = made(tmp_path, A)
    (found.path / A / "model.json").write_bytes(b"")
    with pytest.raises(ConfigError, match="SHA-256"):
        found.load(A)
    assert made(tmp_path, A).load(A).body == f"model {A}".encode()


def test_shelves_are_found_by_family(folder: Path) -> None:
    made(folder, A)
    assert [one.name for one in shelves(folder, "forecast")] == ["pos-1"]
    assert {one.family for one in shelves(folder)} == {"forecast", "forest"}
    assert list(shelves(folder / "nowhere")) == []


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", "-a", "x" * 65])
def test_a_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="no model can be called"):
        Shelf(tmp_path, "forest", name).versions()
    with pytest.raises(ConfigError, match="no model can be called"):
        Shelf(tmp_path, "strange", "rain").versions()


def test_the_card_for_people_says_what_the_card_says() -> None:
    text = card_text(invented(A))
    for words in (
        "from an invented river", "2026-01-01 00:00 to 2026-01-01 00:00 (UTC)", "| mae_3h | 2.5 | 4 |", "- Invented.",
        "- pos-1: 1 readings", "Nobody: seed 1", f"version {A}", "numpy 2",
    ):  # fmt: skip
        assert words in text
    assert text == card_text(invented(A))


def test_the_card_for_people_names_posts_and_units_where_they_are_known() -> None:
    known = msgspec.structs.replace(
        invented(A), stations={"pos-1": 1, "pos-1/zone": 2}, names={"pos-1": "Tengah"}, unit="cm"
    )
    text = card_text(known)
    for words in ("# forecast of pos-1 (Tengah)", "`water_level` in cm,", "| mae_3h | 2.5 cm | 4 cm |",
                  "- pos-1 (Tengah): 1 readings", "- pos-1/zone (Tengah): 2 readings"):  # fmt: skip
        assert words in text


# --- killed while saving ---------------------------------------------------------------------------------------------

_VICTIM = """
import os, signal, sys
from pathlib import Path
import msgspec
from models import artifact, card

left = int(sys.argv[2])
class Doomed:
    def fsync(self, number):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        os.fsync(number)
artifact.os = Doomed()
made = msgspec.json.decode(sys.argv[3], type=card.Card)
artifact.Shelf(Path(sys.argv[1]), "forecast", "pos-1").save(made, b"model", "card")
"""


def killed_after(writes: int, folder: Path) -> int:
    """Another process saves a version and is killed by SIGKILL after so many files; its exit code."""
    card = msgspec.json.encode(invented(A)).decode()
    words = [sys.executable, "-c", _VICTIM, str(folder), str(writes), card]
    return subprocess.run(words, cwd=ROOT, check=False).returncode


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_killed_while_saving_there_is_no_half_artifact(tmp_path: Path, writes: int) -> None:
    """SIGKILL after so many files; what is left is no version, and saving again makes it whole."""
    assert killed_after(writes, tmp_path) == -signal.SIGKILL
    found = Shelf(tmp_path, "forecast", "pos-1")
    assert found.versions() == []
    assert loaded(tmp_path, "forecast", "live", any_body, "uji") == {}
    with pytest.raises(ConfigError, match="no version"):
        found.promote(A, any_body, NOTE)
    found.save(invented(A), b"model", "card")
    assert found.load(A).body == b"model"


def test_killed_while_mending_a_broken_version_it_is_no_version(tmp_path: Path) -> None:
    found = made(tmp_path, A)
    (found.path / A / "model.json").write_bytes(b"half")
    assert killed_after(1, tmp_path) == -signal.SIGKILL
    assert found.versions() == []


def test_a_torn_line_of_the_history_is_passed_over_and_the_next_is_whole(tmp_path: Path) -> None:
    found = made(tmp_path, A, B)
    found.promote(A, any_body, NOTE)
    with (found.path / "HISTORY.jsonl").open("ab") as lines:
        lines.write(b'{"at": 1, "what": "prom')
    found.promote(B, any_body, NOTE)
    assert [step.version for step in found.history()] == [A, B]
    assert found.rollback(any_body, NOTE) == A


# --- promotion, roll-back, challenger --------------------------------------------------------------------------------


def test_promotion_is_one_file_that_names_the_version(shelf: Shelf, version: str) -> None:
    assert (shelf.path / "CURRENT").read_text() == f"{version}\n"
    (shelf.path / "CURRENT").unlink()
    assert shelf.current() is None
    shelf.promote(version, opened, NOTE)
    assert shelf.current() == version


def test_the_history_says_who_when_and_why(tmp_path: Path) -> None:
    found = made(tmp_path, A, B)
    found.promote(A, any_body, Note(1, "sari", "first"))
    found.promote(B, any_body, Note(2, "budi", "less wrong in the wet season"))
    found.promote(B, any_body, Note(3, "budi", "again: nothing to do"))
    found.rollback(any_body, Note(4, "sari", "false alarms"))
    assert found.history() == [
        Step(1, "promoted", A, "", "sari", "first"),
        Step(2, "promoted", B, A, "budi", "less wrong in the wet season"),
        Step(4, "rolled_back", A, B, "sari", "false alarms"),
    ]


def test_rolling_back_again_goes_further_back_and_ends_at_the_first(tmp_path: Path) -> None:
    found = made(tmp_path, A, B, C)
    for one in (A, B, C):
        found.promote(one, any_body, NOTE)
    assert [found.rollback(any_body, NOTE) for _ in range(2)] == [B, A]
    with pytest.raises(ConfigError, match=f"nothing to go back to; there is: {A}, {B}, {C}"):
        found.rollback(any_body, NOTE)
    found.promote(C, any_body, NOTE)
    assert found.rollback(any_body, NOTE) == A


def test_a_version_written_by_hand_can_be_rolled_back(tmp_path: Path) -> None:
    found = made(tmp_path, A, B)
    found.promote(A, any_body, NOTE)
    (found.path / "CURRENT").write_text(f"{B}\n")
    assert found.rollback(any_body, NOTE) == A


def test_a_spoilt_current_is_rolled_back_to_the_last_that_was_live(tmp_path: Path) -> None:
    found = made(tmp_path, A, B)
    found.promote(A, any_body, NOTE)
    found.promote(B, any_body, NOTE)
    (found.path / "CURRENT").write_bytes(b"\xff")
    assert found.rollback(any_body, NOTE) == B


def test_a_promotion_that_did_not_happen_is_no_past(tmp_path: Path) -> None:
    """The machine stopped between the history's line and CURRENT."""
    found = made(tmp_path, A, B, C)
    found.promote(A, any_body, NOTE)
    found.promote(B, any_body, NOTE)
    found._remember(Step(9, "promoted", C, B))
    assert found.rollback(any_body, NOTE) == A


def test_what_cannot_be_used_is_not_gone_back_to(tmp_path: Path) -> None:
    found = made(tmp_path, A, B)
    for one in (A, B):
        found.promote(one, any_body, NOTE)
    (found.path / A / "model.json").unlink()
    with pytest.raises(
        ConfigError, match=r"model\.json: is missing; restore it from a backup or train again with"
    ):
        found.rollback(any_body, NOTE)
    assert found.current() == B


def test_a_retired_model_has_no_live_version_and_comes_back_by_promotion_or_roll_back(tmp_path: Path) -> None:
    found = made(tmp_path, A, B)
    found.promote(A, any_body, NOTE)
    assert found.retire(Note(7, "budi", "false alarms")) == A
    assert (found.current(), found.is_retired(), found.former()) == (None, True, A)
    assert found.history()[-1] == Step(7, "retired", A, "", "budi", "false alarms")
    assert loaded(tmp_path, "forecast", "live", any_body, "uji") == {}
    with pytest.raises(ConfigError, match=f"nothing to retire; there is: {A}, {B}"):
        found.retire(NOTE)
    assert found.rollback(any_body, NOTE) == A
    assert not found.is_retired()
    with pytest.raises(ConfigError, match="`pantau model retire` leaves none live"):
        found.rollback(any_body, NOTE)
    found.retire(NOTE)
    found.promote(B, any_body, NOTE)
    assert (found.current(), found.is_retired(), found.former()) == (B, False, A)


def test_retiring_leaves_the_challenger_on_trial(tmp_path: Path) -> None:
    found = made(tmp_path, A, B)
    found.promote(A, any_body, NOTE)
    found.shadow(B, any_body, NOTE)
    found.retire(NOTE)
    assert (found.current(), found.challenger(), found.is_retired()) == (None, B, True)


def test_a_spoilt_current_can_be_retired_and_a_lost_one_is_not_retired(tmp_path: Path) -> None:
    found = made(tmp_path, A)
    found.promote(A, any_body, NOTE)
    (found.path / "CURRENT").write_bytes(b"\xff")
    assert found.retire(NOTE) is None
    assert found.history()[-1].version == ""
    found.promote(A, any_body, NOTE)
    (found.path / "CURRENT").unlink()
    assert not found.is_retired()


def test_a_retirement_that_did_not_happen_changes_nothing(tmp_path: Path) -> None:
    """The machine stopped between the history's line and CURRENT."""
    found = made(tmp_path, A, B)
    found.promote(A, any_body, NOTE)
    found.promote(B, any_body, NOTE)
    found._remember(Step(9, "retired", B))
    assert (found.is_retired(), found.rollback(any_body, NOTE)) == (False, A)


@settings(max_examples=30)
@given(st.lists(st.sampled_from([A, B, C, "back", "shadow", "end", "retire"]), max_size=12))
@example([C, A, "shadow", "back"])
def test_whatever_is_done_live_and_challenger_are_whole_versions_and_never_the_same(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[str]
) -> None:
    found = made(tmp_path_factory.mktemp("models"), A, B, C)
    live: list[str] = []
    retired = False
    for deed in deeds:
        if deed == "back" and (retired or len(live) > 1):
            live = live if retired else live[:-1]
            retired = False
            assert found.rollback(any_body, NOTE) == live[-1]
        elif deed == "retire" and live != [] and not retired:
            assert found.retire(NOTE) == live[-1]
            retired = True
        elif deed == "shadow" and live != [] and (retired or live[-1] != C):
            found.shadow(C, any_body, NOTE)
        elif deed == "end":
            found.unshadow(NOTE)
        elif deed in {A, B, C}:
            found.promote(deed, any_body, NOTE)
            live += [deed] if retired or live[-1:] != [deed] else []
            retired = False
        assert found.current() == (live[-1] if live and not retired else None)
        assert found.is_retired() == retired
        assert found.challenger() in {None, C}
        assert found.challenger() is None or found.challenger() != found.current()


def test_only_a_version_that_is_there_can_be_promoted(shelf: Shelf, version: str) -> None:
    with pytest.raises(ConfigError, match=f"no version '000000000000'; there is: {version}"):
        shelf.promote("000000000000", opened, NOTE)


def test_a_version_that_cannot_be_loaded_is_not_promoted(shelf: Shelf, version: str) -> None:
    (shelf.path / "CURRENT").unlink()
    (shelf.path / version / "model.skops").write_bytes(b"")
    with pytest.raises(ConfigError, match="SHA-256"):
        shelf.promote(version, opened, NOTE)
    assert shelf.current() is None


@pytest.mark.parametrize("text", ["", "../../etc", "latest", "\xff"])
@pytest.mark.parametrize("file", ["CURRENT", "CHALLENGER"])
def test_current_holds_a_version_and_nothing_else(shelf: Shelf, version: str, text: str, file: str) -> None:
    (shelf.path / file).write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=f"is no version; expected one of: {version}"):
        (shelf.current if file == "CURRENT" else shelf.challenger)()


def test_the_live_version_cannot_be_its_own_challenger(tmp_path: Path) -> None:
    found = made(tmp_path, A, B)
    found.promote(A, any_body, NOTE)
    with pytest.raises(ConfigError, match="only another version can run beside it"):
        found.shadow(A, any_body, NOTE)
    found.shadow(B, any_body, NOTE)
    found.promote(B, any_body, NOTE)
    assert (found.current(), found.challenger()) == (B, None)


# --- what is not what its card says ----------------------------------------------------------------------------------


def _edit(card: dict[str, object], **fields: object) -> bytes:
    return json.dumps({**card, **fields}).encode()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda _: b"", "is not a card"),
        (lambda _: b"[]", "is not a card"),
        (lambda card: _edit(card, name="rain"), r"is of forest/rain/.*, expected forest/water_level/"),
        (lambda card: _edit(card, family="forecast"), r"is of forecast/.*, expected forest/water_level/"),
        (lambda card: _edit(card, format="pickle"), "expected json or skops"),
        (lambda card: _edit(card, features=["value"]), r"features \('value',\), this release makes"),
        (lambda card: _edit(card, model_sha256="0" * 64), "the card says 0000"),
        (lambda card: _edit(card, estimator="KMeans"), "is a IsolationForest, the card says KMeans"),
        (lambda card: _edit(card, libraries={"scikit-learn": "0.1.2"}), "made with scikit-learn '0.1.2'"),
    ],
)
def test_a_card_that_does_not_fit_is_refused_with_what_to_do(
    shelf: Shelf, version: str, change: Callable[[dict[str, object]], bytes], expected: str
) -> None:
    path = shelf.path / version / "card.json"
    path.write_bytes(change(json.loads(path.read_bytes())))
    with pytest.raises(ConfigError, match=expected) as error:
        opened(shelf.load(version))
    assert "train" in str(error.value)


def _replace_model(shelf: Shelf, version: str, body: bytes) -> None:
    """As somebody would who can write the folder: the card fits the new file."""
    path = shelf.path / version
    (path / "model.skops").write_bytes(body)
    card = json.loads((path / "card.json").read_bytes())
    (path / "card.json").write_bytes(_edit(card, model_sha256=hashlib.sha256(body).hexdigest()))


class _Stranger:
    """A type that no card may bring."""

    def __init__(self) -> None:
        self.order = "whatever its author likes"


def test_a_model_of_types_we_did_not_look_at_is_refused(shelf: Shelf, version: str) -> None:
    _replace_model(shelf, version, io.dumps(_Stranger()))
    with pytest.raises(ConfigError, match=r"types we do not trust: .*_Stranger"):
        opened(shelf.load(version))


def test_another_estimator_is_refused(shelf: Shelf, version: str) -> None:
    _replace_model(shelf, version, io.dumps(LinearRegression()))
    with pytest.raises(ConfigError, match="is a LinearRegression"):
        opened(shelf.load(version))


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04", b"\x80\x04]\x94."])
def test_a_file_that_is_no_skops_is_refused(shelf: Shelf, version: str, body: bytes) -> None:
    _replace_model(shelf, version, body)
    with pytest.raises(ConfigError, match="cannot be read"):
        opened(shelf.load(version))


def test_a_folder_without_a_card_is_no_version(shelf: Shelf) -> None:
    (shelf.path / "aaaaaaaaaaaa").mkdir()
    assert "aaaaaaaaaaaa" not in shelf.versions()
    with pytest.raises(
        ConfigError, match=r"aaaaaaaaaaaa/card\.json: is missing, and without its card this is no version"
    ):
        shelf.load("aaaaaaaaaaaa")


@pytest.mark.parametrize("broken", ["card.json", "model.json", "bytes", "CURRENT"])
def test_what_is_advised_names_the_file_once_and_a_whole_command(tmp_path: Path, broken: str) -> None:
    found = made(tmp_path, A)
    found.promote(A, any_body, NOTE)
    if broken == "CURRENT":
        (found.path / broken).write_bytes(b"junk" * 1000)
    elif broken == "bytes":
        (found.path / A / "model.json").write_bytes(b"{}")
    else:
        (found.path / A / broken).unlink()
    _, problem = found.standing("live", any_body)
    assert ("model.json" if broken == "bytes" else broken) in problem
    assert "`pantau train FILE --model forecast --station pos-1`" in problem
    assert problem.count("train again") == 1
    assert len(problem) < 600


def test_a_forecast_that_is_none_is_told_once_to_be_trained_again(tmp_path: Path) -> None:
    found = made(tmp_path, A)
    problem = found.problem(A, opened)
    assert problem.count("again") == problem.count("cannot be read") == 1
    assert "(FILE was an invented river)" in problem


def test_what_learnt_from_the_store_is_trained_again_from_there() -> None:
    assert (
        again("forest", KIND, KEPT) == f"train again with `pantau train --store --model forest --kind {KIND}`"
    )


def test_a_whole_version_that_this_release_cannot_open_is_written_anew(shelf: Shelf, version: str) -> None:
    """After an upgrade of scikit-learn the same readings give the same version."""
    path = shelf.path / version / "card.json"
    good, body = shelf.card(version), (shelf.path / version / "model.skops").read_bytes()
    path.write_bytes(_edit(json.loads(path.read_bytes()), libraries={"scikit-learn": "0.1.2"}))
    assert "0.1.2" in shelf.problem(version, opened)
    shelf.save(good, body, "", opened)
    assert shelf.problem(version, opened) == ""


# --- loading at start ------------------------------------------------------------------------------------------------


def degraded(name: str) -> float:
    return float(MODEL_DEGRADED.labels("forecast", name)._value.get())


def test_a_broken_model_is_left_out_and_shown_as_degraded_until_it_is_mended(tmp_path: Path) -> None:
    for name in ("pos-1", "pos-2"):
        made(tmp_path, A, name=name).promote(A, any_body, NOTE)
    (tmp_path / "forecast" / "pos-1" / A / "model.json").write_bytes(b"")
    assert loaded(tmp_path, "forecast", "live", any_body, "uji").keys() == {"pos-2"}
    assert (degraded("pos-1"), degraded("pos-2")) == (1, 0)
    made(tmp_path, A)
    assert loaded(tmp_path, "forecast", "live", any_body, "uji").keys() == {"pos-1", "pos-2"}
    assert (degraded("pos-1"), degraded("pos-2")) == (0, 0)


@pytest.mark.parametrize("missing", ["card.json", "model.json", ""])
def test_a_missing_model_is_left_out_and_shown_as_degraded(tmp_path: Path, missing: str) -> None:
    found = made(tmp_path, A, name="pos-3")
    found.promote(A, any_body, NOTE)
    if missing:
        (found.path / A / missing).unlink()
    else:
        (found.path / A).rename(tmp_path / "taken")
    assert loaded(tmp_path, "forecast", "live", any_body, "uji") == {}
    assert degraded("pos-3") == 1


def test_what_was_never_promoted_is_neither_used_nor_degraded(tmp_path: Path) -> None:
    made(tmp_path, A, name="pos-4")
    assert loaded(tmp_path, "forecast", "live", any_body, "uji") == {}
    assert degraded("pos-4") == 0


def test_challengers_are_loaded_by_their_own_role(tmp_path: Path) -> None:
    found = made(tmp_path, A, B)
    found.promote(A, any_body, NOTE)
    found.shadow(B, any_body, NOTE)
    live, rival = (
        loaded(tmp_path, "forecast", role, any_body, "uji")["pos-1"] for role in ("live", "challenger")
    )
    assert (live.card.version, rival.card.version) == (A, B)
    assert msgspec.structs.replace(rival.card, version=A, model_sha256=live.card.model_sha256) == live.card
