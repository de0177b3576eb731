"""``pantau model list|show|promote|rollback|shadow``: which trained model is live, and how it came to be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from app.clock import RealClock
from app.report import tell
from app.settings import load_settings
from pantau.errors import ConfigError
from pantau.forms import rfc3339

if TYPE_CHECKING:
    from models.artifact import Shelf
    from models.card import Note

__all__ = ["register"]

_Model = Annotated[str, typer.Argument(help="family and name as `pantau model list` shows them: forest/rain")]
_Version = Annotated[str, typer.Argument(help="twelve digits; the beginning is enough when it fits only one")]
_Folder = Annotated[
    Path | None, typer.Option("--out", help="where artifacts lie; PANTAU_DATA/models by default")
]
_By = Annotated[str, typer.Option(help="who decides, for the history")]
_Why = Annotated[str, typer.Option(help="and why")]
_AsJson = Annotated[bool, typer.Option("--json", help="one object a line on stdout")]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Trained models: what is live, on trial, or was before.", no_args_is_help=True)
    group.command(name="list")(listing)
    group.command(name="show")(show)
    group.command(name="promote")(promote)
    group.command(name="rollback")(rollback)
    group.command(name="shadow")(shadow)
    cli.add_typer(group, name="model")


def listing(out: _Folder = None, as_json: _AsJson = False) -> None:
    """List every version of every model, with its state and its figures."""
    from models.artifact import shelves

    rows: list[dict[str, Any]] = []
    for shelf in shelves(_folder(out)):
        states = _states(shelf)
        for version in sorted({*shelf.versions(), *states}):
            row: dict[str, Any] = {
                "model": f"{shelf.family}/{shelf.name}", "version": version, "state": states.get(version, ""),
                "period": "", "readings": 0, "metrics": {},
            }  # fmt: skip
            try:
                card = shelf.card(version)
            except ConfigError as error:
                row["period"] = str(error)
            else:
                row["period"] = f"{rfc3339(card.start)[:10]} to {rfc3339(card.end)[:10]}"
                row |= {"readings": sum(card.stations.values()), "metrics": card.metrics}
            rows.append(row if as_json else row | {"metrics": _in_words(row["metrics"])})
    tell(rows, as_json=as_json)


def show(model: _Model, version: Annotated[str, typer.Argument(help="the live one by default")] = "",
         out: _Folder = None, as_json: _AsJson = False) -> None:  # fmt: skip
    """Show the card of a version, and what was done to the model."""
    from models.cardtext import card_text

    shelf = _shelf(model, out)
    chosen = _version(shelf, version) if version else shelf.current()
    if chosen is None:
        raise ConfigError(f"{model}: no version is live; name one of {', '.join(shelf.versions()) or 'none'}")
    card, history = shelf.card(chosen), shelf.history()
    if as_json:
        typer.echo(msgspec.json.encode({"card": card, "history": history}).decode())
        return
    typer.echo(card_text(card))
    for step in history:
        former = f" in place of {step.before}" if step.before else ""
        said = f" by {step.by}" * bool(step.by) + f": {step.why}" * bool(step.why)
        typer.echo(f"{rfc3339(step.at)}  {step.what} {step.version}{former}{said}")


def promote(model: _Model, version: _Version, by: _By = "", why: _Why = "", out: _Folder = None,
            as_json: _AsJson = False) -> None:  # fmt: skip
    """Make a version the live one; a running service takes it at its next start."""

    def turn(shelf: "Shelf", check: Callable[[Any], object], note: "Note") -> None:
        shelf.promote(_version(shelf, version), check, note)

    _do(turn, _shelf(model, out), (by, why), as_json=as_json)


def rollback(
    model: _Model, by: _By = "", why: _Why = "", out: _Folder = None, as_json: _AsJson = False
) -> None:
    """Go back to the version that was live before the present one."""

    def turn(shelf: "Shelf", check: Callable[[Any], object], note: "Note") -> None:
        shelf.rollback(check, note)

    _do(turn, _shelf(model, out), (by, why), as_json=as_json)


def shadow(model: _Model, version: Annotated[str, typer.Argument(help="none ends the trial")] = "", by: _By = "",
           why: _Why = "", out: _Folder = None, as_json: _AsJson = False) -> None:  # fmt: skip
    """Let a version run beside the live one: its scores are shown and open no alert. Without a version: end that."""

    def turn(shelf: "Shelf", check: Callable[[Any], object], note: "Note") -> None:
        if version:
            shelf.shadow(_version(shelf, version), check, note)
        else:
            shelf.unshadow(note)

    _do(turn, _shelf(model, out), (by, why), as_json=as_json)


def _do(
    turn: "Callable[[Shelf, Callable[[Any], object], Note], None]", shelf: "Shelf", who: tuple[str, str], *,
    as_json: bool,
) -> None:  # fmt: skip
    """Turn a shelf and tell how it stands."""
    from models.card import Note
    from models.families import opened

    turn(shelf, opened, Note(RealClock().now(), *who))
    states = {"live": shelf.current(), "challenger": shelf.challenger()}
    if as_json:
        typer.echo(json.dumps({"model": f"{shelf.family}/{shelf.name}", **states}))
        return
    words = ", ".join(f"{word} {found or 'none'}" for word, found in states.items())
    typer.echo(f"{shelf.family}/{shelf.name}: {words}; from the next start of the service")


def _folder(out: Path | None) -> Path:
    return out or load_settings().data / "models"


def _shelf(model: str, out: Path | None) -> "Shelf":
    from models.artifact import Shelf, shelves

    folder = _folder(out)
    family, _, name = model.partition("/")
    shelf = Shelf(folder, family, name)
    if not shelf.path.is_dir():
        known = ", ".join(f"{one.family}/{one.name}" for one in shelves(folder)) or "none"
        raise ConfigError(f"there is no model {model!r} in {folder}; there is: {known}")
    return shelf


def _version(shelf: "Shelf", text: str) -> str:
    """A version by its beginning."""
    fits = [version for version in shelf.versions() if version.startswith(text)]
    if len(fits) != 1:
        known = ", ".join(shelf.versions()) or "none"
        raise ConfigError(
            f"{shelf.family}/{shelf.name}: {len(fits)} versions begin with {text!r}, expected one; there is: {known}"
        )
    return fits[0]


def _states(shelf: "Shelf") -> dict[str, str]:
    """``live`` and ``challenger`` by version; what such a file holds instead is told as it is."""
    found: dict[str, str] = {}
    for word, ask in (("challenger", shelf.challenger), ("live", shelf.current)):
        try:
            version = ask()
        except ConfigError as error:
            typer.echo(f"warning: {error}", err=True)
        else:
            found |= {version: word} if version else {}
    return found


def _in_words(metrics: dict[str, float]) -> str:
    return " ".join(f"{name}={value:.4g}" for name, value in sorted(metrics.items()))
