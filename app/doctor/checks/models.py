"""Trained models: what is promoted can be used; without it the rules run alone, which nobody should learn by chance."""

from collections.abc import Iterator

from app.doctor.finding import Context, Finding
from models.artifact import Shelf, shelves

__all__ = ["look"]


def look(context: Context) -> Iterator[Finding]:
    """Every promoted model and every challenger, opened as the service opens it."""
    from models.families import opened

    found = list(shelves(context.settings.data / "models"))
    if not found:
        yield Finding("note", "no trained models: the rules run alone")
    for shelf in found:
        live, broken = shelf.standing("live", opened)
        rival, rival_broken = shelf.standing("challenger", opened)
        if broken:
            yield Finding("error", f"live model {shelf.title}: {broken}", _instead(shelf, live))
        if rival_broken:
            ends = f"it runs in shadow only; `pantau model shadow {shelf.title}` ends the trial"
            yield Finding("error", f"challenger {shelf.title}: {rival_broken}", ends)
        if not broken and not rival_broken:
            none = (
                "none (retired: the rules run alone)" if shelf.is_retired() else "none: the rules run alone"
            )
            words = f"live {live or none}" + (f", in shadow {rival}" if rival else "")
            waits = not live and not shelf.is_retired()
            yield Finding(
                "note" if waits else "ok", f"{shelf.title}: {words}", _promotes(shelf) if waits else ""
            )


def _promotes(shelf: Shelf) -> str:
    title = shelf.title
    return (
        f"`pantau model show {title}` tells the cards, `pantau model promote {title} VERSION` makes one live"
    )


def _instead(shelf: Shelf, live: str | None) -> str:
    """What works beside mending a live model that cannot be used."""
    from models.families import opened

    former = shelf.former()
    if former and not shelf.problem(former, opened):
        does = f"`pantau model rollback {shelf.title}` takes the former version {former}"
    else:
        others = [one for one in shelf.versions() if one != live and not shelf.problem(one, opened)]
        does = "".join(
            f"`pantau model promote {shelf.title} {one}` takes another version, " for one in others[:1]
        )
        does += f"`pantau model retire {shelf.title}` leaves it to the rules"
    return f"until then the rules run without it; {does}"
