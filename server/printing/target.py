"""Target of pages: a file, standard output, a raw printer over TCP, or a queue of CUPS.

>>> Target("zpl", 203, None, "tcp://10.0.0.7").address
('10.0.0.7', 9100)
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from server.printing.cups import print_cups
from server.printing.fonts import MACHINE_FONTS
from server.printing.raw_printer import PORT, print_raw
from station.core.printing import Page, PaperError, TextLine, write_svg
from station.core.printing.libraries import pdf, pdf_check, pdf_letters, zpl
from station.core.printing.page import DOT_MM
from station.core.printing.zpl import DOTS_MM

STDOUT = "-"
CUPS = "cups:"


@dataclass(frozen=True, slots=True)
class Target:
    """Where pages go and in which form: `pdf`, `svg` or `zpl`. One of `output` (a path or `-`) and `printer` is given.

    `printer`: `tcp://HOST[:PORT]` for ZPL, or `cups:QUEUE`. `install`: the advice where a library is missing.
    Raises `PaperError` for a combination that cannot be.
    """

    form: str
    dpi: int
    output: str | None
    printer: str | None
    install: str = ""

    def __post_init__(self) -> None:
        """Check the combination."""
        if (self.output is None) == (self.printer is None):
            came = "A file and a printer are named." if self.output else "Neither a file nor a printer is named."
            raise PaperError(came, "Expected one of -o and --printer.", "Name one of them.")
        if self.printer is None:
            return
        if self.printer.startswith(CUPS):
            if self.form == "svg":
                raise PaperError(came="CUPS was asked to print svg.", expected="Expected pdf or zpl.", do="Choose one.")
            return
        if self.address is None:
            came, expected = f"The printer is {self.printer[:80]!r}.", "Expected tcp://HOST[:9100] or cups:QUEUE."
            raise PaperError(came, expected, "Correct it.")
        if self.form != "zpl":
            came = f"A raw printer was asked to print {self.form}."
            raise PaperError(came, "Expected zpl.", "Add --format zpl, or print on a queue: --printer cups:QUEUE.")

    @property
    def address(self) -> tuple[str, int] | None:
        """The host and the port of a raw printer; None for any other text."""
        try:
            parts = urlsplit(self.printer or "")
            port = PORT if parts.port is None else parts.port
        except ValueError:
            return None
        plain = parts.scheme == "tcp" and parts.path in ("", "/") and not parts.query and "@" not in parts.netloc
        return (parts.hostname, port) if plain and parts.hostname else None

    @property
    def dot_mm(self) -> float:
        """The size of a printer's dot, of which a module has a whole number."""
        return 1 / DOTS_MM[self.dpi] if self.form == "zpl" else DOT_MM

    @property
    def name(self) -> str:
        """Where the pages went, in words; empty for standard output."""
        if self.printer is not None:
            return f"on {self.printer}"
        return "" if self.output == STDOUT else f"in {self.output}"

    def check(self) -> Callable[[Iterable[TextLine]], None]:
        """A function that raises `PaperError` for a text that cannot be set; a browser has its own fonts."""
        if self.form == "svg":
            return lambda _: None
        return pdf_check(self.install, pdf_letters(MACHINE_FONTS, self.install))

    def write(self, pages: Iterable[Page], record: Callable[[], None] = lambda: None) -> int:
        """Write or print the pages; returns their number. Where there is none, nothing is written. Raises `PaperError`.

        `record`: called when all pages are drawn, before the first one comes out.
        """
        count = 0

        def counted() -> Iterator[Page]:
            nonlocal count
            for page in pages:
                count += 1
                yield page

        if self.form == "svg":
            drawings = [write_svg(page).encode() for page in counted()]
            self._refuse_several(drawings)
            if drawings:
                record()
            self._write_drawings(drawings)
            return count
        if self.form == "zpl":
            labels = list(zpl(counted(), self.dpi, MACHINE_FONTS, self.install))
            content = b"".join(labels)
        else:
            labels, content = [], pdf(counted(), self.install, pdf_letters(MACHINE_FONTS, self.install))
        if not count:
            return 0
        record()
        if self.printer is None:
            assert self.output is not None  # one of the two is given
            write_file(self.output, content)
        elif self.printer.startswith(CUPS):
            print_cups(self.printer.removeprefix(CUPS), content, raw=self.form == "zpl")
        elif self.address is not None:
            print_raw(*self.address, labels)
        return count

    def _refuse_several(self, drawings: list[bytes]) -> None:
        """Raise `PaperError` where several drawings would go to standard output."""
        if len(drawings) > 1 and self.output == STDOUT:
            came = f"There are {len(drawings)} drawings."
            raise PaperError(came, "Expected a file: standard output takes one drawing.", "Name a file with --output.")

    def _write_drawings(self, drawings: list[bytes]) -> None:
        """One file for each drawing, numbered where there are several."""
        assert self.output is not None  # a printer takes no drawings
        path = Path(self.output)
        for number, drawing in enumerate(drawings, 1):
            name = str(path.parent / f"{path.stem}-{number}{path.suffix}")
            write_file(self.output if len(drawings) == 1 else name, drawing)


def write_file(name: str, content: bytes) -> None:
    """Write a file, or standard output for `-`. Raises `PaperError`."""
    if name == STDOUT:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        Path(name).write_bytes(content)
    except OSError as error:
        came = f"{name!r} cannot be written: {error.strerror}."
        raise PaperError(came, "Expected a file in a folder where you may write.", "Name another.") from error
