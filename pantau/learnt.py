"""What a sensor teaches quality control about itself: how far it steps, how it scatters, how long it rests.

Limits of steps and of rests are moved by their own exceedances: up by a factor when an honest reading exceeded one,
down by a little with every look in between. So each comes to rest where honest readings exceed it as rarely as the
constants say, whatever the river, the resolution and the cadence. Scatter is what lies between a value and the middle
of its neighbours, so seldom looked at that a flood hardly counts. Nothing learnt exceeds the kind's own limits, nor
falls below a share of them; a fault, known by its jump back, teaches nothing.

Source:
    Constants chosen while looking at the Ciliwung (hourly, by eye), the Han (10 min, 1 cm) and the Aude and Agly (10
    min, 1 mm), then checked with each river left out; what they give stands in docs/models.md, "Quality control".
"""

from math import exp, inf, log

from pantau.past import Limits, Past

__all__ = ["FLAT_MARGIN", "begin", "is_warm", "leapt", "learn_flat", "look", "step_of"]

FLAT_MARGIN = 3.0
"""A run of one value is doubted when it is so many times as long as hardly any was."""
LOOK_MS = 6 * 3_600_000
"""Limits fall only at a look, which comes so often (or every sixth reading of a slow sensor)."""
WARM_MS, WARM_READINGS = 3 * 86_400_000, 300
"""Until a sensor was heard for so long its kind's own limits hold."""
LEAST_LEAP, LEAST_NOTABLE = 0.5, 0.2
"""Shares of the kind's limits below which nothing is learnt: of a water level 20 cm and 4 cm."""
MOST_LEAP = 1.5
"""So many times the kind's step is remembered, not used: a station that jumps weekly keeps its kind's between jumps."""
NOISES = 6.0
"""So many times the usual scatter is notable."""
_LEAP, _FLAT = (
    (log(1.15), 1_000),
    (log(1.5), 1_000),
)  # raised by so much, and back after so many readings without
_NEWEST = 1 / 60  # of the scatter, at a look: about a fortnight counts
_LEAST_FLAT_MS, _LEAST_FLAT_CADENCES = 1_200_000, 3
_HURRY = 2  # a rest is unlearnt in twice as many readings as there were: the start does not last
_FORGET = 0.01  # of the span of the values seen, at a look: about a month counts
_MOST_LOOKS = 2_000


def begin(past: Past, limits: Limits, at: int, value: float) -> None:
    """A sensor heard for the first time: nothing is known of it but its kind's limits."""
    past.low = past.high = value
    past.leap = inf if limits.step is None else limits.step
    past.notable = LEAST_NOTABLE * min(past.leap, inf if limits.spike is None else limits.spike)
    if past.flat == 0:
        past.flat = 1 << 60 if limits.flat_ms is None else round(limits.flat_ms / FLAT_MARGIN)
    past.learn_at = at + _look_ms(limits)


def _look_ms(limits: Limits) -> int:
    return max(LOOK_MS, 6 * limits.cadence_ms)


def is_warm(past: Past, limits: Limits) -> bool:
    """Whether the sensor was heard long enough for its own limits."""
    return past.looks * _look_ms(limits) >= max(WARM_MS, WARM_READINGS * limits.cadence_ms)


def look(past: Past, limits: Limits, at: int) -> None:
    """Let limits that were not exceeded fall a little, hear the scatter, and let the span of the values close in."""
    readings = _look_ms(limits) / limits.cadence_ms
    past.learn_at = at + _look_ms(limits)
    past.looks = min(past.looks + 1, _MOST_LOOKS)
    past.low += _FORGET * (past.value - past.low)
    past.high += _FORGET * (past.value - past.high)
    if limits.spike is not None:
        _hear_noise(past, limits.spike)
    if not is_warm(past, limits):
        return
    if limits.spike is not None:
        past.notable = min(limits.spike, max(LEAST_NOTABLE * limits.spike, NOISES * past.noise))
    if limits.step is not None:
        past.leap = max(LEAST_LEAP * limits.step, past.leap * _fall(_LEAP, readings))
    if limits.flat_ms is not None:
        shortest = max(_LEAST_FLAT_MS, _LEAST_FLAT_CADENCES * limits.cadence_ms)
        hurry = max(1.0, _HURRY * _FLAT[1] / (past.looks * readings))
        past.flat = max(shortest, round(past.flat * _fall(_FLAT, readings * hurry)))


def _hear_noise(past: Past, most: float) -> None:
    """How far values of the last hour lie off the middle of their neighbours; a resting gauge tells nothing."""
    values = past.track.values
    if len(values) < 3:
        values = [past.older, past.accepted, past.value] if past.older_at else []
    offs = [abs(b - (a + c) / 2) for a, b, c in zip(values, values[1:], values[2:], strict=False)]
    offs = [min(off, most) for off in offs if off > 0]
    if offs:
        share = max(1 / past.looks, _NEWEST) if past.noise else 1.0
        past.noise += (sum(offs) / len(offs) - past.noise) * share


def _fall(pace: tuple[float, int], readings: float) -> float:
    gain, every = pace
    return exp(-gain * readings / every)


def leapt(past: Past, limits: Limits) -> None:
    """A jump above the present limit has stood."""
    if limits.step is not None:
        past.leap = min(MOST_LEAP * limits.step, past.leap * exp(_LEAP[0]))


def step_of(past: Past, limits: Limits) -> float:
    """A change above it is a jump; never more than the kind's."""
    return past.leap if limits.step is None else min(past.leap, limits.step)


def learn_flat(past: Past, limits: Limits, value: float) -> None:
    """A run of one value has ended at ``value``; one that was doubted and ended with a jump was a stuck sensor's."""
    run = past.at - past.flat_since
    if run <= past.flat or (limits.flat_above is not None and past.value <= limits.flat_above):
        return
    gentle = past.notable if is_warm(past, limits) else step_of(past, limits)
    if run <= past.flat * FLAT_MARGIN or abs(value - past.value) <= gentle:
        past.flat = min(run, round(past.flat * exp(_FLAT[0])))
