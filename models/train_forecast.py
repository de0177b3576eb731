"""Training of forecasts: a city's links and histories in, one forecast with its card for each gauge out."""

import hashlib
from collections.abc import Iterator, Mapping
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING

import structlog

from models.card import Card
from models.forecast import FORMAT, Forecast
from models.forecast_fit import LEADS_MS, Settings, fit
from models.train import Trained, baselines, digest_of, version
from pantau.city import City
from pantau.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["above", "forecast_for", "train_forecasts"]

_log = structlog.get_logger("pantau.models")
_LIMITS = (
    "It sees levels only: rain that has not reached a gauge yet is unknown to it.",
    "Beyond the highest level of its period it extrapolates; its bands are then only as wide as past errors.",
    "Its figures are those of the last fifth of its period, a few floods at the most.",
    "Limits that were changed since get a probability from its band and the ordinary cut until it is trained again.",
)


def train_forecasts(
    kind: str, history: "Mapping[str, pd.Series[float]]", city: City, only: str = "", *, source: str = ""
) -> Iterator[Trained]:
    """A forecast for each gauge with gauges upstream and enough history; a gauge with too little is logged.

    Args:
        kind: of the readings.
        history: by station; sensors other than the main one are not used.
        only: id of the one station to train, which then needs nothing upstream; empty: all.
        source: where the readings came from, in words.

    Raises:
        ConfigError: the one station, or every one, has too few readings.
    """
    found = {
        name: series.rename(city.kinds[kind].unit)
        for name, series in history.items()
        if name in city.stations
    }
    wanted = [only] if only in found else []
    if not only:
        wanted = [name for name in sorted(found) if any(one in found for one in above(city, name))]
    problems, made = [], 0
    for name in wanted:
        upstream = tuple(one for one in above(city, name) if one in found)
        try:
            yield forecast_for(
                kind, {one: found[one] for one in (name, *upstream)}, city, name, source=source
            )
        except ConfigError as error:
            if only:
                raise
            problems.append(str(error))
            _log.warning("forecast not trained", station=name, why=str(error))
        else:
            made += 1
    if not made:
        nothing = (
            f"kind {kind!r}: no forecast to train: no station of the recording has one upstream (links.csv) that is in "
            "it too; name one with --station to learn from its own levels alone"
        )
        raise ConfigError(*(problems or [f"station {only!r} is not in the recording" if only else nothing]))


def forecast_for(
    kind: str, series: "Mapping[str, pd.Series[float]]", city: City, target: str, *, source: str = ""
) -> Trained:
    """The forecast of one gauge.

    Args:
        series: of the gauge itself and of those upstream, which may be missing; nothing else.

    Raises:
        ConfigError: too few readings.
    """
    names = (target, *(one for one in above(city, target) if one in series))
    used = {name: series[name] for name in names}
    end = max(int(one.index[-1]) for one in used.values())
    ladder = city.ladder_at(target, end)
    limits = tuple(limit for limit in (ladder.limits if ladder else ()) if limit is not None)
    settings = Settings(limits, horizon_ms=_horizon_ms(city, target))
    made = fit(used, target, names[1:], settings)
    return Trained(_card(kind, used, made, settings, source), made, made.to_json())


def _horizon_ms(city: City, target: str) -> int:
    """Within which a flood should follow a forecast alert: the way from the nearest post and an hour; 0: unknown."""
    ways = [link.high_min for link in city.upstream(target) if link.high_min is not None]
    return min((min(ways) + 60) * 60_000, LEADS_MS[-1]) if ways else 0


def above(city: City, station: str) -> tuple[str, ...]:
    """Stations upstream of one, those whose water comes soonest first; an unknown time counts as a day."""
    found: dict[str, int] = {}
    waiting: list[tuple[tuple[str, ...], int]] = [((station,), 0)]
    while waiting:
        path, so_far = waiting.pop()
        for link in city.upstream(path[-1]):
            way = so_far + (1440 if link.high_min is None else link.high_min)
            if link.upstream not in path and way < found.get(link.upstream, 1 << 62):
                found[link.upstream] = way
                waiting.append(((*path, link.upstream), way))
    return tuple(sorted(found, key=lambda name: (found[name], name)))


def _card(
    kind: str, used: "Mapping[str, pd.Series[float]]", made: Forecast, settings: Settings, source: str
) -> Card:
    data = digest_of(used)
    beside = {
        name.replace("_persistence", ""): value
        for name, value in made.metrics.items()
        if "_persistence" in name
    }
    metrics = {name: value for name, value in made.metrics.items() if "_persistence" not in name}
    for decision in made.decisions:
        if decision.warned >= 0:
            metrics |= {
                f"warned_{decision.limit:g}": decision.warned,
                f"false_per_30d_{decision.limit:g}": decision.false_per_30d,
            }
    params = {"limits": list(settings.limits), "leads_h": [lead / 3_600_000 for lead in settings.leads_ms],
              "budget": settings.budget, "upstream": list(made.upstream)}  # fmt: skip
    return Card(
        version=version(
            "forecast", made.target, kind, data, FORMAT, params, hashlib.sha256(made.to_json()).hexdigest()
        ),
        family="forecast",
        name=made.target,
        kind=kind,
        estimator=Forecast.__name__,
        features=tuple(f"levels of {name}" for name in (made.target, *made.upstream)),
        data=data,
        source=source,
        start=min(int(one.index[0]) for one in used.values()),
        end=max(int(one.index[-1]) for one in used.values()),
        stations={name: len(one) for name, one in sorted(used.items())},
        params=params,
        metrics=metrics,
        baselines=beside,
        limits=_LIMITS,
        inputs=baselines(used),
        libraries={name: version_of(name) for name in ("numpy", "pandas", "scikit-learn")},
    )
