"""The door to matplotlib: a title and heights of panels in, an SVG or PNG file out, without a screen.

The same data give the same bytes: settings of the user are set aside, SVG carries neither a date nor random names.
Colours are those of Okabe and Ito, which people who confuse red with green can tell apart; lines of one panel differ in
their dashes too.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pantau.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["COLOURS", "DASHES", "INK", "hours_and_days", "instants", "legend", "sheet", "thinned", "traced"]

INK = "#000000"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Source: M. Okabe, K. Ito, Color Universal Design, 2008; yellow is left out, it is pale on white."""
DASHES = ("solid", "dashed", "dashdot", "dotted")

_WIDTH, _UNIT = 8.0, 1.0  # inches: width of a picture, height of a panel of height 1
_HEAD = 1.1  # inches for title, axis and its label
_DPI = 110  # 880 points wide: sharp beside text, some 40 kB
_MOST_POINTS = 800
_GAP_STEPS = 6
_SUFFIXES = (".svg", ".png")


@contextmanager
def sheet(out: Path, *, title: str, heights: Sequence[float]) -> "Iterator[list[Axes]]":
    """Panels one below the other, to be drawn on; written to ``out`` when the block ends without an error.

    Args:
        out: .svg or .png; its folder must be there.
        title: one or two lines.
        heights: of the panels, in inches, from above.

    Raises:
        ConfigError: matplotlib is not installed, the suffix is another one, or the file cannot be written.
    """
    if out.suffix not in _SUFFIXES:
        raise ConfigError(f"--out {out}: the suffix is {out.suffix!r}, expected {' or '.join(_SUFFIXES)}")
    try:
        import matplotlib as mpl
        from matplotlib import style
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise ConfigError(
            "matplotlib is not installed, without which nothing can be drawn; install the extra `plot`: "
            "pip install 'pantau[plot]', or tools/venv requirements/plot.lock in the project's folder"
        ) from None
    with mpl.rc_context():
        style.use("default")
        mpl.rcParams.update({"svg.hashsalt": "pantau", "svg.fonttype": "none", "timezone": "UTC"})
        figure = Figure(figsize=(_WIDTH, sum(heights) * _UNIT + _HEAD), layout="constrained")
        axes = figure.subplots(len(heights), 1, squeeze=False, height_ratios=list(heights))[:, 0].tolist()
        figure.suptitle(title, fontsize="medium")
        for one in axes:
            one.grid(visible=True, color="#dddddd", linewidth=0.6)
            one.spines[["top", "right"]].set_visible(False)
        yield axes
        kept_out = {"Date": None, "Creator": "pantau"} if out.suffix == ".svg" else {"Software": None}
        try:
            figure.savefig(out, dpi=_DPI, metadata=kept_out)
        except OSError as error:
            raise ConfigError(
                f"--out {out}: cannot be written ({error.strerror}); check path and rights"
            ) from None


def hours_and_days(axes: "Axes") -> None:
    """Let the horizontal axis tell days and hours, UTC, in few words."""
    from matplotlib import dates

    locator = dates.AutoDateLocator(tz="UTC")  # type: ignore[no-untyped-call] # matplotlib types its dates not yet
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz="UTC"))  # type: ignore[no-untyped-call]


def legend(axes: "Axes") -> None:
    """What is what, above the panel: inside it would hide a peak."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize="small", frameon=False)


def instants(ms: "Sequence[int] | NDArray[np.int64]") -> "NDArray[np.datetime64]":
    """Milliseconds since 1970 UTC as matplotlib takes them."""
    return np.asarray(ms, dtype="int64").astype("datetime64[ms]")


def thinned(values: "NDArray[np.float64]", most: int = _MOST_POINTS) -> "NDArray[np.int64]":
    """Which of many points to draw, so that every peak and trough stays: indices, rising.

    The points are cut into equal parts, of which the first, the lowest, the highest and the last are kept.

    Args:
        values: (n,) oldest first; NaN is neither lowest nor highest.
        most: points that may be kept; all are where there are no more.
    """
    if len(values) <= most:
        return np.arange(len(values))
    kept: set[int] = set()
    for part in np.array_split(np.arange(len(values)), most // 4):
        kept |= {int(part[0]), int(part[-1])}
        found = part[np.isfinite(values[part])]
        if len(found):
            kept |= {int(found[values[found].argmin()]), int(found[values[found].argmax()])}
    return np.array(sorted(kept), dtype="int64")


def traced(
    ms: "NDArray[np.int64]", values: "NDArray[np.float64]"
) -> "tuple[NDArray[Any], NDArray[np.float64]]":
    """A series as a line to plot: thinned, and broken where readings are missing, so that no line stands for them.

    Shapes:
        ms: (n,) rising. values: (n,). A gap is longer than six times the usual (median) step.
    """
    kept = thinned(values)
    steps = np.diff(ms)
    gaps = (
        np.concatenate([[0], np.cumsum(steps > _GAP_STEPS * np.median(steps))])
        if len(ms) > 1
        else np.zeros(1)
    )
    breaks = np.flatnonzero(np.diff(gaps[kept])) + 1
    times = np.insert(ms[kept], breaks, ms[kept][breaks])
    return instants(times), np.insert(values[kept], breaks, np.nan)
