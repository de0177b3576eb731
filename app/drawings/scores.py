"""One series above, a model's score of it below; labelled windows or injected surges shaded."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from app.drawings.scored import ZONED, instant, only, read_scored
from app.drawings.sheet import COLOURS, DASHES, INK, hours_and_days, instants, legend, sheet, traced
from pantau.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["Stretch", "Wanted", "draw", "stretches"]

_COLUMNS = {"file|station": "text", "timestamp|time": "time", "value": "number", "score": "number"}
_SHADE = "#F0E442"
_NUMBER = re.compile(r"-\d+$")  # of a surge, behind its kind


class Stretch(NamedTuple):
    """A piece of time that is shaded: ms since 1970 and what it is; ``rows`` are its own values, where it has any."""

    start: int
    end: int
    kind: str
    rows: pd.DataFrame | None = None


class Wanted(NamedTuple):
    """What to draw of a file.

    Attributes:
        series: its file or station; may be empty where there is only one.
        model: whose score.
        windows: labels of the benchmark.
        injected: kind of surge to draw; empty: all.
        threshold: of the score.
        period: ``from/to``; empty: all.
    """

    series: str = ""
    model: str = "pantau"
    windows: Path | None = None
    injected: str = ""
    threshold: float | None = None
    period: str = ""


def draw(file: Path, out: Path, wanted: Wanted) -> tuple[int, int]:
    """Draw ``out``; returns how many scores are in it and how many stretches are shaded.

    Args:
        file: CSV of ``pantau evaluate nab --out`` or ``... crowd --out``.
    """
    table, name, unzoned = _read(file, wanted.series, wanted.model)
    start, end = _period(wanted.period, table["time"])
    real, surges = stretches(table)
    if wanted.injected and wanted.injected not in {one.kind for one in surges}:
        kinds = ", ".join(dict.fromkeys(repr(one.kind) for one in surges)) or "none"
        raise ConfigError(
            f"--injected {wanted.injected!r}: {file} has no such surge of {name!r}; there are {kinds}"
        )
    found = [one for one in surges if wanted.injected in {"", one.kind}]
    if wanted.windows is not None:
        found += _windows(wanted.windows, name)
    real = real[real["time"].between(start, end)]
    if real.empty:
        raise ConfigError(f"--period {wanted.period!r}: {file} has no value of {name!r} in it")
    shaded = [one for one in found if one.end >= start and one.start <= end]
    days = f"{_day(int(real['time'].iloc[0]))} to {_day(int(real['time'].iloc[-1]))}"
    title = f"{name}: score by {wanted.model}\n{days}"
    with sheet(out, title=title, heights=(2.2, 1.5)) as (above, below):
        _draw(above, real, "value", shaded)
        _draw(below, real, "score", shaded)
        _label(above, below, unzoned=unzoned)
        if wanted.threshold is not None:
            below.axhline(wanted.threshold, color=COLOURS[1], linewidth=0.9, linestyle="dashed")
            below.annotate(
                f"threshold {wanted.threshold:g}", (1.0, wanted.threshold), ha="right", va="bottom",
                xycoords=("axes fraction", "data"), fontsize="x-small", color=COLOURS[1],
            )  # fmt: skip
    return len(real), len(shaded)


def stretches(table: pd.DataFrame) -> tuple[pd.DataFrame, list[Stretch]]:
    """The untouched series, and the injected surges as they follow each other in the file.

    Args:
        table: columns time (ms), value, score, injected (empty: untouched; else a kind, and perhaps a number as in
            ``x2-17``), in the order of the file. A surge ends where that text changes, or where a reading of the
            untouched series is left out or repeated.
    """
    real = table[table["injected"] == ""]
    touched = table[table["injected"] != ""]
    if touched.empty:
        return real, []
    place = pd.Series(
        np.searchsorted(real["time"].to_numpy(), touched["time"].to_numpy()), index=touched.index
    )
    fresh = (touched["injected"] != touched["injected"].shift()) | (place.diff() != 1)
    found = [
        Stretch(
            int(rows["time"].iloc[0]),
            int(rows["time"].iloc[-1]),
            _NUMBER.sub("", str(rows["injected"].iloc[0])),
            rows,
        )
        for _, rows in touched.groupby(fresh.cumsum())
    ]
    return real, found


def _read(file: Path, series: str, model: str) -> tuple[pd.DataFrame, str, bool]:
    """One model's rows of one series, its name, and whether times are without a zone."""
    columns = {"model": "text", **_COLUMNS}
    header = _header(file)
    if "injected" in header:
        columns["injected"] = "text"
    which = "file" if "file" in header else "station"
    table = read_scored(file, columns, keep={"model": model} | ({which: series} if series else {}))
    names = table[which].unique()
    if len(names) > 1:
        only(table, which, "", where=f"{file}: give one with --series")
    renamed = table.rename(columns={"timestamp": "time"})
    if "injected" not in renamed:
        renamed["injected"] = ""
    return renamed, str(names[0]), not bool(renamed[ZONED].all())


