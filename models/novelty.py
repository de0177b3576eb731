"""Parts of the novelty detector: values of one sensor in, how far each lies outside what was seen before.

All of them run forward, in fixed memory, without knowing how long a series will be or what its extremes are.
"""

import math

import msgspec

__all__ = ["DAY_MS", "Events", "Phase", "Range", "Recent", "Window"]

DAY_MS = 86_400_000

_FORGET = 1e-5
"""Share of its width that a range loses with each reading: two thirds in a year of readings every five minutes."""
_DRIFT = 0.01
"""Weight of the newest value in a range's level and scatter."""
_SCATTER = 3.0
"""How many mean deviations count as width, so that noise beyond a narrow range is not news."""
_WARM = 20
"""Values that only widen a range at first."""
_SLOTS = 288
"""Of a day: five minutes each, the cadence of most gauges and cameras."""
_VISIT = 0.1
"""What a slot of the day forgets of the distance to its newest value: most of it in three weeks."""
_LONG, _SHORT = 20, 5
_BLOCK, _BLOCKS = 100, 10
_REST, _LOUDER = 75, 1.25
_MEMORY, _COMPARABLE, _REPEAT = 4_000.0, 0.7, 2.0
_EVENTS = 60


class Range(msgspec.Struct, array_like=True):
    """Lowest and highest value so far, slowly forgotten, with the usual scatter.

    Attributes:
        low, high: of the values so far.
        edge: the bound that was passed last, as it stood before.
        level, scatter: moving mean and mean absolute deviation.
        count: of values.
    """

    low: float = 0.0
    high: float = 0.0
    edge: float = 0.0
    level: float = 0.0
    scatter: float = 0.0
    count: int = 0

    def excess(self, value: float, least: float = 0.0) -> float:
        """Take the next value; how far it lies outside, signed: 0 inside, else e / (width + |e| + 3 scatter).

        Args:
            value: the next.
            least: a narrower range counts as if it were so wide.
        """
        low, high = self.low, self.high
        if low <= value <= high:  # nearly always, so without another call
            lost = (high - low) * _FORGET
            self.low, self.high = low + lost, high - lost
            apart = value - self.level
            self.scatter += _DRIFT * (abs(apart) - self.scatter)
            self.level += _DRIFT * apart
            self.count += 1
            return 0.0
        if not self.count:
            self.low = self.high = self.level = value
            self.count = 1
            return 0.0
        if value > high:
            self.edge, self.high = high, value
        else:
            self.edge, self.low = low, value
        return self.beyond(value, max(high - low, least))

    def beyond(self, value: float, width: float) -> float:
        """The excess of a value over the edge as a share, 0 while the range is young; level and scatter follow."""
        excess = value - self.edge
        told = excess / (width + abs(excess) + _SCATTER * self.scatter) if self.count >= _WARM else 0.0
        self.follow(value)
        return told

    def follow(self, value: float) -> None:
        """Let level and scatter take a value in."""
        apart = value - self.level
        self.scatter += _DRIFT * (abs(apart) - self.scatter)
        self.level += _DRIFT * apart
        self.count += 1


class Recent(msgspec.Struct, array_like=True):
    """Lowest and highest of the last thousand values, kept as those of ten blocks of a hundred.

    Attributes:
        range: of the last ten finished blocks and the one under way.
        lows, highs: of each finished block, oldest first.
        low, high: of the block under way.
    """

    range: Range = msgspec.field(default_factory=Range)
    lows: list[float] = msgspec.field(default_factory=list)
    highs: list[float] = msgspec.field(default_factory=list)
    low: float = math.inf
    high: float = -math.inf

    def excess(self, value: float) -> float:
        """As of ``Range``, over the last 1,000 to 1,100 values."""
        base = self.range
        if not base.count:
            base.low = base.high = base.edge = base.level = value
        told = 0.0
        low, high = base.low, base.high
        if low <= value <= high:
            base.follow(value)
        else:
            base.edge = high if value > high else low
            base.low, base.high = min(low, value), max(high, value)
            told = base.beyond(value, high - low)
        self.low = min(self.low, value)
        self.high = max(self.high, value)
        if base.count % _BLOCK == 0:
            self._close()
        return told

    def _close(self) -> None:
        self.lows.append(self.low)
        self.highs.append(self.high)
        del self.lows[:-_BLOCKS], self.highs[:-_BLOCKS]
        self.range.low, self.range.high = min(self.lows), max(self.highs)
        self.low, self.high = math.inf, -math.inf


