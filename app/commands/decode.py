"""``pantau decode``: what would this payload give?"""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from app.settings import load_settings
from app.wiring import load_city
from ingest.decode import Batch, Decoder, all_formats
from ingest.format import Message
from pantau import cityfolder
from pantau.city import Binding, City
from pantau.errors import ConfigError

__all__ = ["bound", "objects_of", "register"]


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command(name="decode")(run)


def run(
    file: Annotated[str, typer.Argument(help="the payload; - reads stdin")],
    format: Annotated[str, typer.Option("--format", help="name of a payload format, e.g. native")],
    topic: Annotated[
        str | None, typer.Option(help="topic it came on; by default one that the format is bound to")
    ] = None,
    city: Annotated[Path | None, typer.Option(help="the city's folder; PANTAU_CITY by default")] = None,
    retained: Annotated[bool, typer.Option(help="as if the broker had kept it")] = False,
    received_at: Annotated[
        str | None, typer.Option(help="when it came, RFC 3339 with offset; now by default")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one object a line on stdout")] = False,
) -> None:
    """Show the readings and the refusals of one message; exit code 1 when anything is refused."""
    settings = load_settings()
    the_city = cityfolder.load(city, formats=all_formats().keys()) if city else load_city(settings)
    the_city = bound(the_city, format, topic)
    payload = sys.stdin.buffer.read() if file == "-" else _bytes_of(file)
    at = settings.clock.now() if received_at is None else _instant(received_at)
    batch = Decoder(the_city).decode([Message(the_city.bindings[0].topic, payload, at, retained)])
    for found in objects_of(batch):
        typer.echo(json.dumps(found, ensure_ascii=False) if as_json else _words(found))
    raise typer.Exit(1 if batch.refused else 0)


def bound(city: City, format: str, topic: str | None) -> City:
    """The city with this format bound to this topic before anything else.

    Raises:
        ConfigError: there is no such format, or no topic was given and none can be told from the bindings.
    """
    if format not in all_formats():
        raise ConfigError(f"--format {format}: there is none of that name, only {', '.join(all_formats())}")
    ours = [binding for binding in city.bindings if binding.format == format]
    options = ours[0].options if ours else {}
    binding = Binding(topic or _usual_topic(city, format, ours), format, options)
    return msgspec.structs.replace(city, bindings=(binding, *city.bindings))


def _usual_topic(city: City, format: str, bindings: list[Binding]) -> str:
    if format == "native":
        station = next(iter(city.stations.values()))
        return f"pantau/v1/{city.id}/{station.kind}/{station.id}"
    plain = [binding.topic for binding in bindings if not set(binding.topic) & set("+#")]
    if not plain:
        raise ConfigError(
            f"--topic is missing: format {format} is bound to no single topic in city {city.id}"
        )
    return plain[0]


def objects_of(batch: Batch) -> list[dict[str, Any]]:
    """What is printed: one object a reading, refusal, silent sensor or question, or one that says it was ignored."""
    readings = [{"reading": _shown(msgspec.structs.asdict(reading))} for reading in batch.readings]
    refused = [{"refused": {"code": r.code, "reason": r.reason, "index": r.index}} for r in batch.refused]
    gone = [{"gone": msgspec.structs.asdict(found)} for found in batch.gone]
    asks = [{"asks": {"topic": ask.topic, "payload": ask.payload.hex()}} for ask in batch.asks]
    return [*readings, *refused, *gone, *asks] or [{"ignored": True}]


def _shown(reading: dict[str, Any]) -> dict[str, Any]:
    left_out = {"flag", "reason"}  # quality control's, which has not seen it
    return {key: value for key, value in reading.items() if key not in left_out}


def _words(found: dict[str, Any]) -> str:
    if "reading" in found:
        reading = found["reading"]
        at = (
            datetime.fromtimestamp(reading["observed_at"] / 1000)
            .astimezone()
            .isoformat(timespec="milliseconds")
        )
        return f"reading   {reading['station']}/{reading['sensor']} {reading['kind']} {reading['value']:g} at {at}"
    if "refused" in found:
        refused = found["refused"]
        where = "" if refused["index"] is None else f"item {refused['index']}: "
        return f"refused   {refused['code']}: {where}{refused['reason']}"
    if "gone" in found:
        gone = found["gone"]
        return f"silent    {gone['station']}/{gone['sensor']}: {gone['reason']}"
    if "asks" in found:
        return f"asks      {found['asks']['topic']} {found['asks']['payload']}"
    return "ignored   the format knows this message and takes no reading from it"


def _bytes_of(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror})") from None


def _instant(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ConfigError(
            f"--received-at {text!r}: expected RFC 3339 with an offset, e.g. 2026-01-02T03:04:05Z"
        )
    return round(at.timestamp() * 1000)
