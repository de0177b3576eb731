"""city.toml -> the city's own words and rules."""

from collections.abc import Collection
from typing import TypeGuard
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from pantau.city import Binding
from pantau.cityfolder.problems import Problems
from pantau.cityfolder.toml import Toml
from pantau.kind import Kind

__all__ = ["FILE", "KEYS", "Settings", "Words", "read_settings"]

FILE = "city.toml"
Words = tuple[str, str, str, str]
"""Texts of severity 0, 1, 2, 3."""

KEYS: dict[str, tuple[str, ...]] = {
    "": (
        *("name", "timezone", "languages", "emergency_number", "last_resort", "exercise"),
        *("ladder", "crowd", "label", "advice", "forecast", "binding", "bridge", "sources"),
    ),
    "ladder": ("boundary", "deadband", "hold_min"),
    "crowd": ("density_per_m2", "advice"),
    "forecast": ("advice",),
    "binding": ("topic", "format", "options"),
    "bridge": ("name", "kind", "url", "every_s", "stations", "contact", "options"),
}
"""Keys of the file by table; those of ``label`` and of each ``advice`` are the city's languages."""

FORECAST_ADVICE: dict[str, tuple[str, str, str]] = {
    "en": (
        "High water is possible in the coming hours. Stay away from the river banks and watch the gauge.",
        "Prepare while there is time: move papers, medicine and vehicles to a higher place. Watch the gauge.",
        "Prepare to leave while there is time. Watch the gauge; leave when officers say so or the water comes.",
    ),
    "id": (
        "Air mungkin naik dalam beberapa jam ke depan. Jauhi bantaran sungai dan pantau tinggi muka air.",
        "Bersiaplah: pindahkan dokumen, obat dan kendaraan ke tempat tinggi. Pantau tinggi muka air.",
        "Bersiap mengungsi. Pantau tinggi muka air; mengungsilah bila petugas mengarahkan atau air datang.",
    ),
}
"""Advice about what is only expected, of severity 1, 2, 3, where a city has no ``[forecast.advice]`` of its own.

"Leave now" hours before any water makes people stay the next time; our own wording, no agency's.
"""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What city.toml says.

    Attributes:
        deadband: cm, default for ladders.csv.
        hold_ms: default for ladders.csv.
        strict: a value on a limit is still below it.
        readable: False when the file could not be read, so that nothing else may be concluded from it.
    """

    name: str
    timezone: str
    languages: tuple[str, ...]
    emergency_number: str
    last_resort: str
    exercise: str
    strict: bool
    deadband: float
    hold_ms: int
    density_limits: tuple[float, float, float]
    label: dict[str, Words]
    advice: dict[str, Words]
    crowd_advice: dict[str, Words]
    forecast_advice: dict[str, tuple[str, str, str]]
    bindings: tuple[Binding, ...]
    sources: dict[str, str]
    readable: bool


def read_settings(
    text: str | None, city: str, kinds: dict[str, Kind], formats: Collection[str] | None, problems: Problems
) -> tuple[Settings, Toml]:
    """Settings of a city, and the file they stand in for complaints that need other files.

    Args:
        city: the folder's name, put in for ``{city}`` in topics.
        formats: names of the payload formats, None when nobody here knows them.
    """
    toml = Toml(FILE, text, problems)
    for table in ("", "ladder", "crowd", "forecast"):
        toml.only(table, KEYS[table])
    languages = _languages(toml, kinds)
    settings = Settings(
        name=toml.text("name", "the city's name"),
        timezone=_timezone(toml),
        languages=languages,
        emergency_number=_emergency_number(toml),
        last_resort=toml.text("last_resort", "a role of recipients.csv"),
        exercise=toml.text("exercise", "a flood of events/, such as 2014-01-29@22:00", default=""),
        strict=_is_strict(toml),
        deadband=toml.number("ladder.deadband", 5.0),
        hold_ms=round(toml.number("ladder.hold_min", 10.0, high=10_080) * 60_000),
        density_limits=_density_limits(toml),
        label=_words(toml, "label", languages),
        advice=_words(toml, "advice", languages),
        crowd_advice=_words(toml, "crowd.advice", languages),
        forecast_advice=_forecast_advice(toml, languages),
        bindings=_bindings(toml, city, formats),
        sources=_sources(toml),
        readable=toml.readable,
    )
    return settings, toml


def _timezone(toml: Toml) -> str:
    expected = "a time zone of the IANA list, such as Asia/Tokyo"
    name = toml.text("timezone", expected)
    try:
        ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # OSError: "Asia" is a folder of the list, not a zone.
        toml.wrong("timezone", expected)
        return "UTC"
    return name or "UTC"


def _languages(toml: Toml, kinds: dict[str, Kind]) -> tuple[str, ...]:
    known = sorted(set.intersection(*(set(kind.label) for kind in kinds.values()))) if kinds else []
    value = toml.value("languages")
    if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
        toml.wrong("languages", f"a list of languages out of {', '.join(known)}")
        return ()
    for word in value:
        if word not in known:
            toml.says(
                "languages",
                f"languages holds {word!r}, expected some of {', '.join(known)}: the others have no words for every "
                "kind in pantau/kinds; remove it or add the words there",
            )
        if value.count(word) > 1:
            toml.says("languages", f"languages holds {word!r} {value.count(word)} times; keep one")
    return tuple(dict.fromkeys(value))


def _emergency_number(toml: Toml) -> str:
    number = toml.text("emergency_number", 'the number people call, in quotation marks, such as "112"')
    if number and not number.replace(" ", "").lstrip("+").isdecimal():
        toml.wrong("emergency_number", 'digits in quotation marks, such as "112"')
    return number


def _is_strict(toml: Toml) -> bool:
    boundary = toml.text("ladder.boundary", '">=" or ">"', default=">=")
    if boundary not in {">=", ">", ""}:
        toml.wrong("ladder.boundary", '">=" (a value on a limit has reached it) or ">" (it has not)')
    return boundary == ">"


def _density_limits(toml: Toml) -> tuple[float, float, float]:
    value = toml.value("crowd.density_per_m2")
    if value is None:
        return (3.0, 4.0, 5.0)
    numbers = value if isinstance(value, list) else []
    if (
        len(numbers) != 3
        or any(type(number) not in {int, float} for number in numbers)
        or not 0 < numbers[0] < numbers[1] < numbers[2] < 100
    ):
        toml.wrong(
            "crowd.density_per_m2", "three rising numbers above 0: persons per m2 for severity 1, 2, 3"
        )
        return (3.0, 4.0, 5.0)
    first, second, third = map(float, numbers)
    return first, second, third


def _words(toml: Toml, path: str, languages: tuple[str, ...]) -> dict[str, Words]:
    found: dict[str, Words] = {}
    if languages:
        toml.only(path, languages, "language")
    for language in languages:
        key = f"{path}.{language}"
        value = toml.value(key)
        if not _are_texts(value, 4):
            toml.wrong(key, "four texts, for severity 0, 1, 2, 3")
            continue
        first, second, third, fourth = value
        found[language] = (first, second, third, fourth)
    return found


def _forecast_advice(toml: Toml, languages: tuple[str, ...]) -> dict[str, tuple[str, str, str]]:
    """The city's own words, else the usual ones of its languages; a language without either advises nothing."""
    if toml.value("forecast.advice") is None:
        return {name: FORECAST_ADVICE[name] for name in languages if name in FORECAST_ADVICE}
    found = {}
    if languages:
        toml.only("forecast.advice", languages, "language")
    for language in languages:
        value = toml.value(f"forecast.advice.{language}")
        if not _are_texts(value, 3):
            toml.wrong(f"forecast.advice.{language}", "three texts, for severity 1, 2, 3")
            continue
        first, second, third = value
        found[language] = (first, second, third)
    return found


