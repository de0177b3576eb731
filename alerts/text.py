"""The shape of a language: facts of a change in, title, text and short text for people out.

A language is one file in ``alerts/texts`` with ``TEXT = ...``, named as in ``recipients.csv``; it holds every word that
people of that language read, so that no text is ever half in one language and half in another. Most are ``Phrases``.
"""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

import msgspec

from alerts.news import News
from pantau.city import City
from pantau.registry import find

__all__ = [
    "EXERCISE",
    "MAX_AREAS",
    "SHORT",
    "Expected",
    "Facts",
    "Post",
    "Text",
    "Upstream",
    "fit",
    "gsm",
    "text_for",
]

EXERCISE = "LATIHAN / EXERCISE"
"""Opens everything that is sent in an exercise. In both languages: whoever reads it must understand this much."""

MAX_AREAS = 10
"""Areas named in a text before "and n others": Katulampa warns 12, Sunter Hulu 21; the alert itself lists all."""

SHORT = 160
"""Characters of one text message in the GSM 7-bit alphabet."""


_DASHES = str.maketrans(dict.fromkeys("\N{MINUS SIGN}\N{EN DASH}\N{EM DASH}", "-"))
_TWO_BYTES = str.maketrans("[]{}\\^~|`\t\n", "()()/--/'  ")


class Post(msgspec.Struct, frozen=True):
    """A post downstream and when the water is expected there, on the city's clocks."""

    name: str
    low_h: float
    high_h: float
    earliest: datetime
    latest: datetime


class Upstream(msgspec.Struct, frozen=True):
    """A post upstream that is not back to normal."""

    name: str
    severity: int
    word: str


class Expected(msgspec.Struct, frozen=True):
    """What a forecast says.

    Attributes:
        at: when the limit is expected to be reached, on the city's clocks; None: some time in the hours ahead.
        lead_h: hours until then.
        probability: 0..1, None when it is not known.
        ended: ``reached``, ``withdrawn`` or ``silent`` (``app.outlooks.ENDS``), empty while it lasts.
    """

    at: datetime | None = None
    lead_h: float | None = None
    probability: float | None = None
    ended: str = ""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a notice tells, without a word of any language (city's own words and names excepted).

    Attributes:
        hazard, cause: of the alert.
        place: station, area or peer.
        kind, unit: of the value, in the language; ``decimals`` are shown.
        value: None when there is none or it may not be told.
        density: persons per m2.
        before, after: severities 0..3, as the audience may know them; ``word_before``, ``word`` are the city's.
        siaga: the severity is a Siaga level.
        rate: change per hour; ``trend`` is rising, steady or falling.
        at: of the reading, on the city's clocks; ``zone`` names them.
        onward: posts downstream; ``upstream``: those above that are not normal.
        areas: names of the areas warned, all of them.
        sensor, detector: of an alert about data.
        heard_at: when the silent sensor was last heard.
        expected: of a forecast; None: the alert is about what was observed.
        advice, emergency: the city's.
    """

    news: News
    exercise: bool
    hazard: str
    cause: str
    place: str
    river: str
    kind: str
    unit: str
    decimals: int
    value: float | None
    density: float | None
    before: int
    after: int
    word_before: str
    word: str
    siaga: bool
    rate: float | None
    trend: str | None
    at: datetime
    zone: str
    onward: tuple[Post, ...] = ()
    areas: tuple[str, ...] = ()
    upstream: tuple[Upstream, ...] = ()
    sensor: str = ""
    detector: str = ""
    heard_at: datetime | None = None
    expected: Expected | None = None
    advice: str = ""
    emergency: str = ""


@runtime_checkable
class Text(Protocol):
    """A language; ``language`` is its code as ``recipients.csv`` writes it."""

    language: str

    def title(self, facts: Facts) -> str:
        """One line: what and where."""
        ...

    def text(self, facts: Facts) -> str:
        """Everything, a sentence or two a line."""
        ...

    def short(self, facts: Facts) -> str:
        """The same for a text message: at most 160 characters of the GSM alphabet."""
        ...

    def undelivered(self, role: str, channel: str) -> str:
        """Why the last resort gets somebody else's notice."""
        ...


def text_for(language: str, city: City) -> Text:
    """The texts of a language; of the city's first one when nobody wrote it yet, else of any: a warning must go out."""
    texts: dict[str, Text] = find("alerts.texts", "TEXT", Text, "language")
    for code in (language, *city.languages):
        if code in texts:
            return texts[code]
    return next(iter(texts.values()))


def gsm(text: str) -> str:
    """Text in the alphabet that leaves room for 160: GSM 7-bit without the characters that take two places."""
    plain = unicodedata.normalize("NFKD", text.translate(_DASHES)).encode("ascii", "ignore").decode()
    return "".join(character for character in plain.translate(_TWO_BYTES) if character.isprintable())


def fit(must: str, may: Sequence[str]) -> str:
    """A short text: ``must``, then as many of ``may`` in their order as there is room for."""
    text = gsm(must)[:SHORT]
    for part in may:
        longer = f"{text} {gsm(part)}"
        if part and len(longer) <= SHORT:
            text = longer
    return text
