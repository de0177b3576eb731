"""``pantau evaluate rise``: how early the rate of rise warns of flash floods, without any training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.report import rows_to, tell, to_write
from pantau.errors import ConfigError
from pantau.forms import rfc3339

if TYPE_CHECKING:
    import pandas as pd

    from models.evaluations.rise import Alarm

__all__ = ["register"]

_RULES = (20.0, 50.0)


def register(evaluate: typer.Typer) -> None:
    """Add the command."""
    evaluate.command(name="rise")(run)


def run(
    file: Annotated[
        Path, typer.Argument(help="CSV with time,station,value,unit (UTC); levels", dir_okay=False)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="one object a line on stdout")] = False,  # noqa: FBT002 - Typer's flags are booleans
    out: Annotated[Path | None, typer.Option(help="every alarm as CSV", callback=to_write)] = None,
) -> None:
    """Floods (35 % of the way to a month's peak) that the rate of rise warned of, and false alarms."""
    from models.evaluations.rise import plain
    from simulators.series import read_series

    levels = {name: series for name, series in read_series(file).items() if series.name == "cm"}
    if not levels:
        raise ConfigError(f"{file}: no station has water levels, expected a unit of cm, mm or m")
    models: dict[str, dict[str, list[Alarm]]] = {
        "pantau": {n: _product(n, series) for n, series in levels.items()}
    }
    for limit in _RULES:
        models[f"rise_{limit:g}_in_30"] = {n: plain(series, limit) for n, series in levels.items()}
    tell([_row(model, found, levels) for model, found in models.items()], as_json=as_json)
    with rows_to(out, ("model", "station", "start", "end", "confirmed")) as write:
        for model, found in models.items():
            for station, spans in found.items():
                write((model, station, *_times(span)) for span in spans)


def _times(alarm: "Alarm") -> tuple[str, str, str]:
    """Start, end and confirmation as RFC 3339; blank: it goes on after the last reading, it never was."""
    from models.evaluations.rise import OPEN

    end = "" if alarm.end == OPEN else rfc3339(alarm.end)
    return rfc3339(alarm.start), end, "" if alarm.sure is None else rfc3339(alarm.sure)


def _product(name: str, levels: "pd.Series[float]") -> "list[Alarm]":
    """The service's own detector, with the cadence that the gauge really has."""
    import numpy as np

    from models.detectors.rate_of_rise import DETECTOR
    from models.evaluations.rise import alarms
    from pantau.kinds.water_level import KIND
    from pantau.station import Station

    steps = np.diff(levels.index.to_numpy())
    cadence = int(np.median(steps)) if len(steps) else 600_000
    station = Station(
        id=name, name=name, kind=KIND.name, hazard="flood", group=name, cadence_ms=max(cadence, 1000),
        range_low=-1e6, range_high=1e6,
    )  # fmt: skip
    return alarms(DETECTOR, levels, station, KIND)


def _row(
    model: str, found: "dict[str, list[Alarm]]", levels: "dict[str, pd.Series[float]]"
) -> dict[str, Any]:
    import numpy as np

    from models.evaluations.rise import Figures, figures

    total = Figures(0, 0, [], 0, 0, 0.0, 0, 0)
    for name, series in levels.items():
        total = total.plus(figures(found[name], series))
    leads = total.leads_min
    return {
        "model": model,
        "floods": total.floods,
        "warned": total.warned,
        "lead_min_p25": float(np.quantile(leads, 0.25)) if leads else None,
        "lead_min_median": float(np.median(leads)) if leads else None,
        "steep_rises": total.steep,
        "steep_in_2_readings": total.seen,
        "false_alarms": total.false_alarms,
        "false_confirmed": total.false_sure,
        "gauge_months": round(total.months, 1),
        "false_per_30d": total.false_alarms / total.months if total.months else None,
        "false_confirmed_per_30d": total.false_sure / total.months if total.months else None,
    }
