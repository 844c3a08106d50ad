"""What all figures share: style, colours, and how one becomes bytes.

Only this file, `plots`, `lines` and `exhibits` use matplotlib, and without pyplot, so that they
hold no global state. Equal input gives equal bytes: no dates, no version, fixed ids.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rlbench.core.errors import MissingError
from rlbench.reports.escape import plain
from rlbench.reports.frame import EXTRA

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#26292e"
PAPER = "#ffffff"
# Okabe & Ito 2008, without black (that is the ink) and yellow (too faint on white).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d5a")
_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
WIDTH = 5.4  # inches
LETTER = 0.068  # inches; a 9 point letter, on average
_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.facecolor": PAPER,
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "grid.alpha": 0.14,
    "grid.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "none",
    "svg.hashsalt": "rlbench",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "ytick.major.size": 0,
}


@dataclass(frozen=True)
class Plot:
    """A figure as bytes, with its name and what it shows in words."""

    name: str
    title: str
    caption: str
    svg: bytes
    png: bytes
    wide: bool = False
    """Whether the page shows it on a line of its own and as great as it is."""


@contextmanager
def style() -> Iterator[None]:
    """Our style for what is drawn inside, and matplotlib as it was afterwards.

    Raises:
        MissingError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise MissingError(f"plots need matplotlib: {EXTRA}") from error
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def new_figure(width: float, height: float, **grid: Any) -> tuple[Figure, Any]:
    """A figure of that size in inches, and its axes as a 2-d array."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(squeeze=False, **grid)


def saved(name: str, title: str, caption: str, figure: Figure, *, wide: bool = False) -> Plot:
    """The figure as bytes; the name becomes part of a file name."""
    svg, png = io.BytesIO(), io.BytesIO()
    with warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the table beside it has it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        figure.savefig(png, format="png", dpi=150, metadata={"Software": None})
    return Plot(name, title, caption, svg.getvalue(), png.getvalue(), wide)


def look(index: int) -> dict[str, Any]:
    """Colour and dashes of the line at that place."""
    dashes = _DASHES[index // len(COLOURS) % len(_DASHES)]
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": dashes}


def label_inches(labels: Sequence[str]) -> float:
    """The width of the longest label, with a little room."""
    return 0.15 + LETTER * max(len(short(label)) for label in labels)


def short(text: str) -> str:
    """A label that leaves room for the data; the table has the whole name."""
    text = re.sub(r"\s+", " ", plain(text))
    return text if len(text) <= 28 else f"{text[:27]}…"
