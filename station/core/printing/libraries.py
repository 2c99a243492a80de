"""Load the libraries for symbols (zint) and PDF files (reportlab)."""

from collections.abc import Iterable, Sequence

from station.core.printing import Encode, Page, encoder, not_installed, typefaces, without_typeface, write_pdf


def symbols(install: str) -> Encode:
    """The symbol encoder. Raises `PaperError` with the advice `install` where the library is not installed."""
    try:
        import zint
    except ImportError as error:
        raise not_installed(package="zint-bindings", do=install) from error
    return encoder(zint)


def refused_names(names: Iterable[str], install: str) -> frozenset[str]:
    """The names that no typeface of this machine can set in a PDF. Raises `PaperError` where the library is missing."""
    try:
        from reportlab.pdfbase import pdfmetrics, ttfonts
    except ImportError as error:
        raise not_installed(package="reportlab", do=install) from error
    return frozenset(without_typeface(names, typefaces(ttfonts, pdfmetrics.registerFont)))


def pdf(pages: Sequence[Page], install: str) -> bytes:
    """These pages as a PDF file. Raises `PaperError` with the advice `install` where the library is not installed."""
    try:
        from reportlab.pdfbase import pdfmetrics, ttfonts
        from reportlab.pdfgen.canvas import Canvas
    except ImportError as error:
        raise not_installed(package="reportlab", do=install) from error
    return write_pdf(pages, Canvas("", invariant=1), typefaces(ttfonts, pdfmetrics.registerFont))
