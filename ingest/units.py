"""A value in the sender's unit in, the same value in the kind's own unit out."""

from math import isfinite

from ingest.complaint import shown
from pantau.errors import RefusedMessage
from pantau.kind import Kind

__all__ = ["converted"]


def converted(value: float, unit: str, kind: Kind) -> float:
    """The value in the kind's own unit, rounded to a millionth of it.

    Raises:
        RefusedMessage: ``wrong_unit``: the kind does not take it; ``bad_value``: too large to be kept.
    """
    factor = kind.units.get(unit)
    if factor is None:
        raise RefusedMessage(
            "wrong_unit",
            f"unit is {shown(unit)}: {kind.name} takes {', '.join(kind.units)}; "
            f"send one of these, or leave it out for {kind.unit}",
        )
    # 2.01 m are 201 cm, not 200.99999999999997: a limit lies exactly there.
    product = round(value * factor, 6)
    if not isfinite(product):
        raise RefusedMessage("bad_value", f"value {value!r} {unit} is too large to be kept in {kind.unit}")
    return product
