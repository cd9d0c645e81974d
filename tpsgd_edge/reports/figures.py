"""Figures in files of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.figure import Figure

from tpsgd_edge.errors import OutputError

_FORMATS = (".svg", ".png", ".pdf")
# Without what would differ from one run to the next.
_METADATA: dict[str, dict[str, None]] = {
    ".svg": {"Date": None, "Creator": None},
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@contextmanager
def figure_file(path: Path, *, size: tuple[float, float]) -> Iterator[Figure]:
    """Give an empty figure to draw in, and write it; the same drawing gives the same bytes.

    Args:
        path: .svg, .png or .pdf.
        size: width and height in inches.

    Raises:
        OutputError: a format that is not known, or a file that cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise OutputError(
            f"a plot cannot be written as '{path.suffix}'",
            where=f"--plot {path}",
            help=f"end the name with one of {', '.join(_FORMATS)}",
        )
    with rc_context():
        rcdefaults()
        rcParams.update({"svg.hashsalt": "tpsgd-edge", "axes.spines.top": False})
        rcParams.update({"axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.3})
        figure = Figure(figsize=size, layout="constrained")
        yield figure
        try:
            figure.savefig(path, dpi=150, metadata=_METADATA[suffix])
        except OSError as error:
            raise OutputError(
                "the plot cannot be written", where=str(path), found=error.strerror
            ) from None