def _are_texts(value: object, count: int) -> TypeGuard[list[str]]:
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(text, str) and text.strip() for text in value)
    )


def _sources(toml: Toml) -> dict[str, str]:
    table = toml.table("sources")
    for key, value in table.items():
        if not isinstance(value, str):
            toml.wrong(f"sources.{key}", "text")
    return {key: value for key, value in table.items() if isinstance(value, str)}


def _bindings(toml: Toml, city: str, formats: Collection[str] | None) -> tuple[Binding, ...]:
    tables = toml.value("binding")
    if tables is None:
        return ()  # native messages need none
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        toml.wrong("binding", "[[binding]] tables with topic and format")
        return ()
    found: dict[str, Binding] = {}
    for index in range(len(tables)):
        path = f"binding[{index}]"
        toml.only(path, KEYS["binding"])
        topic = toml.text(f"{path}.topic", "an MQTT topic filter").replace("{city}", city)
        name = toml.text(f"{path}.format", "the name of a format")
        options = toml.table(f"{path}.options")
        if topic and (mistake := _filter_mistake(topic, city)):
            toml.wrong(f"{path}.topic", mistake)
        if topic and topic in found:
            toml.wrong(f"{path}.topic", "a topic that no other binding has", "remove one of the two")
        if name and formats is not None and name not in formats:
            toml.wrong(f"{path}.format", f"one of {', '.join(sorted(formats))}")
        found[topic] = Binding(topic=topic, format=name, options=options)
    return tuple(found.values())


def _filter_mistake(topic: str, city: str) -> str:
    """What is expected instead of this MQTT topic filter, "" when it is well."""
    levels = topic.split("/")
    if "\0" in topic or len(topic.encode()) > 65_535:
        return "at most 65535 bytes without a NUL"
    if "#" in topic and (levels[-1] != "#" or topic.count("#") > 1):
        return "'#' only as the last level, standing alone"
    if any("+" in level and level != "+" for level in levels):
        return "'+' standing alone between two '/'"
    if levels[0] == "pantau" and levels[:3] != ["pantau", "v1", city]:
        return f"pantau/v1/{city}/..., for this folder is {city!r} (or write {{city}})"
    return ""
