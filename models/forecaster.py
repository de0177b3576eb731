"""Who makes outlooks: a city and trained models in; for each gauge its plan, and at each instant its outlook out.

A gauge with a promoted model is forecast by it, any other with water on its way to it by the catalog's travel times.
A model that is broken, fails or has not heard enough yet gives way to them, and the outlook says so (``degraded``).
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog
from msgspec.structs import replace

from models.loaded import Loaded
from models.margins import Margins, crossings
from models.recent import Recent
from models.trained_outlook import Cut, outlook_of
from models.travel import Course, Knots, Reach, Route, courses, leads, reaches, routes
from pantau.city import City
from pantau.kind import Kind
from pantau.outlook import Outlook
from pantau.quality import GAP_CADENCES
from pantau.station import Station

if TYPE_CHECKING:
    from models.forecast import Forecast
    from models.forecast_conformal import Conformal

__all__ = ["TRAVEL", "Forecaster", "Levels", "Made", "Memory", "Models", "Plan"]

_log = structlog.get_logger("pantau.models")

TRAVEL = "travel_time"
"""``Outlook.model`` of the catalog's travel times; its ``version`` is the one of this module's rules."""
_TRAVEL_VERSION = "1"

STILL = 0.02
"""A gauge that has moved by at most this part of the distance between its limits has not moved.

Source:
    docs/models.md, "Live forecasts": what is told later for it, and how far the outlook that is shown is off.
"""
_FOREVER_MS = 1 << 62

Levels = Callable[[str], Recent | None]
"""Recent levels of a station's sensor main, None when it has not been heard."""


class Memory(msgspec.Struct):
    """What is remembered of one gauge for its forecasts.

    Attributes:
        recent: its levels of the last 27 hours, jumps only once they are confirmed.
        margins: how wide the bands of travel times are.
        conformal: how the bands of its trained model are corrected; None without one.
    """

    recent: Recent
    margins: Margins
    conformal: "Conformal | None" = None

    def is_owed(self, at: int, leads_ms: Sequence[int]) -> bool:
        """Whether the next outlook is one to learn from, so that bands learn the same however many are made between."""
        if self.conformal is not None:
            return self.conformal.is_owed(at)
        return bool(leads_ms) and self.margins.is_owed(at, leads_ms[0])


class Made(NamedTuple):
    """An outlook, and what explains it.

    Attributes:
        courses: where travel times made it.
        cuts: by severity, the model's own.
    """

    outlook: Outlook
    courses: Sequence[Course] = ()
    cuts: Mapping[int, Cut] = {}


class Models(NamedTuple):
    """The trained models of one role.

    Attributes:
        usable: by station.
        broken: why the promoted one of a station cannot be used.
        alone: only stations with a model are forecast (a challenger).
    """

    usable: "Mapping[str, Loaded[Forecast]]"
    broken: Mapping[str, str]
    alone: bool = False


class Plan(NamedTuple):
    """What is known beforehand of one station.

    Attributes:
        ways: posts whose water comes by, nearest first.
        leads: of its outlooks by travel times; empty without any way.
        model: its trained one.
        degraded: why its trained model cannot be used, empty when it has none or it can.
    """

    station: Station
    kind: Kind
    ways: tuple[Route, ...] = ()
    leads: tuple[int, ...] = ()
    model: "Loaded[Forecast] | None" = None
    degraded: str = ""

    @property
    def sources(self) -> set[str]:
        """Everybody upstream whose levels make its outlooks."""
        return {route.upstream for route in self.ways} | set(self.model.model.upstream if self.model else ())

    def memory(self, recent: Recent, margins: Margins | None = None, conformal: bytes = b"") -> Memory:
        """What is remembered of the gauge, brought up to this plan: what does not fit it begins anew."""
        if margins is None or not margins.fits(len(self.leads)):
            margins = Margins.start(self.leads, self.ways[0].middle_ms) if self.leads else Margins(b"")
        return Memory(recent, margins, _conformal(self.model.model, conformal) if self.model else None)


def _conformal(model: "Forecast", body: bytes) -> "Conformal":
    from models.forecast_conformal import Conformal  # noqa: PLC0415 - numpy only for those who have an artifact

    try:
        found = msgspec.msgpack.decode(body, type=Conformal)
    except msgspec.MsgspecError:
        return Conformal.fresh(model.leads_ms)
    count = len(model.leads_ms)
    sides = [*found.low, *found.high, *(side for issued in found.open for side in (issued.low, issued.high))]
    fits = found.leads_ms == model.leads_ms and len(found.low) == len(found.high) == 2
    return found if fits and all(len(side) == count for side in sides) else Conformal.fresh(model.leads_ms)


