"""A model card for people: a card in, Markdown out: what it learnt from, how good it was, what not to conclude."""

from datetime import UTC, datetime

from models.card import Card

__all__ = ["card_text"]

_FAMILY = {
    "forest": "An isolation forest: it scores how unlike its training a reading is, beside the twelve before it.",
    "forecast": "A forecast of one gauge's level in the next hours, from its own and upstream levels.",
}


def card_text(card: Card) -> str:
    """``card.md``; the same card always gives the same text."""
    lines = [
        f"# {card.family} of {_called(card, card.name)}, version {card.version}",
        "",
        _FAMILY.get(card.family, card.family),
        "",
        "## What it learnt from",
        "",
        f"- Readings of kind `{card.kind}`{f' in {card.unit}' * bool(card.unit)}, "
        f"{_day(card.start)} to {_day(card.end)} (UTC)" + (f", from {card.source}" if card.source else ""),
        *(
            f"- {_called(card, station)}: {count} readings"
            for station, count in sorted(card.stations.items())
        ),
        f"- SHA-256 of the readings: `{card.data}`",
        "",
        "## How good it was on readings it has not learnt from",
        "",
        "| figure | this model | beside it |",
        "| --- | --- | --- |",
        *(
            f"| {name} | {_number(value, _unit(card, name))} | {_number(card.baselines.get(name), _unit(card, name))} |"
            for name, value in sorted(card.metrics.items())
        ),
        "",
        "## Limits of use",
        "",
        *(f"- {sentence}" for sentence in card.limits),
        f"- Drift is watched for {len(card.inputs)} of {len(card.stations)} sensors; others had too short a history.",
        "",
        "## How it was made",
        "",
        f"- {card.estimator}: "
        + (", ".join(f"{key} {value}" for key, value in sorted(card.params.items())) or "no parameters"),
        f"- Features: {', '.join(card.features)}",
        f"- Libraries: {', '.join(f'{name} {version}' for name, version in sorted(card.libraries.items()))}",
        "- The same readings, features and parameters give the same version again.",
    ]
    return "\n".join(lines) + "\n"


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _called(card: Card, sensor: str) -> str:
    """A station (or ``station/sensor``) with its name beside it."""
    name = card.names.get(sensor.partition("/")[0], "")
    return f"{sensor} ({name})" if name else sensor


def _unit(card: Card, figure: str) -> str:
    """Errors are in the unit of the readings; all other figures are shares and counts."""
    return f" {card.unit}" if card.unit and figure.startswith("mae_") else ""


def _number(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.4g}{unit}"
