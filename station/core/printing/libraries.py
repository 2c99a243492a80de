"""Load the libraries for symbols (zint) and PDF files (reportlab)."""

from collections.abc import Sequence

from station.core.printing import Encode, Page, encoder, not_installed, typefaces, write_pdf


def symbols(install: str) -> Encode:
    """The symbol encoder. Raises `PaperError` with the advice `install` where the library is not installed."""
    try:
        import zint
    except ImportError as error:
        raise not_installed(package="zint-bindings", do=install) from error
    return encoder(zint)


def pdf(pages: Sequence[Page], install: str) -> bytes:
    """These pages as a PDF file. Raises `PaperError` with the advice `install` where the library is not installed."""
    try:
        from reportlab.pdfbase import pdfmetrics, ttfonts
        from reportlab.pdfgen.canvas import Canvas
    except ImportError as error:
        raise not_installed(package="reportlab", do=install) from error
    return write_pdf(pages, Canvas("", invariant=1), typefaces(ttfonts, pdfmetrics.registerFont))
