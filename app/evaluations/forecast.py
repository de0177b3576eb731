"""``pantau evaluate forecast``: forecasts of a gauge on a given recording, beside the baselines."""

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from app.report import table_to, tell, to_write
from app.settings import load_settings
from pantau import cityfolder
from pantau.city import City
from pantau.errors import ConfigError

if TYPE_CHECKING:
    from models.forecast_story import Rule, Series

__all__ = ["Asked", "register", "rule_of"]

HOUR_MS = 3_600_000


def _finite(value: float) -> float:
    """Typer reads nan and inf as numbers; a limit is none."""
    if not isfinite(value):
        raise ConfigError(f"--limit is {value:g}, expected a level")
    return value


File = Annotated[Path, typer.Argument(help="CSV with time,station,value,unit (UTC)", dir_okay=False)]
Target = Annotated[str, typer.Option("--target", help="station whose level is forecast")]
Upstream = Annotated[
    str, typer.Option("--upstream", help="stations upstream, comma separated, the deciding one first")
]
Limit = Annotated[
    float,
    typer.Option(
        "--limit", help="level whose crossing is judged, in the recording's unit (cm)", callback=_finite
    ),
]
CityFolder = Annotated[
    Path | None,
    typer.Option("--city", help="city whose limits the operators' rule takes; PANTAU_CITY by default"),
]
Json = Annotated[bool, typer.Option("--json", help="one object a line on stdout")]


class Asked(NamedTuple):
    """The series of a command's files, and the names they are asked about."""

    series: "Series"
    train: "Series | None"
    upstream: tuple[str, ...]


def register(evaluate: typer.Typer) -> None:
    """Add the subcommand."""
    evaluate.command(name="forecast")(run)


def run(  # noqa: PLR0913, PLR0917 - each is an option of the command
    file: File,
    target: Target,
    limit: Limit,
    upstream: Upstream = "",
    leads: Annotated[
        str, typer.Option("--leads", help="hours ahead, comma separated; 0.5 is half an hour")
    ] = "1,2,3,6",
    train: Annotated[
        list[Path] | None, typer.Option("--train", help="learn from this recording instead; may be repeated")
    ] = None,
    city: CityFolder = None,
    as_json: Json = False,  # noqa: FBT002 - Typer's flags are booleans
    out: Annotated[
        Path | None, typer.Option("--out", help="write every forecast to this CSV", callback=to_write)
    ] = None,
) -> None:
    """Score forecasts; without --train each part of FILE is forecast by models fitted on all that lies before it."""
    from models.evaluations import forecast
    from models.forecast_fit import Settings
    from models.forecast_story import Question

    asked = read_asked(file, train, upstream)
    rule = rule_of(city or load_settings().city, target, asked.upstream)
    question = Question(target, asked.upstream, Settings((limit,), _leads(leads)), rule)
    rows, forecasts = forecast.evaluate(asked.series, question, asked.train)
    told = forecasts.astype({"yes": "Int64"}).assign(limit=limit)
    table_to(out, told, ["issued_at", "target_at"])
    tell(rows, as_json=as_json)


def read_asked(file: Path, train: list[Path] | None, upstream: str) -> Asked:
    """Read a command's recordings."""
    from simulators.series import read_series

    names = tuple(dict.fromkeys(name.strip() for name in upstream.split(",") if name.strip()))
    return Asked(read_series(file), read_series(*train) if train else None, names)


def rule_of(folder: Path, target: str, upstream: tuple[str, ...]) -> "Rule | None":
    """The operators' rule from a city's ladders and links; None when the city does not know the gauge upstream."""
    from models.forecast_story import Rule

    if not upstream:
        return None
    city = cityfolder.load(folder)
    station = _id_of(city, upstream[0])
    if station is None or station not in city.ladders:
        return None

    def limit_at(at: int) -> float | None:
        ladder = city.ladder_at(station, at)
        return None if ladder is None else ladder.limits[0]

    return Rule(upstream[0], limit_at, travel_ms(city, station, _id_of(city, target)))


def travel_ms(city: City, upstream: str, target: str | None) -> int | None:
    """Longest published travel time between two stations, ms; None: never published."""
    minutes = [link.high_min for link in city.upstream(target or "") if link.upstream == upstream]
    return minutes[0] * 60_000 if minutes and minutes[0] is not None else None


def _id_of(city: City, name: str) -> str | None:
    try:
        return city.find(name).id
    except LookupError:
        return None


def _leads(text: str) -> tuple[int, ...]:
    try:
        hours = sorted({float(part) for part in text.split(",")})
    except ValueError:
        hours = []
    if not hours or not all(0 < hour <= 24 for hour in hours):
        raise ConfigError(f"--leads is {text!r}, expected hours above 0 and up to 24, e.g. 1,2,3,6")
    return tuple(round(hour * HOUR_MS) for hour in hours)