class Window(msgspec.Struct, array_like=True):
    """The last twenty values with their mean and that of the last five.

    Attributes:
        values: a ring; ``place`` is where the next one goes.
        long, short: sums of all values and of the last five.
    """

    values: list[float] = msgspec.field(default_factory=list)
    place: int = 0
    long: float = 0.0
    short: float = 0.0

    def add(self, value: float) -> None:
        """Take the next value."""
        values, place = self.values, self.place
        if len(values) < _LONG:
            values.append(value)
            self._sum()
            return
        self.short += value - values[place - _SHORT]
        self.long += value - values[place]
        values[place] = value
        place += 1
        if place == _LONG:  # the rounding error of a huge value must not outlive it
            place = 0
            self._sum()
        self.place = place

    def _sum(self) -> None:
        self.long = sum(self.values)
        self.short = sum(self.values[-_SHORT:])

    def means(self) -> tuple[float, float]:
        """Of the newest twenty values and of the newest five, or of those there are."""
        count = len(self.values)
        return self.long / count, self.short / (min(count, _SHORT))


class Phase(msgspec.Struct, array_like=True):
    """Between which values each five minutes of the day have lain; a tenth of the distance is forgotten a visit.

    Attributes:
        lows, highs: (288,) by slot of the day in UTC, None where nothing was seen.
    """

    lows: list[float | None] = msgspec.field(default_factory=lambda: [None] * _SLOTS)
    highs: list[float | None] = msgspec.field(default_factory=lambda: [None] * _SLOTS)

    @property
    def whole(self) -> bool:
        """Whether it has all slots, as one that was not broken has."""
        return len(self.lows) == len(self.highs) == _SLOTS

    def outside(self, at: int, value: float) -> float | None:
        """Take a value; how far it lies outside what this time of day has seen, signed; None at the first visit."""
        slot = at % DAY_MS * _SLOTS // DAY_MS
        low, high = self.lows[slot], self.highs[slot]
        if low is None or high is None:
            self.lows[slot] = self.highs[slot] = value
            return None
        self.lows[slot] = value if value < low else low + _VISIT * (value - low)
        self.highs[slot] = value if value > high else high + _VISIT * (value - high)
        if value > high:
            return value - high
        return value - low if value < low else 0.0


class Events(msgspec.Struct, array_like=True):
    """What was extraordinary before: what is hardly stronger is not told, and the more often, the less it weighs.

    Attributes:
        places, sizes: number of the reading and strength of each event, oldest first, at most 60.
    """

    places: list[int] = msgspec.field(default_factory=list)
    sizes: list[float] = msgspec.field(default_factory=list)

    def weigh(self, place: int, size: float) -> float:
        """What is left of an event's strength.

        Formula: 0 within 75 readings of one that was as strong to a fifth, and then it is no event; else
        ``size / (1 + 2 c)``, where ``c`` counts each earlier event of at least seven tenths of its strength by
        ``exp(-readings since / 4000)``.
        """
        places, sizes = self.places, self.sizes
        count = 0.0
        for index in range(len(places) - 1, -1, -1):
            since = place - places[index]
            if since < _REST and _LOUDER * sizes[index] >= size:
                return 0.0
            if sizes[index] >= _COMPARABLE * size:
                count += math.exp(-since / _MEMORY)
        places.append(place)
        sizes.append(size)
        if len(places) > _EVENTS:
            del places[0], sizes[0]
        return size / (1.0 + _REPEAT * count)
