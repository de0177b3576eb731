"""The end of a backtest: transitions in, lead times and operator load out, for one run or for two beside each other."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from app.backtest_leads import Flood, floods, table_of
from app.backtest_lives import FAR, Life, lives
from app.backtest_load import Load, counts, load_of
from pantau.city import City
from pantau.event import Transition
from pantau.forms import rfc3339
from simulators.row import Recording

__all__ = ["Summary", "differences", "summary_of"]


class Summary(msgspec.Struct, frozen=True):
    """What a backtest says after its transitions."""

    lives: list[Life]
    floods: list[Flood]
    load: Load
    city: City

    def told(self) -> dict[str, Any]:
        """As ``--json`` has it: one object, the last line."""
        return {
            "type": "summary",
            "leads": table_of(self.floods, self.city),
            "floods": [flood.told(self.city) for flood in self.floods],
            "load": msgspec.structs.asdict(self.load),
            "alerts": counts(self.lives),
        }

    def tables(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """Headings and rows for a terminal."""
        load = [
            {"figure": name, "value": value, "meant": _MEANT.get(name, "")}
            for name, value in msgspec.structs.asdict(self.load).items()
        ]
        return [
            (
                "Lead times, minutes from the first warning to the level alert",
                table_of(self.floods, self.city),
            ),
            ("Alerts", counts(self.lives)),
            ("Operator load (EEMUA 191, ISA-18.2)", load),
        ]


_MEANT = {
    "windows": "ten minutes each",
    "per_window": "about 1 can be dealt with",
    "flood_share": "more than 10 in a window; below 0.01",
    "standing_most": "below 10",
    "low": "about 0.80",
    "medium": "about 0.15",
    "high": "about 0.05",
    "chattering": "3rd or later of a condition within an hour; 0",
}


def summary_of(
    transitions: Iterable[Transition], recording: Recording, city: City, operators: int
) -> Summary:
    """Judge the alerts of a recording."""
    found = lives(transitions)
    load = load_of(found, recording.start, recording.end, operators)
    return Summary(found, floods(found, city), load, city)


def differences(now: Sequence[Life], trial: Sequence[Life], city: City) -> list[dict[str, Any]]:
    """Alerts that only one of two runs has, and those that begin at another time or grow to another severity.

    Alerts of the two runs are the same when they are about the same condition and open at the same time, the earlier
    ones first; ``earlier_min`` says how much earlier the trial's begins.
    """
    rows: list[dict[str, Any]] = []
    left = list(trial)
    for life in now:
        mate = next(
            (other for other in left if other.condition == life.condition
             and other.open_at(life.opened_at, min(life.ended_at, FAR - 1) + 1)),
            None,
        )  # fmt: skip
        if mate is None:
            rows.append(_row("lost", life, life.severity, 0, None, city))
            continue
        left.remove(mate)
        earlier = round((life.opened_at - mate.opened_at) / 60_000)
        if earlier or mate.severity != life.severity:
            rows.append(_row("changed", mate, life.severity, mate.severity, earlier, city))
    rows += [_row("gained", life, 0, life.severity, None, city) for life in left]
    return sorted(rows, key=lambda row: (row["at"], row["station"], row["cause"], row["type"]))


def _row(
    what: str, life: Life, before: int, after: int, earlier_min: int | None, city: City
) -> dict[str, Any]:
    station = city.stations.get(life.station)
    return {
        "type": what,
        "at": rfc3339(life.opened_at),
        "until": None if life.ended_at == FAR else rfc3339(life.ended_at),
        "station": life.station or life.scope,
        "name": station.name if station else life.scope,
        "hazard": life.hazard,
        "cause": life.cause,
        "severity_now": before,
        "severity_trial": after,
        "earlier_min": earlier_min,
    }
