"""A detector's state from the bytes it made of it, or nothing: what cannot be used is a fresh start, never an error."""

from typing import TypeVar

import msgspec

__all__ = ["read_back"]

T = TypeVar("T")


def read_back(shape: type[T], version: str, body: bytes, own: str) -> T | None:
    """The state that ``msgspec.msgpack.encode`` was given; None for another version's or a broken one.

    Args:
        version, body: as they were kept.
        own: the detector's present version.
    """
    if version != own:
        return None
    try:
        return msgspec.msgpack.decode(body, type=shape)
    except (msgspec.MsgspecError, RecursionError):
        return None
