"""``pantau evaluate drift``: how soon a drifting sensor is seen, and how often one that does not drift."""

from pathlib import Path
from typing import Annotated

import typer

from app.report import tell
from pantau.errors import ConfigError

__all__ = ["register"]


def register(evaluate: typer.Typer) -> None:
    """Add the command."""
    evaluate.command(name="drift")(run)


def run(
    files: Annotated[
        list[Path], typer.Argument(help="CSV with time,station,value,unit (UTC); any kind", dir_okay=False)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="one object a line on stdout")] = False,  # noqa: FBT002 - Typer's flags are booleans
) -> None:
    """Shifted zeros, wrong scales and units put on real readings; alerts a year where nothing was put on them."""
    from models.evaluations.drift import figures
    from simulators.series import read_series

    rows = figures(read_series(*files))
    if not rows[0]["sensors"]:
        raise ConfigError(
            f"{', '.join(map(str, files))}: no station has four months to watch after 60 % to learn from"
        )
    tell(rows, as_json=as_json)
