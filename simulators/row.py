"""A row: what one sensor would report at one instant, before it becomes a message; a recording is many of them."""

import itertools
from collections.abc import Iterable, Iterator
from heapq import merge
from statistics import median_low

import msgspec

from pantau.city import City
from pantau.reading import MAIN
from pantau.siaga import siaga_of

__all__ = ["Comparison", "Recording", "Row", "in_time_order"]


class Row(msgspec.Struct, array_like=True, gc=False):
    """One value of one sensor.

    Attributes:
        at: when it was so, ms since 1970 UTC.
        station: id in the city's ``stations.csv``.
        value: in the kind's unit.
        interpolated: made by us between two published values.
        printed_siaga: the level (4..1) that the source printed beside the value, None when it printed none.
        source: who published it.
    """

    at: int
    station: str
    kind: str
    value: float
    sensor: str = MAIN
    interpolated: bool = False
    printed_siaga: int | None = None
    source: str = ""


class Comparison(msgspec.Struct, frozen=True):
    """How the source's printed Siaga words fit the city's limits.

    Attributes:
        agree, disagree: rows with a printed word, counted against the ladder in force at their time.
        on_limit: the part of ``disagree`` whose value lies exactly on a limit.
        rows: the rows that disagree, each with our level.
    """

    agree: int
    disagree: int
    on_limit: int
    rows: tuple[tuple[Row, int], ...] = ()


class Recording(msgspec.Struct, kw_only=True):
    """Rows in time order (rows of one instant in the order of their source).

    Attributes:
        name: of the file or the event.
        unknown: names of stations that the city does not know, with the number of rows left out.
        untimed: rows left out because the source gives a day without an hour.
        without_value: rows left out because the source gives a Siaga word without a level.
    """

    name: str
    rows: list[Row]
    unknown: dict[str, int] = {}
    untimed: int = 0
    without_value: int = 0

    @property
    def start(self) -> int:
        """Instant of the first row, ms since 1970 UTC; 0 when there is none."""
        return self.rows[0].at if self.rows else 0

    @property
    def end(self) -> int:
        """Instant of the last row, ms since 1970 UTC; 0 when there is none."""
        return self.rows[-1].at if self.rows else 0

    def stations(self) -> dict[str, int]:
        """Ids of the stations that report, with their number of rows."""
        counts: dict[str, int] = {}
        for row in self.rows:
            counts[row.station] = counts.get(row.station, 0) + 1
        return counts

    def cadences_ms(self) -> dict[str, int]:
        """Median interval between the rows of each station, ms; stations with a single instant are left out."""
        times: dict[str, list[int]] = {}
        for row in self.rows:
            seen = times.setdefault(row.station, [])
            if not seen or seen[-1] != row.at:
                seen.append(row.at)
        return {
            station: median_low([after - before for before, after in itertools.pairwise(at)])
            for station, at in times.items()
            if len(at) > 1
        }

    def cadence_ms(self, station: str) -> int | None:
        """Median interval between a station's rows, ms; None when it has no two instants.

        For several stations ask ``cadences_ms`` once: it reads all rows.
        """
        return self.cadences_ms().get(station)

    def compared(self, city: City) -> Comparison:
        """The printed Siaga words beside what the city's ladders say of the same values."""
        agree, on_limit, rows = 0, 0, []
        for row in self.rows:
            ladder = city.ladder_at(row.station, row.at)
            if row.printed_siaga is None or ladder is None:
                continue
            ours = siaga_of(ladder.severity_at(row.value))
            if ours == row.printed_siaga:
                agree += 1
                continue
            on_limit += row.value in ladder.limits
            rows.append((row, ours))
        return Comparison(agree, len(rows), on_limit, tuple(rows))


def in_time_order(*streams: Iterable[Row]) -> Iterator[Row]:
    """Several streams, each in time order, as one."""
    return merge(*streams, key=_instant)


def _instant(row: Row) -> int:
    return row.at
