"""``pantau evaluate quality``: real levels with faults put into them in, who finds them and who doubts floods out."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.report import rows_to, tell, to_write
from app.settings import load_settings
from pantau import cityfolder
from pantau.city import City
from pantau.errors import ConfigError
from pantau.kinds.water_level import KIND

if TYPE_CHECKING:
    from models.evaluations.quality import Gauge, Trial
    from models.evaluations.quality_neighbours import Checked, Levels

__all__ = ["register"]

_COLUMNS = ("model", "fault", "size", "station", "time", "value", "injected", "flag", "pending", "reason")


def register(evaluate: typer.Typer) -> None:
    """Add the command."""
    evaluate.command(name="quality")(run)


def run(
    file: Annotated[
        Path, typer.Argument(help="CSV with time,station,value,unit (UTC); water levels", dir_okay=False)
    ],
    *,
    seed: Annotated[int, typer.Option(min=0, help="of the places where faults are")] = 1,
    city: Annotated[
        Path | None,
        typer.Option(help="city whose links and posts the neighbour check takes; PANTAU_CITY by default"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one object a line on stdout")] = False,
    out: Annotated[Path | None, typer.Option(help="every flag as CSV", callback=to_write)] = None,
) -> None:
    """Faults of sensors put into real levels: recall, precision, and what is doubted without one, beside QARTOD."""
    from models.evaluations.quality import Tally, trials

    tally, gauges = Tally(), _gauges(file)
    checked = _checked(cityfolder.load(city or load_settings().city), gauges, seed)
    with rows_to(out, _COLUMNS) as write:
        write(_alarms(checked))
        for one in gauges:
            for trial in trials(one, seed):
                tally.add(trial)
                write(_lines(trial))
    tell(tally.rows(checked), as_json=as_json)


def _gauges(file: Path) -> "list[Gauge]":
    import numpy as np

    from models.evaluations.quality import LEAST_READINGS, gauge
    from simulators.series import read_series

    found = []
    for name, series in read_series(file).items():
        if series.name != KIND.unit:
            typer.echo(f"{name}: left out, its unit is {series.name}, not one of a water level", err=True)
        elif len(series) < LEAST_READINGS:
            few = f"{len(series)} readings are fewer than {LEAST_READINGS}"
            typer.echo(f"{name}: left out, {few}", err=True)
        else:
            found.append(
                gauge(name, np.asarray(series.index, dtype="int64"), np.asarray(series, dtype="float64"))
            )
    if not found:
        raise ConfigError(
            f"{file}: no station with {LEAST_READINGS} water levels; units are {', '.join(KIND.units)}"
        )
    return found


def _checked(city: City, gauges: "Sequence[Gauge]", seed: int) -> "list[Checked]":
    """The neighbour check on the gauges that the city knows; empty when none has a neighbour among them."""
    from models.evaluations.quality_neighbours import check

    known: dict[str, Levels] = {}
    for one in gauges:
        try:
            station = city.find(one.name)
        except LookupError:
            continue
        if station.kind == KIND.name and station.id not in known:
            known[station.id] = (one.times, one.values, one.start)
    checked = list(check(city, known, seed)) if len(known) > 1 else []
    count = len({one.station for one in checked})
    told = f"{count} of {len(gauges)} gauges have a neighbour in the file by city {city.id}"
    typer.echo(told if count else f"{told}: drift and datum are not judged", err=True)
    return checked


def _alarms(checked: "Sequence[Checked]") -> Iterator[tuple[str, ...]]:
    """A row for each alarm of the neighbour check; the file's other rows are readings."""
    from pantau.forms import rfc3339

    for one in checked:
        name, size = ("none", "") if one.fault is None else (one.fault.name, f"{one.fault.size:g}")
        for at in one.alarms:
            injected = str(int(one.fault is not None))
            yield ("neighbour", name, size, one.station, rfc3339(at), "", injected, "", "", "alarm")


def _lines(trial: "Trial") -> Iterator[tuple[str, ...]]:
    from pantau.forms import rfc3339

    one, judged = trial.gauge, trial.judged
    size = "" if trial.fault.name == "none" else f"{trial.fault.size:g}"
    columns = zip(
        one.times.tolist(), trial.injected.values.tolist(), trial.injected.mask.tolist(), judged.flags.tolist(),
        judged.waits.tolist(), judged.reasons, strict=True,
    )  # fmt: skip
    for at, value, injected, flag, waits, reason in columns:
        yield (
            trial.model, trial.fault.name, size, one.name, rfc3339(at), f"{value:.12g}",
            str(int(injected)), str(flag), str(int(waits)), reason,
        )  # fmt: skip