def _header(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8-sig") as lines:
            return lines.readline().strip().split(",")
    except (OSError, UnicodeDecodeError):
        return []  # read_scored tells what is wrong


def _windows(path: Path, name: str) -> list[Stretch]:
    form = 'expected {"folder/file.csv": [["start", "end"], ...], ...}'
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except ValueError as error:
        raise ConfigError(f"{path}: is not JSON ({error}); {form}") from None
    if not isinstance(labels, dict) or name not in labels:
        raise ConfigError(f"{path}: has no entry {name!r}; {form}")
    try:
        return [
            Stretch(instant(start, where=str(path)), instant(end, where=str(path)), "labelled window")
            for start, end in labels[name]
        ]
    except (TypeError, ValueError):
        raise ConfigError(f"{path}: entry {name!r} is {labels[name]!r}; {form}") from None


def _period(text: str, times: "pd.Series[int]") -> tuple[int, int]:
    if not text:
        return int(times.min()), int(times.max())
    start, _, end = text.partition("/")
    found = instant(start, where="--period"), instant(end, where="--period")
    if found[0] >= found[1]:
        raise ConfigError(f"--period {text!r}: expected two times, the earlier one first")
    return found


def _label(above: "Axes", below: "Axes", *, unzoned: bool) -> None:
    for axes in (above, below):
        hours_and_days(axes)
    above.tick_params(labelbottom=False)
    above.set_ylabel("value (unit of the recording)")
    legend(above)
    below.set_ylabel("score (0 to 1)")
    below.set_ylim(-0.03, 1.03)
    below.set_xlabel("time (the recording's own clock, zone not stated)" if unzoned else "time (UTC)")


def _draw(axes: "Axes", real: pd.DataFrame, column: str, shaded: list[Stretch]) -> None:
    times, values = traced(real["time"].to_numpy(dtype="int64"), real[column].to_numpy(dtype="float64"))
    axes.plot(times, values, color=INK, linewidth=0.8, label="measured")
    axes.set_xlim(times[0], times[-1])
    _shade(axes, shaded, next((one.kind for one in shaded if one.rows is None), None))
    for n, kind in enumerate(dict.fromkeys(one.kind for one in shaded if one.rows is not None)):
        xs, ys = _joined([one for one in shaded if one.kind == kind], column)
        colour, dashes = COLOURS[n % len(COLOURS)], DASHES[n % len(DASHES)]
        axes.plot(
            xs, ys, color=colour, linestyle=dashes, linewidth=1.2, marker=".", markersize=3,
            label=f"injected {kind}",
        )  # fmt: skip


def _shade(axes: "Axes", shaded: list[Stretch], label: str | None) -> None:
    """Stretches that overlap are shaded once."""
    spans: list[tuple[int, int]] = []
    for one in sorted(shaded, key=lambda each: each.start):
        if spans and one.start <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(spans[-1][1], one.end)
        else:
            spans.append((one.start, one.end))
    for n, (start, end) in enumerate(spans):
        axes.axvspan(
            *instants([start, end]), color=_SHADE, alpha=0.45, linewidth=0, label=None if n else label
        )


def _joined(shaded: list[Stretch], column: str) -> "tuple[NDArray[np.datetime64], NDArray[np.float64]]":
    """Values of all surges of a kind as one line that is broken between them."""
    xs: list[int] = []
    ys: list[float] = []
    for one in shaded:
        if one.rows is not None:
            xs += [*one.rows["time"], one.end]
            ys += [*one.rows[column], float("nan")]
    return instants(xs), np.asarray(ys, dtype="float64")


def _day(ms: int) -> str:
    return f"{pd.Timestamp(ms, unit='ms'):%Y-%m-%d}"
