"""``pantau evaluate crowd``: surges invented on real counts; who finds them, and who cries wolf."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from app.report import rows_to, tell, to_write
from pantau.errors import ConfigError

if TYPE_CHECKING:
    from models.evaluations.crowd import Trace

__all__ = ["register"]

_DETECTOR = "surge"
_COLUMNS = ("model", "station", "time", "value", "score", "injected", "threshold")
ByStation = Annotated[bool, typer.Option("--by-station", help="one row a station and model")]
Json = Annotated[bool, typer.Option("--json", help="one object a line on stdout")]


def register(evaluate: typer.Typer) -> None:
    """Add the command."""
    evaluate.command(name="crowd")(run)


def run(  # noqa: PLR0913, PLR0917 - each is an option of the command
    file: Annotated[
        Path, typer.Argument(help="CSV with time,station,value,unit (UTC); values are counts", dir_okay=False)
    ],
    seed: Annotated[int, typer.Option(min=0, help="of the places where surges are")] = 1,
    surges: Annotated[int, typer.Option(min=1, help="of each kind on each station")] = 200,
    timezone: Annotated[
        str,
        typer.Option(
            help="IANA name of the place's clocks; without it UTC, and day and night as the counts show them"
        ),
    ] = "",
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="pantau's score from which on it is an alarm")
    ] = 0.5,
    by_station: ByStation = False,  # noqa: FBT002 - Typer's flags are booleans
    as_json: Json = False,  # noqa: FBT002 - (the same)
    out: Annotated[Path | None, typer.Option(help="every score as CSV", callback=to_write)] = None,
) -> None:
    """False alarms a sensor and week, and the part of invented surges that is found, beside three plain models."""
    from models.all import detectors
    from models.evaluations import crowd, crowd_models
    from simulators.series import read_series

    zone = _zone(timezone)
    plans = []
    for name, series in read_series(file).items():
        try:
            plans.append(crowd.plan(name, series, zone, seed, surges))
        except ValueError as error:
            typer.echo(f"{name}: left out, {error}", err=True)
    if not plans:
        raise ConfigError(f"{file}: no station with counts of two days or more; give weeks of them")
    product = crowd_models.product(detectors()[_DETECTOR], threshold, timezone or "UTC")
    traces = [crowd.trace(model, plan) for model in [product, *crowd_models.baselines()] for plan in plans]
    tell(list(_rows(traces, by_station=by_station)), as_json=as_json)
    with rows_to(out, _COLUMNS) as write:
        for trace in traces:
            write(_lines(trace))


def _zone(name: str) -> ZoneInfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(
            f"--timezone {name!r} is no time zone; give an IANA name such as Europe/London"
        ) from None


def _rows(traces: "list[Trace]", *, by_station: bool) -> Iterator[dict[str, Any]]:
    from models.evaluations.crowd import tally

    for model in dict.fromkeys(trace.model for trace in traces):
        mine = [trace for trace in traces if trace.model == model]
        if by_station:
            for trace in mine:
                yield {"model": model, "station": trace.plan.station, **tally([trace])}
        else:
            yield {"model": model, **tally(mine)}


def _lines(trace: "Trace") -> Iterator[tuple[str, ...]]:
    """Scores of the untouched series (``injected`` is blank), then those of each surge (its kind and number)."""
    from pantau.forms import rfc3339

    plan, threshold = trace.plan, f"{trace.threshold:.9g}"
    for at, count, score in zip(plan.times, plan.counts, trace.scores, strict=True):
        yield trace.model, plan.station, rfc3339(at), f"{count:.12g}", f"{score:.9g}", "", threshold
    for number, (surge, scores) in enumerate(zip(plan.surges, trace.injected, strict=True)):
        for index, score in enumerate(scores, start=surge.first):
            when, value = rfc3339(plan.times[index]), surge.value(plan.counts[index])
            told = f"{value:.12g}", f"{score:.9g}", f"{surge.kind}-{number}"
            yield trace.model, plan.station, when, *told, threshold
