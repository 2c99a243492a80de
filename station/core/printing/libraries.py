"""Load the libraries for symbols (zint) and PDF files (reportlab)."""

from collections.abc import Iterable, Sequence

from station.core.codes.card_labels import from_right_to_left
from station.core.printing import Encode, Page, encoder, not_installed, typefaces, without_typeface, write_pdf


def symbols(install: str) -> Encode:
    """The symbol encoder. Raises `PaperError` with the advice `install` where the library is not installed."""
    try:
        import zint
    except ImportError as error:
        raise not_installed(package="zint-bindings", do=install) from error
    return encoder(zint)


def refused_names(names: Iterable[str], install: str) -> frozenset[str]:
    """The names that no typeface of this machine can set in a PDF. Raises `PaperError` where the library is missing.

    Letters from right to left are among them: reportlab would draw them in the wrong order.
    """
    try:
        from reportlab.pdfbase import pdfmetrics, ttfonts
    except ImportError as error:
        raise not_installed(package="reportlab", do=install) from error
    texts = list(names)
    lacking = without_typeface(texts, typefaces(ttfonts, pdfmetrics.registerFont))
    return frozenset((*lacking, *(text for text in texts if from_right_to_left(text))))


def pdf(pages: Sequence[Page], install: str) -> bytes:
    """These pages as a PDF file. Raises `PaperError` with the advice `install` where the library is not installed."""
    try:
        from reportlab.pdfbase import pdfmetrics, ttfonts
        from reportlab.pdfgen.canvas import Canvas
    except ImportError as error:
        raise not_installed(package="reportlab", do=install) from error
    return write_pdf(pages, Canvas("", invariant=1), typefaces(ttfonts, pdfmetrics.registerFont))
