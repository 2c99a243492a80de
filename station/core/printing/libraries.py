"""Loads the libraries that draw symbols (zint) and PDF files (reportlab), where paper is to be made."""

import sys
from collections.abc import Sequence

from station.core.printing import Encode, Page, encoder, not_installed, typefaces, write_pdf

# wipline is in no package registry: pip installs it from its source folder, into the environment that runs this code.
_PIP = f"{sys.prefix}/bin/pip install '.[print]'"
AT_A_STATION = f"Install it, in wipline's source folder: {_PIP}. Or print the hub's page /sheet in a browser."
AT_THE_HUB = f"Install it where the hub runs, in wipline's source folder: {_PIP}. Then restart the hub."


def symbols(install: str) -> Encode:
    """The encoder of symbols. Raises `PaperError` with the advice `install` where its library is not installed."""
    try:
        import zint
    except ImportError as error:
        raise not_installed(package="zint-bindings", do=install) from error
    return encoder(zint)


def pdf(pages: Sequence[Page], install: str) -> bytes:
    """These pages as a PDF file. Raises `PaperError` with the advice `install` where its library is not installed."""
    try:
        from reportlab.pdfbase import pdfmetrics, ttfonts
        from reportlab.pdfgen.canvas import Canvas
    except ImportError as error:
        raise not_installed(package="reportlab", do=install) from error
    return write_pdf(pages, Canvas("", invariant=1), typefaces(ttfonts, pdfmetrics.registerFont))
