"""The common look of all pictures: sizes of a two-column paper, colours that everybody can tell apart, PNG and PDF."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from opendicke import checks
from opendicke.files import replacing

#: Widths of one column and of the full page, in inches (the Physical Review's 8.6 and 17.8 cm).
COLUMN = 3.375
PAGE = 7.0

#: The Okabe–Ito palette, told apart with every common kind of colour blindness.
COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "blue": "#0072B2",
        "vermillion": "#D55E00",
        "green": "#009E73",
        "purple": "#CC79A7",
        "orange": "#E69F00",
        "sky": "#56B4E9",
        "yellow": "#F0E442",
        "black": "#000000",
    }
)

SETTINGS: Mapping[str, Any] = MappingProxyType(
    {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so pictures look the same everywhere
        "mathtext.fontset": "dejavusans",
        "font.size": 8.0,
        "axes.titlesize": 8.0,
        "axes.labelsize": 8.0,
        "xtick.labelsize": 7.0,
        "ytick.labelsize": 7.0,
        "legend.fontsize": 7.0,
        "legend.frameon": False,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.direction": "in",
        "ytick.direction": "in",
        "lines.linewidth": 1.2,
        "pdf.fonttype": 42,  # text stays text
        "savefig.dpi": 300,
        "svg.hashsalt": "opendicke",  # names within the file, otherwise random
    }
)

#: Formats by the ending of a name, and what is left out of them: without the date a figure gives the same bytes again.
FORMATS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
)


def paper() -> AbstractContextManager[None]:
    """A context in which figures are made with :data:`SETTINGS`; matplotlib's own settings return afterwards.

    >>> with paper():
    ...     figure = Figure(figsize=(COLUMN, 2.4))
    >>> figure.get_size_inches().tolist()
    [3.375, 2.4]
    """
    settings: Any = dict(SETTINGS)  # matplotlib types each key by name
    return rc_context(settings)


def save(figure: Figure, path: str | Path) -> tuple[Path, Path]:
    """Write ``figure`` as PNG and as PDF; each file appears whole or not at all.

    Args:
        figure: what to write.
        path: where, with or without the suffix; missing folders are made.

    Returns:
        The paths of the PNG and of the PDF.

    Raises:
        OSError: if the folder cannot be written.
    """
    stem = Path(path)
    if stem.suffix.lower() in (".png", ".pdf"):
        stem = stem.with_suffix("")
    png, pdf = (_written(figure, stem.with_name(f"{stem.name}.{kind}"), kind) for kind in ("png", "pdf"))
    return png, pdf


def write(figure: Figure, path: str | Path) -> tuple[Path, ...]:
    """Write ``figure`` in the format that the name's ending says, or as :func:`save` where it has none.

    Args:
        figure: what to write.
        path: where, ending in .png, .pdf or .svg, or without an ending; missing folders are made.

    Returns:
        The paths of what is written.

    Raises:
        ValueError: for another ending.
        OSError: if the folder cannot be written.
    """
    place = Path(path)
    kind = place.suffix.lower().removeprefix(".")
    if not kind:
        return save(figure, place)
    if kind not in FORMATS:
        expected = f"a name ending in {', '.join(f'.{known}' for known in FORMATS)}, or none of them"
        raise checks.refuse("output", expected, str(path))
    return (_written(figure, place, kind),)


def _written(figure: Figure, target: Path, kind: str) -> Path:
    with replacing(target) as unfinished, paper():
        figure.savefig(unfinished, format=kind, metadata=dict(FORMATS[kind]))
    return target
