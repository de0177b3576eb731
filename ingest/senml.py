"""Resolves a SenML pack (RFC 8428): its bytes in, records with full name, unit, value and time out.

Base fields (``bn bt bu bv bs bver``) hold from their record on until another of the same name; the name is ``bn + n``,
the time ``bt + t``, the value ``bv + v``, and a missing one of two counts as zero. JSON and CBOR are told apart by the
first byte, for a pack is an array in both.
"""

import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from ingest import cbor
from ingest.complaint import NOT_JSON, not_json, shown
from ingest.format import Refusal
from pantau.errors import RefusedMessage

__all__ = ["MAX_BYTES", "MAX_RECORDS", "Resolved", "pack_of", "resolved"]

MAX_RECORDS = 10_000
MAX_BYTES = 2_000_000
_VERSION = 10
"""The version that RFC 8428 defines, and what is meant when none is given."""
_CBOR = range(0x80, 0x100)
"""First bytes of a CBOR array or tag; JSON text has none of them."""
_LABELS = {-1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs", 0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb",
           5: "s", 6: "t", 7: "ut", 8: "vd"}  # fmt: skip
"""CBOR's labels (RFC 8428, table 6)."""
_BASES = {"bn", "bt", "bu", "bv", "bs", "bver"}
_VALUES = ("v", "vs", "vb", "vd")
_TYPES = {"vs": "a text", "vb": "true or false", "vd": "data"}
_JSON = msgspec.json.Decoder(list[Any])
_ANY_JSON = msgspec.json.Decoder()


class Resolved(msgspec.Struct, frozen=True):
    """A record that stands alone.

    Attributes:
        index: place in the pack, from 0.
        unit: None when neither ``u`` nor ``bu`` was given.
        time: seconds, as given: absolute from 2**28 on, else relative to now; None when neither ``t`` nor ``bt`` was.
    """

    index: int
    name: str
    unit: str | None
    value: float
    time: float | None


def pack_of(payload: bytes) -> list[Any]:
    """The records of a payload, not yet looked at.

    Raises:
        RefusedMessage: ``too_large``, ``empty``, ``not_json``, ``not_cbor``, ``not_a_pack``, ``too_many``,
            ``wrong_version``.
    """
    if len(payload) > MAX_BYTES:
        raise RefusedMessage(
            "too_large", f"payload has {len(payload)} bytes, at most {MAX_BYTES}: send smaller packs"
        )
    pack = cbor.decode(payload) if payload[:1] and payload[0] in _CBOR else _json(payload)
    if not isinstance(pack, list):
        raise RefusedMessage("not_a_pack", f"found {shown(pack)}, expected an array of SenML records")
    if not pack:
        raise RefusedMessage("empty", "the pack is empty: send nothing rather than an array of nothing")
    if len(pack) > MAX_RECORDS:
        raise RefusedMessage(
            "too_many", f"pack of {len(pack)} records, at most {MAX_RECORDS}: send several messages"
        )
    _check_version(pack)
    return pack


def _json(payload: bytes) -> Any:
    try:
        return _JSON.decode(payload)
    except NOT_JSON:
        pass
    try:
        return _ANY_JSON.decode(payload)
    except NOT_JSON as error:
        raise not_json(payload, error) from None


def _check_version(pack: list[Any]) -> None:
    """All records of a pack have one version, and one that is not known must not be used (section 4.4)."""
    maps = [record for record in pack if isinstance(record, dict)]
    versions = [record[key] for record in maps for key in ("bver", -1) if key in record]
    for version in versions:
        if isinstance(version, bool) or version not in range(1, _VERSION + 1) or version != versions[0]:
            raise RefusedMessage(
                "wrong_version",
                f"bver is {shown(version)}: known is SenML up to version {_VERSION}, one a pack",
            )


def resolved(pack: list[Any], is_wanted: Callable[[str], bool]) -> Iterator[Resolved | Refusal]:
    """The wanted records in order; a bad one is a refusal and costs no other, unless they lean on its base fields.

    Args:
        pack: from ``pack_of``.
        is_wanted: asked with each record's full name; the others are passed over, whatever they hold.
    """
    bases: dict[str, Any] = {}
    for index, record in enumerate(pack):
        try:
            fields = _labelled(record)
            _take_bases(bases, fields)
            if fields.keys() <= _BASES:
                continue
            name = _text("bn", bases.get("bn", "")) + _text("n", fields.get("n", ""))
            if not name:
                raise _bad_record("it has no name: neither n nor bn is given")
            if is_wanted(name):
                yield _resolve(index, name, fields, bases)
        except RefusedMessage as refused:
            yield Refusal(refused.code, refused.reason, index)


def _labelled(record: Any) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise _bad_record(f"found {shown(record)}, expected an object or map")
    if all(type(key) is str for key in record):
        return record
    fields = {_LABELS.get(key, str(key)) if type(key) is int else key: value for key, value in record.items()}
    if len(fields) != len(record):
        raise _bad_record("a field stands twice, with its number and with its name")
    return fields


def _take_bases(bases: dict[str, Any], fields: dict[str, Any]) -> None:
    for key, value in fields.items():
        if key in _BASES:
            bases[key] = value
        elif key[-1:] == "_" and key[:1] == "b":
            bases["_"] = key


def _resolve(index: int, name: str, fields: dict[str, Any], bases: dict[str, Any]) -> Resolved:
    unknown = next((key for key in fields if key[-1:] == "_"), bases.get("_"))
    if unknown is not None:
        raise _bad_record(f"field {shown(unknown)} must be understood (it ends in _) and is not known")
    unit = fields.get("u", bases.get("bu"))
    time: float | None = None
    if "t" in fields or "bt" in bases:
        # A sum of doubles is exact to a microsecond until the year 2100.
        time = float(_number("bt", bases.get("bt", 0))) + float(_number("t", fields.get("t", 0)))
    return Resolved(index, name, None if unit is None else _text("u", unit), _value(fields, bases), time)


def _value(fields: dict[str, Any], bases: dict[str, Any]) -> float:
    given = [key for key in _VALUES if key in fields]
    if len(given) > 1:
        raise _bad_record(f"{' and '.join(given)} are given: a record has exactly one value")
    if given and given[0] != "v":
        raise RefusedMessage("bad_value", f"{given[0]} holds {_TYPES[given[0]]}: expected a number in v")
    if not given and "bv" not in bases:
        raise RefusedMessage("missing_field", "v is missing: a sum (s) alone is no value of the instant")
    value, base = _number("v", fields.get("v", 0)), bases.get("bv")
    if base is None:
        return float(value)
    # In decimal: 0.1 + 0.2 are 0.3, as the device that took them apart meant.
    total = float(_decimal(value) + _decimal(_number("bv", base)))
    if not math.isfinite(total):
        raise RefusedMessage("bad_value", f"bv + v is {total}: no such number can be measured")
    return total


def _decimal(number: float | Decimal) -> Decimal:
    return number if isinstance(number, Decimal) else Decimal(repr(number))


def _number(field: str, found: Any) -> float | Decimal:
    if isinstance(found, int | float | Decimal) and not isinstance(found, bool):
        try:
            if math.isfinite(float(found)):
                return found
        except OverflowError:
            pass
    raise RefusedMessage("bad_value", f"{field} is {shown(found)}: expected a number, without quotes")


def _text(field: str, found: Any) -> str:
    if isinstance(found, str):
        return found
    raise _bad_record(f"{field} is {shown(found)}: expected a text")


def _bad_record(why: str) -> RefusedMessage:
    return RefusedMessage("bad_record", f"the SenML record cannot be used: {why}")
