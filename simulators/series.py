"""Reads a recording of any place: a CSV file ``time,station,value,unit`` in, a pandas series for each station out.

No city has to know the stations. Water levels in mm or m come out in cm; any other unit is left as it is and stands in
the series' name. Nothing is guessed: what cannot be read is an error with its file and line.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from pantau.errors import ConfigError
from pantau.kinds.water_level import KIND as WATER_LEVEL

__all__ = ["read_series", "read_texts"]

_COLUMNS = ("time", "station", "value", "unit")
_MOST_PROBLEMS = 20


def read_series(*paths: Path) -> "dict[str, pd.Series[float]]":
    """Series by station, of all files together: index ms since 1970 UTC (rising), values float64, name = unit.

    Of two values for one instant the last one stays.

    Raises:
        ConfigError: a file cannot be read, or rows are wrong: file, line, what was found, what was expected.
    """
    rows = pd.concat([_read(path) for path in paths], ignore_index=True)
    found: dict[str, pd.Series[float]] = {}
    for station, part in rows.groupby("station", sort=True):
        units = part["unit"].unique()
        if len(units) > 1:
            raise ConfigError(
                f"{', '.join(map(str, paths))}: station {station!r} has units {', '.join(map(repr, units))}; "
                "give one unit a station"
            )
        series = pd.Series(
            part["value"].to_numpy(dtype="float64"),
            index=pd.Index(part["at"].to_numpy(), dtype="int64"),
            name=units[0],
        )
        found[str(station)] = series[~series.index.duplicated(keep="last")].sort_index()
    return found


def read_texts(path: Path) -> pd.DataFrame:
    """A CSV file with a header as texts; the index of a row is its line.

    Raises:
        ConfigError: the file cannot be read, or is no CSV.
    """
    try:
        table = pd.read_csv(
            path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skip_blank_lines=False
        )
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (ValueError, UnicodeDecodeError) as error:  # pandas' parser errors are ValueErrors
        raise ConfigError(f"{path}: is not a CSV file in UTF-8 ({str(error).strip()})") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes what is too much for the names of rows
        count = len(table.columns)
        found = count + table.index.nlevels
        raise ConfigError(
            f"{path}:2: {found} fields, expected {count} as in the header; is a comma too much?"
        )
    table.index += 2  # the header is line 1
    return table


def _read(path: Path) -> pd.DataFrame:
    table = read_texts(path)
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise ConfigError(
            f"{path}:1: column(s) {', '.join(missing)} missing; expected {','.join(_COLUMNS)} in the header, "
            f"found {','.join(table.columns)!r}"
        )
    table = table[list(_COLUMNS)].apply(lambda column: column.str.strip())
    table = table[(table != "").any(axis=1)]
    if table.empty:
        raise ConfigError(f"{path}: has no rows; expected {','.join(_COLUMNS)}")
    text = table["time"].str.upper()
    zoned = text.str.contains(r"(?:Z|[+-]\d\d:?\d\d)$")
    times = pd.to_datetime(text.where(zoned), utc=True, format="ISO8601", errors="coerce")
    factor = table["unit"].map(WATER_LEVEL.units).fillna(1.0).astype("float64")
    values = (pd.to_numeric(table["value"], errors="coerce").astype("float64") * factor).round(6)
    wrong = {
        "time": (times.isna(), "RFC 3339 with an offset such as 2026-01-02T03:04:05Z"),
        "value": (~np.isfinite(values), "a finite number"),
        "station": (table["station"] == "", "a name"),
    }
    problems = [
        f"{path}:{line}: {name} is {table[name][line]!r}, expected {expected}"
        for name, (rows, expected) in wrong.items()
        for line in table.index[rows][:_MOST_PROBLEMS]
    ]
    if problems:
        raise ConfigError(*problems[:_MOST_PROBLEMS])
    return pd.DataFrame(
        {
            "at": (times - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(milliseconds=1),
            "station": table["station"],
            "value": values,
            "unit": table["unit"].where(~table["unit"].isin(WATER_LEVEL.units), WATER_LEVEL.unit),
        }
    )
