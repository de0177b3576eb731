"""The city's folder: the same check as ``pantau city check``."""

from collections.abc import Iterator

from app.commands.city import examine
from app.doctor.finding import Context, Finding

__all__ = ["look"]


def look(context: Context) -> Iterator[Finding]:
    """Every mistake in the folder."""
    found = examine(context.settings.city)
    for problem in found.problems:
        yield Finding("error", problem, "correct it; the service does not start with it")
    if found.summary is not None:
        stations = sum(found.summary.stations.values())
        yield Finding("ok", f"{found.summary.name}: {stations} stations, no mistakes in {found.folder}")
