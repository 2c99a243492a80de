"""The press: the libraries that draw symbols and PDF files, loaded where they are needed, for the paper of the core."""

from collections.abc import Sequence

from station.core.printing import Encode, Page, encoder, not_installed, typefaces, write_pdf

INSTALL = "Install it: pip install 'wipline[print]'. Or print the hub's page /sheet in a browser."


def symbols() -> Encode:
    """What makes symbols. Raises `PaperError` where its library is not installed."""
    try:
        import zint
    except ImportError as error:
        raise not_installed(package="zint-bindings", do=INSTALL) from error
    return encoder(zint)


def pdf(pages: Sequence[Page]) -> bytes:
    """These pages as a PDF file. Raises `PaperError`."""
    try:
        from reportlab.pdfbase import pdfmetrics, ttfonts
        from reportlab.pdfgen.canvas import Canvas
    except ImportError as error:
        raise not_installed(package="reportlab", do=INSTALL) from error
    return write_pdf(pages, Canvas("", invariant=1), typefaces(ttfonts, pdfmetrics.registerFont))
