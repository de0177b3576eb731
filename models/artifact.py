"""Artifacts: a trained model and its card go to a folder, and come back only when both are what they say.

A **shelf** holds all versions of one model: a family (what sort of model it is) and a name (of what it is one)::

    PANTAU_DATA/models/<family>/<name>/
        CURRENT                version that is live; no such file: none is
        CHALLENGER             version that runs beside it in shadow: its scores are shown and open nothing
        HISTORY.jsonl          who promoted, took back, retired or tried which version, when and why
        <version>/model.skops  the model (or model.json), never pickle
        <version>/card.json    what it is, for machines: data hash, features, metrics, SHA-256 of the model
        <version>/card.md      the same for people

Families: ``forest`` by kind (``forest/water_level``), ``forecast`` by station (``forecast/118``). A detector asks
``models.loaded`` for the live models of its family: it reads each shelf, says what cannot be used and goes on without.
This module knows bytes and cards only; ``models.families`` knows how each family's bytes become a model.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from models import history
from models.card import Card, Note, Role, Step, Stored, again
from pantau.errors import ConfigError

__all__ = ["FAMILIES", "Shelf", "shelves"]

FAMILIES = ("forecast", "forest")
"""Every sort of model there is; ``models.families`` opens them."""
CURRENT, CHALLENGER, HISTORY = "CURRENT", "CHALLENGER", "HISTORY.jsonl"
_VERSION = re.compile(r"[0-9a-f]{12}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHOWN = 40
"""So many characters of what stands where a version should be are told."""


class Shelf(msgspec.Struct, frozen=True):
    """All versions of one model.

    Attributes:
        folder: ``PANTAU_DATA/models``.
        family: one of ``FAMILIES``.
        name: a kind or a station's id.
    """

    folder: Path
    family: str
    name: str

    @property
    def path(self) -> Path:
        """Its own folder.

        Raises:
            ConfigError: family or name cannot be one.
        """
        if self.family not in FAMILIES or not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"no model can be called {self.family}/{self.name}; expected <family>/<name> with a family of "
                f"{', '.join(FAMILIES)} and a kind or a station's id as name"
            )
        return self.folder / self.family / self.name

    @property
    def title(self) -> str:
        """Family and name, as commands take them."""
        return f"{self.family}/{self.name}"

    def versions(self) -> list[str]:
        """Versions that have a card, in alphabetical order."""
        return sorted(card.parent.name for card in self.path.glob("*/card.json"))

    def current(self) -> str | None:
        """The live version, None when none is.

        Raises:
            ConfigError: ``CURRENT`` holds something that is no version.
        """
        return self._named(CURRENT)

    def challenger(self) -> str | None:
        """The version that runs in shadow, None when none does.

        Raises:
            ConfigError: ``CHALLENGER`` holds something that is no version.
        """
        return self._named(CHALLENGER)

    def standing(self, role: Role, check: Callable[[Stored], object]) -> tuple[str | None, str]:
        """The version of a role and why it cannot be used: empty when it can, or when there is none.

        Args:
            check: opens the model (``models.families.opened``).
        """
        version, problem = self.named(role)
        return version, problem if version is None else self.problem(version, check)

    def named(self, role: Role) -> tuple[str | None, str]:
        """The version of a role, unopened; where its file holds none, why."""
        try:
            return (self.current() if role == "live" else self.challenger()), ""
        except ConfigError as error:
            return None, str(error)

    def problem(self, version: str, check: Callable[[Stored], object]) -> str:
        """Why a version cannot be used; empty when it can."""
        try:
            check(self.load(version))
        except ConfigError as error:
            return str(error)
        return ""

    def save(
        self, card: Card, body: bytes, text: str, check: Callable[[Stored], object] = lambda stored: stored
    ) -> Path:
        """Write a version; returns its folder.

        A version that is there and can be used is left as it is: it is the same training. The card is written last,
        and a folder without a card is no version, so whoever is stopped on the way leaves nothing that could be taken.

        Args:
            card: the shelf's, with the version's name; its SHA-256 is filled in here.
            body: of the model's file.
            text: ``card.md``.
            check: opens the model; one that this release cannot open is written anew.
        """
        target = self.path / card.version
        if self.problem(card.version, check):
            target.mkdir(parents=True, exist_ok=True)
            (target / "card.json").unlink(missing_ok=True)
            _write(target / f"model.{card.format}", body)
            _write(target / "card.md", text.encode())
            whole = msgspec.structs.replace(card, model_sha256=hashlib.sha256(body).hexdigest())
            _write(target / "card.json", msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n")
        return target

    def card(self, version: str) -> Card:
        """The card of a version; the model's file is not looked at.

        Raises:
            ConfigError: it is not there, or is not this version's.
        """
        path, restore = self.path / version / "card.json", self._restore()
        if not _VERSION.fullmatch(version) or not path.parent.is_dir():
            raise ConfigError(f"{self.path}: no version {version!r}; there is: {self._known()}")
        if not path.is_file():
            raise ConfigError(f"{path}: is missing, and without its card this is no version; {restore}")
        try:
            card = msgspec.json.decode(_read(path, restore), type=Card)
        except msgspec.MsgspecError as error:
            raise ConfigError(f"{path}: is not a card ({error}); {restore}") from None
        if (card.family, card.name, card.version) != (self.family, self.name, version):
            raise ConfigError(
                f"{path}: is of {card.family}/{card.name}/{card.version}, expected "
                f"{self.family}/{self.name}/{version}; {restore}"
            )
        if card.format not in {"json", "skops"}:
            raise ConfigError(f"{path}: format is {card.format!r}, expected json or skops; {restore}")
        return card

    def load(self, version: str) -> Stored:
        """Read a version and check that card and model belong together.

        Raises:
            ConfigError: what is wrong and what to do.
        """
        card, path = self.card(version), self.path / version
        stored = Stored(card, _read(path / f"model.{card.format}", self._restore(card.source)), path)
        found = hashlib.sha256(stored.body).hexdigest()
        if found != card.model_sha256:
            raise ConfigError(
                f"{path}/model.{card.format}: SHA-256 is {found}, the card says {card.model_sha256}; {stored.again}"
            )
        return stored

    def promote(self, version: str, check: Callable[[Stored], object], note: Note) -> None:
        """Make a version the live one; a challenger of the same version ends, for it has won.

        Args:
            check: opens the model once, to see that it can be used (``models.families.opened``).

        Raises:
            ConfigError: there is no such version, or it cannot be used; nothing was changed.
        """
        check(self.load(version))
        if self._safe(CURRENT) != version:
            self._turn(CURRENT, "promoted", version, note)
        self._end_trial_of(version, note)

    def rollback(self, check: Callable[[Stored], object], note: Note) -> str:
        """Make the version live that was so before the present one; returns it. Again goes one further back.

        A challenger of the same version ends.

        Raises:
            ConfigError: there was none before, or it cannot be used any more; nothing was changed.
        """
        former = self.former()
        if former is None:
            raise ConfigError(
                f"{self.path}: no version was live before the present one, nothing to go back to; there is: "
                f"{self._known()}; `pantau model promote` takes any of these, `pantau model retire` leaves none live"
            )
        check(self.load(former))
        self._turn(CURRENT, "rolled_back", former, note)
        self._end_trial_of(former, note)
        return former

    def _end_trial_of(self, version: str, note: Note) -> None:
        """What is live is not on trial as well."""
        if self._safe(CHALLENGER) == version:
            self.unshadow(note)

    def former(self) -> str | None:
        """The version a roll-back takes: of a retired model the retired one; None when none was live before."""
        known = history.past(self.history(), self._safe(CURRENT))
        return known[-2] if len(known) > 1 else None

    def retire(self, note: Note) -> str | None:
        """Take the live version away, the rules run alone; returns it, None when ``CURRENT`` held no version.

        The version stays in its folder: ``promote`` or ``rollback`` bring it back. A challenger stays on trial.

        Raises:
            ConfigError: none is live.
        """
        if not (self.path / CURRENT).exists():
            raise ConfigError(
                f"{self.path}: no version is live, there is nothing to retire; there is: {self._known()}"
            )
        version = self._safe(CURRENT)
        self._remember(Step(note.at, "retired", version or "", "", note.by, note.why))
        (self.path / CURRENT).unlink()
        return version

    def is_retired(self) -> bool:
        """Whether none is live because somebody decided so."""
        return not (self.path / CURRENT).exists() and history.is_retired(self.history())

    def shadow(self, version: str, check: Callable[[Stored], object], note: Note) -> None:
        """Let a version run beside the live one in shadow.

        Raises:
            ConfigError: there is no such version, it cannot be used, or it is the live one.
        """
        check(self.load(version))
        if version == self._safe(CURRENT):
            raise ConfigError(f"{self.path}: {version} is live; only another version can run beside it")
        if self._safe(CHALLENGER) != version:
            self._turn(CHALLENGER, "shadowed", version, note)

    def unshadow(self, note: Note) -> str | None:
        """End the challenger; returns its version, None when there was none."""
        version = self._safe(CHALLENGER)
        if (self.path / CHALLENGER).exists():
            self._remember(Step(note.at, "unshadowed", version or "", "", note.by, note.why))
            (self.path / CHALLENGER).unlink()
        return version

    def history(self) -> list[Step]:
        """What was done to the shelf, oldest first; lines that cannot be read are passed over."""
        return history.read(self.path / HISTORY)

    def _named(self, file: str) -> str | None:
        path = self.path / file
        if not path.is_file():
            return None
        ends = f"end the trial with `pantau model shadow {self.title}`"
        help_ = again(self.family, self.name) if file == CURRENT else ends
        version = _read(path, help_).decode("ascii", "replace").strip()
        if not _VERSION.fullmatch(version):
            shown = f"{version[:_SHOWN]!r}"
            raise ConfigError(f"{path}: {shown} is no version; expected one of: {self._known()}; {help_}")
        return version

    def _known(self) -> str:
        return ", ".join(self.versions()) or "none"

    def _restore(self, source: str = "") -> str:
        return f"restore it from a backup or {again(self.family, self.name, source)}"

    def _safe(self, file: str) -> str | None:
        try:
            return self._named(file)
        except ConfigError:
            return None

    def _turn(self, file: str, what: str, version: str, note: Note) -> None:
        """History first: a version that is live is always in it, so that there is a way back."""
        self._remember(Step(note.at, what, version, self._safe(file) or "", note.by, note.why))
        _write(self.path / file, f"{version}\n".encode())

    def _remember(self, step: Step) -> None:
        history.remember(self.path / HISTORY, step)


def shelves(folder: Path, family: str = "") -> Iterator[Shelf]:
    """Shelves that hold something, in order of family and name.

    Args:
        folder: ``PANTAU_DATA/models``.
        family: only this one; empty: all.
    """
    for word in (family,) if family else FAMILIES:
        for path in sorted((folder / word).glob("*/")):
            if path.is_dir() and _NAME.fullmatch(path.name):
                yield Shelf(folder, word, path.name)


def _read(path: Path, restore: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path}: is missing; {restore}") from None
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); let this user read it, {restore}"
        ) from None


def _write(path: Path, body: bytes) -> None:
    """Whole or not at all, and on the disk when this returns: a reader never meets half a file."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
