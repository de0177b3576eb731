"""``pantau evaluate events``: floods warned of and false alarms on a given recording, beside the baselines."""

from math import inf
from pathlib import Path
from typing import Annotated

import typer

from app.evaluations.forecast import (
    HOUR_MS,
    CityFolder,
    File,
    Json,
    Limit,
    Target,
    Upstream,
    read_asked,
    rule_of,
)
from app.report import table_to, tell, to_write
from app.settings import load_settings
from pantau.errors import ConfigError

__all__ = ["register"]

_DEFAULT_H = 8.0
_MOST_H = 24.0


def register(evaluate: typer.Typer) -> None:
    """Add the subcommand."""
    evaluate.command(name="events")(run)


def run(  # noqa: PLR0913, PLR0917 - each is an option of the command
    file: File,
    target: Target,
    limit: Limit,
    upstream: Upstream = "",
    train: Annotated[
        list[Path] | None, typer.Option("--train", help="learn from this recording as well; may be repeated")
    ] = None,
    horizon: Annotated[
        float | None,
        typer.Option("--horizon", help="hours ahead; by default the city's travel time and 1 h, or 8"),
    ] = None,
    budget: Annotated[float, typer.Option("--budget", help="false alarms in 30 days allowed")] = 1.0,
    city: CityFolder = None,
    as_json: Json = False,  # noqa: FBT002 - Typer's flags are booleans
    out: Annotated[
        Path | None, typer.Option("--out", help="write every signal to this CSV", callback=to_write)
    ] = None,
) -> None:
    """Count floods warned of, by models fitted again every 30 days on all that lies before."""
    from models.evaluations import events
    from models.forecast_fit import Settings
    from models.forecast_story import Question

    asked = read_asked(file, train, upstream)
    rule = rule_of(city or load_settings().city, target, asked.upstream)
    hours = horizon if horizon is not None else _hours(None if rule is None else rule.travel_ms)
    if not 0 < hours <= _MOST_H:
        raise ConfigError(f"--horizon is {hours:g}, expected hours above 0 and up to {_MOST_H:g}")
    if not 0 < budget < inf:
        raise ConfigError(f"--budget is {budget:g}, expected more than 0 false alarms in 30 days")
    settings = Settings((limit,), _leads(hours), budget=budget)
    rows, signals = events.evaluate(
        asked.series, Question(target, asked.upstream, settings, rule), asked.train
    )
    table_to(out, signals, ["at"])
    tell(rows, as_json=as_json)


def _hours(travel_ms: int | None) -> float:
    """The longest travel time from the first gauge upstream, and an hour for the crest to come."""
    return _DEFAULT_H if travel_ms is None else travel_ms / HOUR_MS + 1


def _leads(hours: float) -> tuple[int, ...]:
    """Each full hour until the horizon, and the horizon."""
    whole = [hour * HOUR_MS for hour in range(1, int(hours) + 1)]
    end = round(hours * HOUR_MS)
    return tuple(sorted({*whole, end}))
