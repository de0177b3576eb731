"""``pantau model list|show|promote|rollback|retire|shadow``: which trained model is live, and how it came to be."""

import difflib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from app.caller import caller
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
_By = Annotated[str, typer.Option(help="who decides, for the history; your login name by default")]
_Why = Annotated[str, typer.Option(help="and why")]
_AsJson = Annotated[bool, typer.Option("--json", help="one object a line on stdout")]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Trained models: what is live, on trial, or was before.", no_args_is_help=True)
    group.command(name="list")(listing)
    group.command(name="show")(show)
    group.command(name="promote")(promote)
    group.command(name="rollback")(rollback)
    group.command(name="retire")(retire)
    group.command(name="shadow")(shadow)
    cli.add_typer(group, name="model")


def listing(out: _Folder = None, as_json: _AsJson = False) -> None:
    """List every version of every model; exit code 1 when one that is live or on trial cannot be used."""
    from models.artifact import shelves
    from models.card import ROLES
    from models.families import opened

    rows: list[dict[str, Any]] = []
    for shelf in shelves(_folder(out)):
        roles = [(role, *shelf.named(role)) for role in ROLES]
        states = {shelf.former() or "": "retired"} if shelf.is_retired() else {}
        states |= {version: role for role, version, _ in roles if version}
        rows += [_row(shelf, "", role, problem) for role, _, problem in roles if problem]
        rows += [
            _row(shelf, version, states.get(version, ""), shelf.problem(version, opened))
            for version in sorted({*shelf.versions(), *states})
        ]
    tell(rows if as_json else [_for_people(row) for row in rows], as_json=as_json)
    for row in () if as_json else rows:
        if row["problem"]:
            typer.echo(f"{row['model']} {row['version'] or row['state']} cannot be used: {row['problem']}")
    if any(row["state"] in ROLES and row["problem"] for row in rows):
        raise typer.Exit(1)


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
        typer.echo(f"{rfc3339(step.at)}  {step.what} {step.version or '(no version)'}{former}{said}")


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


def retire(
    model: _Model, by: _By = "", why: _Why = "", out: _Folder = None, as_json: _AsJson = False
) -> None:
    """Take the live version away: the rules run alone from the next start; `promote` brings it back."""

    def turn(shelf: "Shelf", check: Callable[[Any], object], note: "Note") -> None:
        del check
        shelf.retire(note)

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
    from models.card import ROLES, Note
    from models.families import opened

    by, why = who
    turn(shelf, opened, Note(RealClock().now(), by or caller(), why))
    states: dict[str, str | None] = {}
    for role in ROLES:
        states[role], problem = shelf.standing(role, opened)
        if problem:
            typer.echo(f"warning: {role} {shelf.title} cannot be used: {problem}", err=True)
    if as_json:
        typer.echo(json.dumps({"model": shelf.title, **states}))
        return
    words = ", ".join(f"{word} {found or 'none'}" for word, found in states.items())
    typer.echo(f"{shelf.title}: {words}; from the next start of the service")


def _folder(out: Path | None) -> Path:
    return out or load_settings().data / "models"


def _shelf(model: str, out: Path | None) -> "Shelf":
    from models.artifact import Shelf, shelves

    folder = _folder(out)
    known = {one.title: one for one in shelves(folder)}
    if model in known:
        return known[model]
    if "/" in model:
        family, _, name = model.partition("/")
        _ = Shelf(folder, family, name).path  # says what cannot be a name at all
    part = model.rpartition("/")[2].casefold()
    meant = [title for title in known if part in title.casefold().split("/")]
    meant = meant or difflib.get_close_matches(model, known, n=3, cutoff=0.8)
    hint = f" (did you mean {' or '.join(meant)}?)" if meant else ""
    raise ConfigError(
        f"there is no model {model!r} in {folder}{hint}; there is: {', '.join(known) or 'none'}"
    )


def _version(shelf: "Shelf", text: str) -> str:
    """A version by its beginning; where no other fits one without a card, so that what is missing is told."""
    fits = [version for version in shelf.versions() if version.startswith(text)]
    fits = fits or [path.name for path in shelf.path.glob("*/") if path.name.startswith(text)]
    if len(fits) != 1:
        known = ", ".join(shelf.versions()) or "none"
        raise ConfigError(
            f"{shelf.title}: {len(fits)} versions begin with {text!r}, expected one; there is: {known}"
        )
    return fits[0]


def _row(shelf: "Shelf", version: str, state: str, problem: str) -> dict[str, Any]:
    """One version; without a card that can be read its period, readings and figures are empty."""
    row: dict[str, Any] = {
        "model": shelf.title, "version": version, "state": state, "problem": problem,
        "period": "", "readings": 0, "metrics": {},
    }  # fmt: skip
    try:
        card = shelf.card(version)
    except ConfigError:
        return row
    period = f"{rfc3339(card.start)[:10]} to {rfc3339(card.end)[:10]}"
    return row | {"period": period, "readings": sum(card.stations.values()), "metrics": card.metrics}


def _for_people(row: dict[str, Any]) -> dict[str, Any]:
    """Whether it can be used goes beside the state; why not is told below the table, where there is room."""
    words = [row["state"]] * bool(row["state"]) + ["cannot be used"] * bool(row["problem"])
    shown = row | {"state": ", ".join(words), "metrics": _in_words(row["metrics"])}
    return {key: value for key, value in shown.items() if key != "problem"}


def _in_words(metrics: dict[str, float]) -> str:
    return " ".join(f"{name}={value:.4g}" for name, value in sorted(metrics.items()))
