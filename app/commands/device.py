"""``pantau device add|list|rotate|revoke``: who may send to the broker, and what."""

import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from app.clock import RealClock
from app.database import migrate, open_engine
from app.handover import may_read, page, sample, unheard
from app.settings import Settings, load_settings
from app.wiring import load_city
from ingest.access import new_id, problem_of_id, problem_of_topic, writes_of
from ingest.dynsec import Credential, DynamicSecurity
from ingest.store.latest import latest_since
from pantau.city import City
from pantau.errors import ConfigError
from pantau.forms import rfc3339
from pantau.station import Station

__all__ = ["made_for", "register"]

_AsJson = Annotated[bool, typer.Option("--json", help="one object a line on stdout")]
_Out = Annotated[
    Path | None,
    typer.Option(help="a new file for the credential, readable by you alone, instead of the screen"),
]
_Id = Annotated[str, typer.Argument(help="as `pantau device list` shows it")]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Credentials of devices, gateways and partners.", no_args_is_help=True)
    group.command(name="add")(add)
    group.command(name="list")(show)
    group.command(name="rotate")(rotate)
    group.command(name="revoke")(revoke)
    cli.add_typer(group, name="device")


def add(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    stations: Annotated[
        list[str] | None, typer.Argument(help="id, name or alias, each with /SENSOR if it may send only that")
    ] = None,
    name: Annotated[str, typer.Option(help="the id; by default the station's and six random digits")] = "",
    kind: Annotated[str, typer.Option(help="a gateway for all stations of this kind")] = "",
    partner: Annotated[bool, typer.Option(help="reads what is public and writes nothing")] = False,
    topic: Annotated[
        list[str] | None, typer.Option(help="further topic it may write, for a format with topics of its own")
    ] = None,
    listen: Annotated[
        list[str] | None, typer.Option(help="topic it may subscribe to, e.g. a Sparkplug node's NCMD")
    ] = None,
    certificate: Annotated[
        bool, typer.Option(help="no password: it shows a client certificate of this name")
    ] = False,
    out: _Out = None,
    as_json: _AsJson = False,
) -> None:
    """Let a device, a gateway of several stations, or a partner in; prints the password, once."""
    settings = load_settings()
    wanted = Credential(
        id=name, role="partner" if partner else "device",
        stations=tuple(stations or ()), write=tuple(topic or ()), read=tuple(listen or ()),
        made_at=RealClock().now(), certificate=certificate,
    )  # fmt: skip
    city = load_city(settings)
    credential = made_for(city, wanted, kind)
    for unread in unheard(city, credential):
        typer.echo(
            f"warning: no binding of {city.id}'s city.toml hears {unread}: what it sends there is not read; "
            "add a [[binding]]",
            err=True,
        )
    password = "" if certificate else secrets.token_urlsafe(24)
    with _admin(settings) as broker:
        _hand_over(
            credential, password, out, as_json=as_json, before=lambda: broker.add(credential, password)
        )
    if not as_json:
        typer.echo(sample(city, credential, settings.mqtt_admin_url or ""))


def show(as_json: _AsJson = False) -> None:
    """List credentials with when one of their stations was last heard, through whomever; - where none is named."""
    settings = load_settings()
    with _admin(settings) as broker:
        found = broker.credentials()
    heard = _heard(settings)
    for one in found:
        last = max((at for name in one.stations for at in _times(heard, name)), default=0)
        if as_json:
            typer.echo(msgspec.json.encode({**msgspec.to_builtins(one), "heard_at": _instant(last)}).decode())
            continue
        what = ", ".join(one.stations) or ", ".join(one.write) or ", ".join(may_read(one))
        way = "  by certificate" if one.certificate else ""
        seen = f"  station heard {(_instant(last) or 'never') if one.stations else '-'}"
        off = "  DISABLED" if one.disabled else ""
        typer.echo(f"{one.id:<32} {one.role:<8} {what}  made {_instant(one.made_at)}{seen}{way}{off}")


def rotate(id: _Id, out: _Out = None, as_json: _AsJson = False) -> None:
    """Give a new password and end the connection that uses the old one; prints it, once."""
    settings = load_settings()
    with _admin(settings) as broker:
        known = next((one for one in broker.credentials() if one.id == id), Credential(id=id, role=""))
        if known.certificate:
            raise ConfigError(
                f"credential {id!r} has no password: make a new certificate with tools/make_certs.py"
            )
        password = secrets.token_urlsafe(24)
        _hand_over(known, password, out, as_json=as_json, before=lambda: broker.set_password(id, password))


def revoke(ids: Annotated[list[str], typer.Argument(help="as `pantau device list` shows them")]) -> None:
    """Throw out for good: live connections end at once, sessions are gone, the id never comes back."""
    with _admin(load_settings()) as broker:
        for id_ in ids:
            broker.revoke(id_)
            typer.echo(f"{id_} revoked")


