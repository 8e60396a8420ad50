"""Figures as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from archbudget._atomic import atomic
from archbudget._guard import guarded
from archbudget._regular import path_of
from archbudget.errors import ArchbudgetError

if TYPE_CHECKING:
    import os

    from plotly.graph_objects import Figure

ALONE = ("html", "json")
"""The formats that plotly writes without another package."""
FORMATS = (*ALONE, "png", "svg", "pdf")
"""All formats; those that are not in `ALONE` need kaleido."""


@guarded
def save(figure: Figure, file: str | os.PathLike[str]) -> None:
    """Writes a figure, whole or not at all, in the format that the name of the file gives.

    `.html` can be viewed without an internet connection; `.json` is plotly's own format; `.png`, `.svg` and `.pdf` need
    kaleido and a Chrome browser, and take seconds.

    Args:
        figure: The figure.
        file: The file; its name ends in `.html`, `.json`, `.png`, `.svg` or `.pdf`.

    Raises:
        ArchbudgetError: If the name has another ending, or kaleido or the browser is missing.
        FileError: If the file cannot be written.

    Example:
        >>> import archbudget as ab
        >>> import tempfile
        >>> from pathlib import Path
        >>> file = Path(tempfile.mkdtemp()) / "sizes.html"
        >>> ab.plot.save(ab.plot.distribution(ab.spaces.lenet()), file)
        >>> file.exists()
        True
    """
    target = path_of(file)
    form = kind_of(target)
    with atomic(target) as part:
        if form == "html":
            part.write_text(figure.to_html(include_plotlyjs=True), encoding="utf-8")
        elif form == "json":
            part.write_text(figure.to_json(), encoding="utf-8")
        else:
            try:
                image = figure.to_image(format=form, scale=2)
            except Exception as error:  # It raises various types when something is missing.
                reason = str(error).strip().partition("\n")[0]
                raise ArchbudgetError(
                    f"{target}: a .{form} needs kaleido (pip install kaleido) and a Chrome browser, a .html needs "
                    f"neither: {type(error).__name__}: {reason}"
                ) from error
            part.write_bytes(image)


@guarded
def kind_of(file: str | os.PathLike[str]) -> str:
    """The format of a plot, from the name of its file.

    Raises:
        ArchbudgetError: If it is not one of `FORMATS`.

    Example:
        >>> import archbudget as ab
        >>> ab.plot.kind_of("figure.html")
        'html'
    """
    ending = Path(file).suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        endings = ", ".join(f".{each}" for each in FORMATS)
        raise ArchbudgetError(f"{Path(file)}: the name of a plot must end in one of {endings}")
    return ending