class Forecaster:
    """Makes outlooks for one city.

    Args:
        kinds: names of the kinds that travel down a river.
    """

    def __init__(self, city: City, models: Models, kinds: frozenset[str]) -> None:
        self.city = city
        self._failed: set[str] = set()
        self._plans: dict[str, Plan] = {}
        water = {name: station for name, station in city.stations.items() if station.kind in kinds}
        wanted: set[str] = set()
        for name, station in water.items():
            model = models.usable.get(name)
            ways = () if models.alone and model is None else routes(city, name)
            if not ways and model is None:
                continue
            self._plans[name] = Plan(
                station, city.kinds[station.kind], ways, leads(ways), model, models.broken.get(name, "")
            )
            wanted |= self._plans[name].sources
        for name in sorted((wanted & water.keys()) - self._plans.keys()):
            self._plans[name] = Plan(water[name], city.kinds[water[name].kind])

    def plan(self, station: str) -> Plan | None:
        """What is known of a station; None when neither it nor anybody downstream is forecast."""
        return self._plans.get(station)

    def outlook(self, plan: Plan, memory: Memory, at: int, levels: Levels) -> Made | None:
        """The outlook of a gauge; None while nothing can be said.

        Args:
            memory: of the gauge, its newest level observed at ``at``; the outlook is remembered there.
            levels: of all others; what they hold of the time after ``at`` is not looked at.
        """
        degraded = plan.degraded
        if plan.model is not None:
            found = self._trained(plan, plan.model, memory, at, levels)
            if isinstance(found, Made):
                return found
            degraded = found
        made = self._travel(plan, memory, at, levels)
        if made is not None and degraded:
            return made._replace(outlook=replace(made.outlook, degraded=degraded))
        return made

    def explains(self, plan: Plan, own: Recent, at: int, value: float, levels: Levels) -> bool:
        """Whether water that was seen upstream accounts for a jump upwards by now."""
        ladder = self.city.ladder_at(plan.station.id, at)
        knots = None if ladder is None else Knots.of(ladder, own, at)
        if knots is None or not own.values or value < own.values[-1]:
            return False
        above = self._above(plan, at, levels)
        seen = [reach.seen(at, reach.route.travelled_ms) for reach in above]
        return any(
            value <= knots.level(max((there for there in found if there is not None), default=0.0))
            for found in seen
        )

    def is_still(self, plan: Plan, own: Recent, since: int, at: int, levels: Levels) -> bool:
        """Whether neither a gauge nor anybody upstream has moved, beyond what means nothing, since an instant."""
        if not self._rests(plan.station.id, own, since, at):
            return False
        for name in plan.sources:
            recent = levels(name)
            if recent is not None and not self._rests(name, recent, since, at):
                return False
        return True

    def _rests(self, station: str, recent: Recent, since: int, at: int) -> bool:
        now, then = recent.at(at, _FOREVER_MS), recent.at(since, _FOREVER_MS)
        ladder = self.city.ladder_at(station, at)
        knots = None if ladder is None else Knots.of(ladder, recent, at)
        if now is None or then is None or knots is None:
            return now is None and then is None
        return abs(now - then) <= STILL * knots.spacing

    def _above(self, plan: Plan, at: int, levels: Levels) -> list[Reach]:
        found = {route.upstream: levels(route.upstream) for route in plan.ways}
        known = {name: recent for name, recent in found.items() if recent is not None}
        return reaches(plan.ways, self.city, known, at, GAP_CADENCES)

    def _trained(
        self, plan: Plan, model: "Loaded[Forecast]", memory: Memory, at: int, levels: Levels
    ) -> Made | str:
        """What the model says, or why it says nothing."""
        found = {name: levels(name) for name in model.model.upstream}
        known = {name: _until(recent, at) for name, recent in found.items() if recent is not None}
        try:
            prediction = model.model.predict(memory.recent, known, at)
            if not prediction.steps:
                return prediction.degraded or "its trained model has not heard enough yet"
            if memory.conformal is not None:
                prediction = memory.conformal.corrected(prediction)
                memory.conformal.issue(prediction)
            ladder, value = self.city.ladder_at(plan.station.id, at), memory.recent.values[-1]
            outlook, cuts = outlook_of(prediction, model.model, model.card.version, value, ladder)
        except Exception as error:  # noqa: BLE001 - a model's error costs its own outlook, never the catalog's
            if plan.station.id not in self._failed:
                self._failed.add(plan.station.id)
                _log.error(
                    "forecast failed", station=plan.station.id, version=model.card.version, exc_info=error
                )
            return f"its trained model failed ({type(error).__name__})"
        return Made(outlook, (), cuts)

    def _travel(self, plan: Plan, memory: Memory, at: int, levels: Levels) -> Made | None:
        """What the catalog says; None for a gauge without limits or without timed links."""
        own, margins = memory.recent, memory.margins
        ladder = self.city.ladder_at(plan.station.id, at)
        knots = None if ladder is None else Knots.of(ladder, own, at)
        if ladder is None or knots is None or not plan.leads:
            return None
        value, above = own.values[-1], self._above(plan, at, levels)
        made = courses(value, knots, above, at, plan.leads)
        steps = margins.widen(made, knots.spacing)
        margins.remember(at, made, steps, plan.leads)
        found = crossings(value, at, steps, ladder.limits)
        return Made(Outlook(at, TRAVEL, _TRAVEL_VERSION, value, steps, found), made)


def _until(recent: Recent, at: int) -> Recent:
    """Levels up to an instant."""
    if not recent.times or recent.times[-1] <= at:
        return recent
    known = bisect_right(recent.times, at)
    return Recent(recent.times[:known], recent.values[:known])