def made_for(city: City, wanted: Credential, kind: str = "") -> Credential:
    """The credential with its id and the topics of its stations.

    Args:
        wanted: stations as they were named, ``write`` and ``read`` as they were asked for, the id perhaps empty.
        kind: a gateway for all stations of this kind, also those that come later.

    Raises:
        ConfigError: with everything that does not fit the city.
    """
    problems = [text for text in map(problem_of_topic, (*wanted.write, *wanted.read)) if text]
    names: list[str] = []
    write: list[str] = []
    for text in wanted.stations:
        try:
            station, sensor = _station(city, text)
        except LookupError as error:
            problems.append(str(error.args[0]))
            continue
        names.append(f"{station.id}/{sensor}" if sensor else station.id)
        write += writes_of(city.id, station.kind, station.id, sensor)
    if kind:
        known = sorted({station.kind for station in city.stations.values()})
        if kind not in known:
            problems.append(
                f"kind {kind!r} has no station in city {city.id!r}: use one of {', '.join(known)}"
            )
        write += writes_of(city.id, kind, "+")
    write += wanted.write
    problems += _contradictions(wanted, write)
    role = "gateway" if wanted.role == "device" and (kind or len(names) != 1) else wanted.role
    id_ = wanted.id or new_id(names[0].replace("/", "-") if len(names) == 1 else role)
    problems += [text for text in (problem_of_id(id_),) if text]
    if problems:
        raise ConfigError(*problems)
    return msgspec.structs.replace(
        wanted, id=id_, role=role, city=city.id, stations=tuple(names), write=tuple(dict.fromkeys(write))
    )


def _contradictions(wanted: Credential, write: Sequence[str]) -> Iterable[str]:
    if wanted.role == "partner" and (write or wanted.read or wanted.stations):
        yield "a partner reads what is public and nothing else: leave stations, --kind, --topic and --listen out"
    if wanted.role != "partner" and not (write or wanted.stations):
        yield "nothing to send: name a station, or --kind, or --topic; for somebody who only reads --partner"


def _station(city: City, text: str) -> tuple[Station, str]:
    """Station and sensor of ``STATION[/SENSOR]``; a name may hold a slash itself."""
    try:
        return city.find(text), ""
    except LookupError as error:
        name, slash, sensor = text.rpartition("/")
        if not slash:
            raise _with_hint(city, text, error) from None
        if not sensor or set(sensor) & set("+#"):
            raise LookupError(f"sensor {sensor!r} of {text!r}: expected a name without + and #") from None
        try:
            return city.find(name), sensor
        except LookupError as unknown:
            raise _with_hint(city, name, unknown) from None


def _with_hint(city: City, name: str, error: LookupError) -> LookupError:
    """The same, with what the name is nearest to where no word of it is known."""
    text = str(error.args[0])
    near = get_close_matches(name.strip().casefold(), [*city.names, *city.stations], cutoff=0.7)
    if near and "did you mean" not in text and "ambiguous" not in text:
        text += f"; did you mean {', '.join(dict.fromkeys(near))}?"
    return LookupError(text)


def _admin(settings: Settings) -> DynamicSecurity:
    if settings.mqtt_admin_url is None:
        raise ConfigError(
            "PANTAU_MQTT_ADMIN_URL is not set: expected mqtt://admin:password@host:port of the broker's "
            "administrator (tools/make_secrets.py makes the file mqtt_admin_url)"
        )
    return DynamicSecurity(settings.mqtt_admin_url)


def _hand_over(
    credential: Credential, password: str, out: Path | None, *, as_json: bool, before: Callable[[], None]
) -> None:
    """Make the credential and give it away; a file is opened first, so that no password is made for nothing."""
    shown = {**msgspec.to_builtins(credential), "password": password}
    if out is None:
        before()
        typer.echo(msgspec.json.encode(shown).decode() if as_json else page(credential, password))
    else:
        try:
            file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise ConfigError(f"--out {out}: {error.strerror}; expected a new file") from None
        with os.fdopen(file, "wb") as handle:
            try:
                before()
            except BaseException:
                out.unlink()
                raise
            handle.write(msgspec.json.encode(shown) + b"\n")
        typer.echo(msgspec.json.encode(credential).decode() if as_json else f"{credential.id}: see {out}")
    if password:
        typer.echo("The password is not shown again.", err=True)


def _heard(settings: Settings) -> dict[str, dict[str, int]]:
    """When each sensor of each station was last received, ms."""
    found: dict[str, dict[str, int]] = {}
    engine = open_engine(settings.database_url, settings.data)
    try:
        migrate(engine)
        with engine.connect().execution_options(reading=True) as connection:
            for one in latest_since(connection, -1):
                found.setdefault(one.station, {})[one.sensor] = one.received_at
    finally:
        engine.dispose()
    return found


def _times(heard: dict[str, dict[str, int]], name: str) -> Iterable[int]:
    station, _, sensor = name.partition("/")
    sensors = heard.get(station, {})
    return [sensors[sensor]] if sensor in sensors else [] if sensor else sensors.values()


def _instant(at: int) -> str | None:
    return rfc3339(at) if at else None
