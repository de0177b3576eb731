"""``pantau evaluate nab``: a folder in the form of the Numenta Anomaly Benchmark in, scores of each model out.

The labels are read after the last score was made; a model gets the timestamps and values of one file and nothing else.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from app.report import rows_to, tell, to_write
from pantau.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from models.evaluations.nab import Marked

__all__ = ["register"]

_DIGITS = 6
"""Of scores and thresholds, so that a printed threshold given back with --threshold finds the same rows."""
_SHAPE = "expected data/**/*.csv (timestamp,value) and labels/combined_windows.json, as in numenta/NAB"
_COLUMNS = ("timestamp", "value")
_MICROSECOND = 1000

Json = Annotated[bool, typer.Option("--json", help="one object a line on stdout")]
Others = Annotated[
    bool, typer.Option("--held-out", help="each folder at the threshold that is best for the others")
]
Limits = Mapping[str, Sequence[tuple[int, int]]]
"""Of each file, start and end of its windows in ms."""


class _File(NamedTuple):
    """One file as the models see it, and the timestamps as they are written."""

    stamps: Sequence[str]
    times: list[int]
    values: list[float]


class _Run(NamedTuple):
    """What one model said of every file, and what it cost in all, s of processor time."""

    model: str
    scores: Mapping[str, list[float]]
    seconds: float


def register(evaluate: typer.Typer) -> None:
    """Add the subcommand."""
    evaluate.command(name="nab")(run)


def run(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="with data/**/*.csv and labels/combined_windows.json")
    ],
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0, help="of pantau, 0..1, for all three profiles; by default the best for each on these files"
        ),
    ] = None,
    others: Others = False,  # noqa: FBT002 - Typer's flags are booleans
    as_json: Json = False,  # noqa: FBT002 - (the same)
    out: Annotated[
        Path | None,
        typer.Option(help="CSV of every score: model,file,timestamp,value,score", callback=to_write),
    ] = None,
) -> None:
    """Score the anomaly detector and its baselines by the published rule of the Numenta Anomaly Benchmark."""
    from models.evaluations.nab_models import MODELS

    if others and threshold is not None:
        raise typer.BadParameter("give either --threshold or --held-out")
    labels = folder / "labels" / "combined_windows.json"
    if not labels.is_file():
        raise ConfigError(f"{labels}: not found; {_SHAPE}")
    files = _read_data(folder)
    runs = [_score(name, model, files) for name, model in MODELS.items()]
    with rows_to(out, ("model", "file", "timestamp", "value", "score")) as write:
        for run in runs:
            for name, file in files.items():
                scored = zip(file.stamps, file.values, run.scores[name], strict=True)
                write((run.model, name, *row) for row in scored)
    limits = _read_labels(labels, files)
    if others:
        tell([_carried(run, files, limits) for run in runs], as_json=as_json)
    else:
        tell([_row(run, files, limits, threshold) for run in runs], as_json=as_json)


def _score(
    name: str, model: Callable[[list[int], list[float]], list[float]], files: Mapping[str, _File]
) -> _Run:
    """Let a model judge every file; it sees one at a time, without its name."""
    began = process_time()
    scores = {path: model(file.times, file.values) for path, file in files.items()}
    seconds = process_time() - began
    return _Run(
        name, {path: [round(score, _DIGITS) for score in each] for path, each in scores.items()}, seconds
    )


def _row(run: _Run, files: Mapping[str, _File], limits: Limits, threshold: float | None) -> dict[str, Any]:
    """One line of the report."""
    from models.evaluations import nab

    marked = list(_marked(run, files, limits).values())
    if threshold is not None and run.model == "pantau":
        results = [nab.Result(nab.judge(marked, profile, threshold), threshold) for profile in nab.PROFILES]
    else:
        results = [nab.best(marked, profile) for profile in nab.PROFILES]
    found = {profile.name: result.score for profile, result in zip(nab.PROFILES, results, strict=True)}
    rows = sum(len(file.times) for file in files.values())
    return {
        "model": run.model,
        **found,
        "threshold": results[0].threshold,
        "us_per_reading": round(1e6 * run.seconds / rows, 2),
    }


def _carried(run: _Run, files: Mapping[str, _File], limits: Limits) -> dict[str, Any]:
    """One line with --held-out: the standard score as it is, and with thresholds from elsewhere."""
    from models.evaluations import nab
    from models.evaluations.nab_held_out import held_out

    marked = _marked(run, files, limits)
    standard = nab.PROFILES[0]
    try:
        carried = held_out(marked, standard)
    except ValueError as error:
        raise ConfigError(f"--held-out: {error}") from None
    own = nab.best(list(marked.values()), standard)
    return {
        "model": run.model,
        "standard": own.score,
        "held_out": carried.score,
        "low": carried.low,
        "high": carried.high,
    }


def _marked(run: _Run, files: Mapping[str, _File], limits: Limits) -> "dict[str, Marked]":
    """The scores of a run beside the labels."""
    import numpy as np

    from models.evaluations import nab

    return {
        path: nab.Marked(np.array(run.scores[path]), nab.windows_at(np.array(file.times), limits[path]))
        for path, file in files.items()
    }


def _read_data(folder: Path) -> dict[str, _File]:
    """Every CSV file below ``data`` by its path there, in the order of their names."""
    data = folder / "data"
    paths = sorted(data.rglob("*.csv"))
    if not paths:
        raise ConfigError(f"{data}: no CSV file found below it; {_SHAPE}")
    return {path.relative_to(data).as_posix(): _read_file(path) for path in paths}


def _read_file(path: Path) -> _File:
    import numpy as np
    import pandas as pd

    from simulators.series import read_texts

    table = read_texts(path)
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise ConfigError(f"{path}:1: column(s) {', '.join(missing)} missing; expected timestamp,value")
    table = table[list(_COLUMNS)].apply(lambda column: column.str.strip())
    table = table[(table != "").any(axis=1)]
    if table.empty:
        raise ConfigError(f"{path}: has no rows; expected timestamp,value")
    times = _instants(table["timestamp"])
    values = pd.to_numeric(table["value"], errors="coerce").astype("float64")
    wrong = np.flatnonzero(times.isna() | ~np.isfinite(values))
    if len(wrong):
        line = table.index[wrong[0]]
        raise ConfigError(
            f"{path}:{line}: found {table['timestamp'][line]!r}, {table['value'][line]!r}; "
            "expected a time such as 2014-04-01 00:05:00 and a finite number"
        )
    return _File(table["timestamp"].tolist(), _milliseconds(times), values.tolist())


def _instants(texts: "pd.Series[str]") -> "pd.Series[pd.Timestamp]":
    """Times without a zone are taken for UTC; NaT where there is none."""
    import pandas as pd

    return pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce")


def _milliseconds(times: "pd.Series[pd.Timestamp]") -> list[int]:
    import pandas as pd

    whole: list[int] = ((times - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(milliseconds=1)).tolist()
    return whole


def _read_labels(path: Path, files: Mapping[str, _File]) -> dict[str, list[tuple[int, int]]]:
    """Windows of each file; a file without an entry has none.

    Raises:
        ConfigError: not JSON of the expected form, a window that fits no row, or no entry that fits any file.
    """
    import numpy as np
    import pandas as pd

    from models.evaluations.nab import windows_at

    form = 'expected {"folder/file.csv": [["start", "end"], ...], ...}'
    try:
        entries = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ConfigError(f"{path}: is not JSON ({error}); {form}") from None
    if not isinstance(entries, dict):
        raise ConfigError(f"{path}: found {type(entries).__name__}; {form}")
    if not entries.keys() & files.keys():
        raise ConfigError(f"{path}: no entry names a file below data, such as {next(iter(files))!r}; {form}")
    limits: dict[str, list[tuple[int, int]]] = {}
    for name, file in files.items():
        windows = entries.get(name, [])
        try:
            pairs = _pairs(windows)
            flat = _instants(pd.Series([text for pair in pairs for text in pair], dtype=str))
            if flat.isna().any():
                raise ValueError("has a limit that is no time")  # noqa: TRY301 - told like the others below
            moments = _milliseconds(flat)
            limits[name] = list(zip(moments[::2], moments[1::2], strict=True))
            windows_at(np.array(file.times), limits[name])
        except ValueError as error:
            raise ConfigError(f"{path}: a window of {name!r} {error}; {form}") from None
    return limits


def _pairs(windows: object) -> list[tuple[str, str]]:
    if not isinstance(windows, list):
        raise ValueError(f"is missing: found {windows!r}, not a list")  # noqa: TRY004 - a mistake of the file
    if wrong := [one for one in windows if not isinstance(one, list) or len(one) != 2]:
        raise ValueError(f"is {wrong[0]!r}, not two times")
    return [(str(start), str(end)) for start, end in windows]
